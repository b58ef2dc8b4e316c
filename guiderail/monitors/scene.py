"""What a monitor sees: where decoding began, and how far it has come."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from guiderail.monitors.analysis.requests import Question
from guiderail.monitors.lexing import CLOSING, OPENING, Place, place, unmatched_closers
from guiderail.monitors.standing import standing
from guiderail.text.document import Document

BEHIND_READ = 100_000  # characters after the cursor that are searched for closing brackets; once, some milliseconds
HIDDEN = 4  # brackets at most that a rest of a line is thought to have opened


class Scene:
    """Where decoding begins: seen once for all suggestions of a request.

    Parameters
    ----------
    document, offset
        The text and the cursor.
    path
        Where the analyser is to think that the file is.
    typed
        What stands before the cursor and is going to be decoded again (token healing).
    root
        The folder of the project.
    """

    def __init__(self, document: Document, offset: int, path: Path, typed: str = "", root: Path | None = None) -> None:
        self.language = document.language or ""
        self.path = path
        self._standing = standing(document.path, self.language)
        self.root = root or path.parent
        self.typed = typed
        self.text = document.text[: offset - len(typed)]
        self.rest = document.text[offset:]
        self.tail = tail_of(self.rest)

    @cached_property
    def place(self) -> Place:
        """Where the text before the cursor ends."""
        return self._standing.place(self.text)

    @cached_property
    def closers(self) -> str:
        """The brackets that the text after the cursor closes, the innermost first; of a long one, of its beginning."""
        return unmatched_closers(self.rest[:BEHIND_READ], self.language)

    def matched(self, opened: str) -> tuple[int, str]:
        """How the brackets that are open before the cursor, and those that the text after it closes, go together.

        The outermost belong together: each side may have more of the inner ones, such as where the line that is being
        written went on with ``) {``.

        Returns
        -------
        tuple
            How many of `opened`, from the outermost on, are closed, and the first closing brackets that close none.
        """
        closers = self.closers
        if len(self.rest) > BEHIND_READ:  # what is open above the line is closed somewhere after
            line = self.text.rfind("\n") + 1
            return max(len(closers), sum(at < line for at in self.place.brackets)), ""
        same = 0
        while same < min(len(opened), len(closers)) and CLOSING[opened[same]] == closers[-1 - same]:
            same += 1
        first = closers[: len(closers) - same]
        was_misread = len(first) > HIDDEN or (same == 0 and bool(opened and closers))  # not even the outermost match
        return (len(closers), "") if was_misread else (same, first)

    def place_of(self, text: str) -> Place:
        """Where another text ends that begins like the file."""
        return self._standing.place(text)

    def view(self, written: str = "") -> View:
        """The scene when `written` has been decoded."""
        return View(self, self.text + written, "" if written else self.typed)


@dataclass(frozen=True)
class View:
    """How far decoding has come.

    Parameters
    ----------
    scene
        Where it began.
    text
        The file up to here.
    ahead
        What will certainly be written next.
    """

    scene: Scene
    text: str
    ahead: str = ""

    @property
    def language(self) -> str:
        """LSP's identifier of the language."""
        return self.scene.language

    @cached_property
    def place(self) -> Place:
        """Where the text ends: in code, in a string, inside which brackets."""
        return place(self.text, self.language, self.scene.place)

    @property
    def statement(self) -> str:
        """The statement that is being written, up to here."""
        return self.text[self.place.statement :]

    @property
    def indent(self) -> str:
        """The blanks before the statement."""
        statement = self.statement
        return statement[: len(statement) - len(statement.lstrip())]

    @cached_property
    def _matched(self) -> tuple[int, str]:
        return self.scene.matched("".join(self.text[at] for at in self.place.brackets))

    @property
    def unclosed(self) -> str:
        """The open brackets that the rest does not close, the outermost first."""
        return "".join(self.text[at] for at in self.place.brackets[self._matched[0] :])

    def question(self, offset: int, shown: str | None = None) -> Question:
        """What the analyser is asked about `offset`.

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
        rest = self.scene.rest[len(self.scene.tail) :]
        return Question(self.scene.path, self.language, front + closers + openers + rest, offset)

    def instead(self, statement: str, behind: str = "") -> Question:
        """What the analyser is asked about the end of a statement that stands instead of the one being written.

        Parameters
        ----------
        statement
            The other statement, up to the place in question.
        after
            The rest of it.
        """
        begin = self.text[: self.place.statement] + self.indent
        shown = begin + statement
        rest = self.scene.rest[len(self.scene.tail) :]
        return Question(self.scene.path, self.language, shown + behind + rest, len(shown))


def tail_of(rest: str) -> str:
    """The letters after the cursor that a name would run into."""
    found = re.match(r"\w+", rest)
    return found[0] if found else ""
