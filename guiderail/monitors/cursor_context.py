"""The input of monitors: the cursor at which decoding began, and the text decoded so far."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from guiderail.monitors.analysis.requests import CLASS, Question
from guiderail.monitors.interpolation import DEEPEST, Hole, as_code, hole_at, rest_as_code
from guiderail.monitors.lex_cache import lex_cache
from guiderail.monitors.lex_state import CLOSING, OPENING, LexState, lex_state, unmatched_closers
from guiderail.monitors.runtime.facts import UNREAD, FileFacts
from guiderail.monitors.runtime.openness import Runtime
from guiderail.monitors.runtime.reader import read_facts
from guiderail.monitors.runtime.sources import Sources
from guiderail.text.document import Document

SUFFIX_READ = 100_000  # characters after the cursor that are searched for closing brackets; once, some milliseconds
STRING_READ = 4000  # characters before a place in which a string with code in it is looked for
HOLED = re.compile(r"(?i)[ft]r?['\"]|`|\$@?\"|@\$\"")  # a quick look for their beginnings
WORD_READ = 400  # characters of a half-typed word
_HALF_WORD = re.compile(r"\w+\Z")
DUNDERS = re.compile(r"\b__\w+__\b")
HIDDEN = 4  # brackets at most that a rest of a line is thought to have opened


class CursorContext:
    """The text around a cursor, shared by all suggestions of a request.

    Parameters
    ----------
    document, offset
        The text and the cursor.
    path
        The file's path, as analysers are told.
    typed
        The text before the cursor that decoding writes again (token healing).
    root
        The folder of the project.
    python
        The interpreter or environment that a person named; empty for the one that is found.
    trust
        Whether the project is trusted: always, never, or if it is listed.
    """

    def __init__(
        self, document: Document, offset: int, path: Path, typed: str = "", root: Path | None = None, python: str = "",
        trust: str = "listed",
    ) -> None:  # fmt: skip
        self.language = document.language or ""
        self.path = path
        self._lex_cache = lex_cache(document.path, self.language)
        self.root = root or path.parent
        self.python, self.trust = python, trust
        self.typed = typed
        self.text = document.text[: offset - len(typed)]
        self.rest = document.text[offset:]
        self.tail = tail_of(self.rest)

    @cached_property
    def lex_state(self) -> LexState:
        """The lexer's state at the cursor, without `typed`."""
        return self._lex_cache.state(self.text)

    @cached_property
    def facts(self) -> FileFacts:
        """What the file says of its classes and names, without the word that is half typed."""
        snapshot = self.snapshot()
        half = _HALF_WORD.search(self.text, max(0, len(self.text) - WORD_READ))
        begin = half.start() if half else len(self.text)
        text = snapshot.question(begin).text
        name = CLASS if self.text[:begin].endswith(".") else ""
        return read_facts(text[:begin] + name + text[begin:]) or UNREAD

    @cached_property
    def dunders(self) -> frozenset[str]:
        """The double-underscore names that the file has."""
        return frozenset(DUNDERS.findall(self.text)) | frozenset(DUNDERS.findall(self.rest))

    @cached_property
    def runtime(self) -> Runtime:
        """Who may add names, in this file and in what it imports."""
        return Runtime(Sources(self.root, self.path, self.facts, self.python, self.trust))

    @cached_property
    def closers(self) -> str:
        """The brackets that the text after the cursor closes, the innermost first; of a long one, of its beginning."""
        return unmatched_closers(self.rest[:SUFFIX_READ], self.language)

    def matched(self, opened: str) -> tuple[int, str]:
        """Match the brackets that are open before the cursor with those that the text after it closes.

        The outermost belong together: each side may have more of the inner ones, such as where the line that is being
        written went on with ``) {``.

        Returns
        -------
        tuple
            How many of `opened`, from the outermost on, are closed, and the first closing brackets that close none.
        """
        closers = self.closers
        if len(self.rest) > SUFFIX_READ:  # what is open above the line is closed somewhere after
            line = self.text.rfind("\n") + 1
            return max(len(closers), sum(at < line for at in self.lex_state.open_brackets)), ""
        same = 0
        while same < min(len(opened), len(closers)) and CLOSING[opened[same]] == closers[-1 - same]:
            same += 1
        first = closers[: len(closers) - same]
        was_misread = len(first) > HIDDEN or (same == 0 and bool(opened and closers))  # not even the outermost match
        return (len(closers), "") if was_misread else (same, first)

    def lex_state_of(self, text: str) -> LexState:
        """The lexer's state at the end of another text, which begins like the file."""
        return self._lex_cache.state(text)

    def snapshot(self, written: str = "") -> Snapshot:
        """The text once `written` has been decoded; where it ends in a string's code, as plain code."""
        cursor, text = self, self.text + written
        for _ in range(DEEPEST if HOLED.search(text, max(0, len(text) - STRING_READ)) else 0):
            hole = hole_at(text, lex_state(text, self.language, cursor.lex_state), self.language)
            if hole is None or hole.opened < 0:
                break
            cursor, text = cursor._inside(hole, as_code(text, hole)), as_code(text, hole)
        return Snapshot(cursor, text, "" if written else self.typed)

    def _inside(self, hole: Hole, text: str) -> CursorContext:
        """The cursor as one in plain code; `text` is the text up to it and further."""
        size = len(self.text)
        if hole.begin >= size:  # the string begins after the cursor
            return self
        here = hole_at(self.text, self.lex_state, self.language)
        rest = rest_as_code(self.rest, here, self.language) if here else self.rest
        return self._with(text[:size], rest)

    def _with(self, text: str, rest: str) -> CursorContext:
        """The same cursor in another text of the same file."""
        other = copy(self)
        other.text, other.rest = text, rest
        for cached in ("lex_state", "closers"):
            other.__dict__.pop(cached, None)
        return other


@dataclass(frozen=True)
class Snapshot:
    """The text up to a point of decoding.

    Parameters
    ----------
    cursor
        The cursor at which decoding began.
    text
        The file up to here.
    upcoming
        What decoding will certainly write next: the text that token healing left out.
    """

    cursor: CursorContext
    text: str
    upcoming: str = ""

    @property
    def language(self) -> str:
        """LSP's identifier of the language."""
        return self.cursor.language

    @cached_property
    def lex_state(self) -> LexState:
        """The lexer's state at the end of the text."""
        return lex_state(self.text, self.language, self.cursor.lex_state)

    def cut(self, end: int) -> Snapshot:
        """The same cursor with the text up to an earlier place, as if what was written since were not there."""
        text = self.text[:end]
        return Snapshot(self.cursor._with(text, self.cursor.rest), text)

    @property
    def statement(self) -> str:
        """The statement that is being written, up to here."""
        return self.text[self.lex_state.statement_start :]

    @property
    def indent(self) -> str:
        """The blanks before the statement."""
        statement = self.statement
        return statement[: len(statement) - len(statement.lstrip())]

    @cached_property
    def _matched(self) -> tuple[int, str]:
        return self.cursor.matched("".join(self.text[at] for at in self.lex_state.open_brackets))

    @property
    def unclosed(self) -> str:
        """The open brackets that the rest does not close, the outermost first."""
        return "".join(self.text[at] for at in self.lex_state.open_brackets[self._matched[0] :])

    def question(self, offset: int, shown: str | None = None) -> Question:
        """The question to the analyser about an offset.

        Parameters
        ----------
        offset
            Where the question points, in code points.
        shown
            What the analyser sees before the brackets and the rest; by default the text up to `offset`.
        """
        # Brackets are made to match: one too many ends a class above half of its members.
        closers = "".join(CLOSING[one] for one in reversed(self.unclosed))
        openers = "".join(OPENING[one] for one in reversed(self._matched[1]))
        front = self.text[:offset] if shown is None else shown
        rest = self.cursor.rest[len(self.cursor.tail) :]
        return Question(self.cursor.path, self.language, front + closers + openers + rest, offset)

    def question_with(self, statement: str, after: str = "") -> Question:
        """The question to the analyser about the end of a statement that replaces the one being written.

        Parameters
        ----------
        statement
            The other statement, up to the offset in question.
        after
            The rest of it.
        """
        begin = self.text[: self.lex_state.statement_start] + self.indent
        shown = begin + statement
        rest = self.cursor.rest[len(self.cursor.tail) :]
        return Question(self.cursor.path, self.language, shown + after + rest, len(shown))


def tail_of(rest: str) -> str:
    """The letters after the cursor that a name would run into."""
    found = re.match(r"\w+", rest)
    return found[0] if found else ""
