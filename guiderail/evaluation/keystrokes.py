"""True typing, replayed: some lines of a file are missing and are typed key by key, with a cursor at every fifth key.

The lines are the file's own, of code, comments and docstrings alike. What stands above and below them is there, and an
editor indents: the line break and the blanks after it are one key.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guiderail.engine.likelihood import Situation, situation_at
from guiderail.evaluation.packages import SourceFile
from guiderail.text.document import Document
from guiderail.text.language import language_of

LINES = 3  # that are typed in one place
EVERY = 5  # keys
LONGEST = 200  # characters of a line
TRIES = 100  # places in a file that are looked at for enough lines

_STEP = re.compile(r"\s*(?:\w+|[^\w\s])")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A cursor in a file that is being typed.

    Parameters
    ----------
    package, path, language
        Whose file it is, and where in it.
    trace
        Names the lines that are typed.
    text, offset
        The file at this key, and the cursor in it.
    truth
        What the author wrote after the cursor, up to the end of the file.
    at, typed
        Characters of the lines that are typed before the cursor, and in all.
    """

    package: str
    path: str
    language: str
    trace: str
    text: str
    offset: int
    truth: str
    at: int
    typed: int

    @property
    def place(self) -> Situation:
        """What the cursor is in."""
        return situation_at(Document(self.text, language=self.language), self.offset)


def draw(files: Sequence[SourceFile], count: int, seed: int) -> list[Cursor]:
    """Up to `count` cursors of one package, from as many of its files as that takes, one place in each.

    More of them are the same ones and others.
    """
    rng = random.Random(f"{seed}:keystrokes:{files[0].package}")
    found: list[Cursor] = []
    for file in rng.sample(list(files), len(files)):
        if len(found) >= count:
            break
        first = _place(file.text.split("\n"), rng)
        found += cursors(file, first) if first is not None else ()
    return found[:count]


def _place(lines: Sequence[str], rng: random.Random) -> int | None:
    """The first of some lines that stand together and are not blank."""
    for _ in range(TRIES if len(lines) > LINES else 0):
        first = rng.randrange(len(lines) - LINES)
        if all(line.strip() and len(line) <= LONGEST for line in lines[first : first + LINES]):
            return first
    return None


def cursors(file: SourceFile, first: int) -> Iterator[Cursor]:
    """Every fifth key of the lines of a file that begin at this one."""
    lines = file.text.split("\n")
    above, typed = "\n".join([*lines[:first], ""]), "\n".join(lines[first : first + LINES])
    below = "\n" + "\n".join(lines[first + LINES :])
    indented = [*re.finditer(r"(?:^|\n)[ \t]*", typed)]
    ends = sorted({*(one.end() for one in indented), *_characters(typed, [one.span() for one in indented])})
    for end in ends[EVERY - 1 :: EVERY]:
        yield Cursor(
            package=file.package,
            path=file.path,
            language=language_of(file.path) or "",
            trace=f"{file.package}/{file.path}:{first}",
            text=above + typed[:end] + below,
            offset=len(above) + end,
            truth=typed[end:] + below,
            at=end,
            typed=len(typed),
        )


def _characters(typed: str, indented: Sequence[tuple[int, int]]) -> Iterator[int]:
    """Where the characters end that are keys of their own."""
    blank = {at for start, end in indented for at in range(start, end)}
    return (at + 1 for at in range(len(typed)) if at not in blank)


def steps(text: str) -> list[str]:
    """A text word by word and sign by sign, each with the blanks before it."""
    return _STEP.findall(text)


def right_steps(text: str, truth: str) -> list[str]:
    """The words and signs that a text begins with and the truth too."""
    found = []
    for own, true in zip(steps(text), steps(truth[: 2 * len(text) + LONGEST]), strict=False):
        if own != true:
            break
        found.append(own)
    return found


def is_right(text: str, truth: str) -> bool:
    """Whether a text is what was written next, up to its last word or sign."""
    return bool(text.strip()) and len(right_steps(text, truth)) == len(steps(text))
