"""Questions whose answers hold for a whole block of Python, asked once about the text where decoding began.

Which names are in scope, and which members ``self`` has, does not change from statement to statement, except for what
the statements themselves define, which the text shows. So both are asked about one text, in which lines for the
questions replace or precede the statement where decoding began. The analyser reads one text instead of one for each
question, before anything is decoded. While a line is typed that text stays the same, so the answers are already known
at the next key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from guiderail.monitors.analysis.requests import Question
from guiderail.monitors.cursor_context import Snapshot
from guiderail.text.languages.table import PYTHON_STATEMENTS

RECEIVERS = ("self", "cls")
_NESTED = re.compile(r"\b(?:def|class|lambda)\b")  # in it the receiver may be another one
_NARROWED = re.compile(r"\b(?:self|cls)\b(?!\.)")  # such as by isinstance
_HEAD = re.compile(r"\s*(?:@|(?:async\s+)?def\b|class\b|el(?:se|if)\b|except\b|finally\b|case\b)")  # hangs on others
_MENTIONED = re.compile(r"\b(?:self|cls)\.(\w+)")


@dataclass(frozen=True, slots=True)
class BlockQuery:
    """Questions that hold from the statement where decoding began up to the end of its block.

    Parameters
    ----------
    scope
        Asks which names are in scope.
    members
        Asks, by receiver, which members it has.
    written_since
        The text from the beginning of that statement to here.
    """

    scope: Question
    members: Mapping[str, Question]
    written_since: str

    def question_about(self, receiver: str) -> Question | None:
        """The question about a receiver's members; None if it is no such, or may have become something else."""
        if receiver not in self.members or _NESTED.search(self.written_since) or _NARROWED.search(self.written_since):
            return None
        return self.members[receiver]

    @property
    def mentioned(self) -> frozenset[str]:
        """The members that have been named since, some of which may have been defined."""
        return frozenset(_MENTIONED.findall(self.written_since))


def block_query_of(snapshot: Snapshot, end: int | None = None) -> BlockQuery | None:
    """The questions about a text, or about its first `end` characters; None where another block may have begun."""
    if snapshot.language not in PYTHON_STATEMENTS:
        return None
    context, begin = snapshot.cursor, snapshot.cursor.lex_state.statement_start
    written_since = (snapshot.text + snapshot.upcoming)[begin:end]
    indent = written_since[: len(written_since) - len(written_since.lstrip())].rpartition("\n")[2]
    if not _may_be_preceded(snapshot, written_since, indent):
        return None
    text, offsets = context.text[:begin] + indent + "f'{}'", {"": begin + len(indent) + len("f'{")}
    for receiver in RECEIVERS:
        text += f"\n{indent}{receiver}."
        offsets[receiver] = len(text)
    text += _suffix(snapshot)
    asked = {receiver: Question(context.path, snapshot.language, text, at) for receiver, at in offsets.items()}
    return BlockQuery(asked.pop(""), asked, written_since)


def _may_be_preceded(snapshot: Snapshot, written_since: str, indent: str) -> bool:
    """Whether lines may be put before the statement where decoding began, in one block with all of `written_since`."""
    begin = snapshot.cursor.lex_state.statement_start
    if (
        snapshot.cursor.lex_state.in_string_or_comment
        or snapshot.cursor.text[:begin][-1:] not in ("", "\n", "\r")
        or _HEAD.match(written_since)
    ):
        return False
    return all(line.startswith(indent) for line in written_since.splitlines() if line.strip())


def _suffix(snapshot: Snapshot) -> str:
    """The text after the lines in question: the statement as the file has it if it ends there, and the rest."""
    context = snapshot.cursor
    line = context.rest.partition("\n")[0]
    if line.strip() or any(at >= context.lex_state.statement_start for at in context.lex_state.open_brackets):
        return "\n" + context.text[context.lex_state.statement_start :] + context.typed + context.rest
    return context.rest
