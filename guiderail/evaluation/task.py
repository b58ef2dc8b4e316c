"""One question to a model: a cursor in a text, and what its author wrote there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from guiderail.choices import Until
from guiderail.decoding.stops import stop_rule
from guiderail.engine.request import CompletionRequest
from guiderail.evaluation.packages import SourceFile
from guiderail.prompt.snippet import Snippet
from guiderail.settings import Settings
from guiderail.text.document import Document

# Raised whenever one answer would be cut elsewhere; every result records it.
TRUNCATION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A cursor in a file, the text around it, and the truth.

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
    hidden
        The end of the file, after the suffix, where no system is to see it.
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
    hidden: str = ""

    @property
    def start(self) -> int:
        """The cursor's offset in the file, code points."""
        return len(self.prefix)

    @property
    def end(self) -> int:
        """Where the truth ends in the author's file."""
        return self.start + len(self.truth)

    @property
    def text(self) -> str:
        """What a system sees of the file."""
        return self.prefix + self.suffix

    def request(self, settings: Settings, *, n: int = 1) -> CompletionRequest:
        """The question as the engine takes it; several answers are drawn independently of each other."""
        settings = replace(settings, until=self.until)
        if self.root is None:  # as with the tasks of published benchmarks: there is nothing to analyse
            settings = replace(settings, monitors=False)
        return CompletionRequest(
            document=Document(self.text, (self.root or Path()) / self.path, self.language),
            offset=self.start,
            root=self.root,
            settings=settings,
            n=n,
            distinct=n == 1,
            snippets=self.snippets or None,
            by_hand=True,
        )

    def truncated(self, text: str) -> str:
        """What counts of a text written at the cursor: the rule that decoding stops by, without blanks at the end."""
        line = self.prefix[self.prefix.rfind("\n") + 1 :]
        end = stop_rule(self.until, line).end(text)
        return (text if end is None else text[:end]).rstrip()

    def completed(self, answer: str) -> str:
        """The whole file with `answer` in place of the truth."""
        return self.prefix + answer + self.suffix + self.hidden


def cut_out(
    file: SourceFile, kind: str, start: int, end: int, *, until: Until = "line", shows_rest: bool = True
) -> Task:
    """The task to write `file.text[start:end]` anew, code points; `shows_rest` is whether systems see what follows."""
    rest = file.text[end:]
    return Task(
        id=f"{kind}:{file.package}:{file.path}:{start}-{end}",
        kind=kind,
        package=file.package,
        path=file.path,
        language=file.language,
        prefix=file.text[:start],
        suffix=rest if shows_rest else "",
        hidden="" if shows_rest else rest,
        truth=file.text[start:end],
        until=until,
    )
