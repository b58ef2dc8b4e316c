"""One question to a model: a cursor in a text, and what its author wrote there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from guiderail.decoding.stops import Until, stop_rule
from guiderail.prompt.snippet import Snippet

# Raised whenever one answer would be cut elsewhere; every result records it.
TRUNCATION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A cursor in a file, what stands around it, and the truth.

    Parameters
    ----------
    id
        Unique in its set, and the same on every machine.
    kind
        What is asked for: dereference, line, block, api_call, cross_file, or a name of the set's own.
    package
        What intervals draw: the package or repository.
    path
        The file's place in the package.
    language
        LSP identifier.
    prefix, suffix
        The text before and after the cursor, without the truth.
    truth
        What the author wrote.
    until
        Where an answer ends: the frozen truncation.
    snippets
        Context from other files that the set itself brings.
    root
        The folder of the project, where it is laid out; analysers work there.
    """

    id: str
    kind: str
    package: str
    path: str
    language: str
    prefix: str
    suffix: str
    truth: str
    until: Until = "line"
    snippets: Sequence[Snippet] = ()
    root: Path | None = None

    def truncated(self, text: str) -> str:
        """What counts of a text written at the cursor: the rule that decoding stops by, without blanks at the end."""
        line = self.prefix[self.prefix.rfind("\n") + 1 :]
        end = stop_rule(self.until, line).end(text)
        return (text if end is None else text[:end]).rstrip()

    def completed(self, answer: str) -> str:
        """The whole file with `answer` in place of the truth."""
        return self.prefix + answer + self.suffix
