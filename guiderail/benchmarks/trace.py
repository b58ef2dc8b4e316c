"""A person at the keyboard: key strokes with their times, for a real project, from a seed.

Functions' bodies are taken out of real files and typed again as people do: in bursts with pauses between words, lines
and thoughts, with typing errors and backspaces, words undone and written again, and the cursor moving to another
place of the file, or to another file, before a body is finished.

Intervals are log-normal around the mean of 239 ms that Dhakal et al., "Observations on Typing from 136 Million
Keystrokes" (CHI 2018), found: shorter inside a word, longer between words.
"""

from __future__ import annotations

import ast
import random
import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from guiderail.text.edit import Edit

Kind = Literal["type", "erase", "undo", "move", "switch"]

# Median seconds before a key, and the spread of their logarithms.
IN_WORD, BETWEEN_WORDS, NEW_LINE, THOUGHT, LOOK = 0.16, 0.26, 0.8, 2.5, 1.2
SPREAD = 0.45
ERRORS = 0.04  # of keys are wrong, and taken back
UNDONE = 0.03  # of words
THOUGHTS = 0.08  # of words have a pause in front
MOVES, SWITCHES = 0.12, 0.08  # of lines end with the cursor going elsewhere
SHORTEST, LONGEST = 60, 600  # characters of a body
_UNIT = re.compile(r"\n\s*|.", re.DOTALL)  # what one key writes: an editor indents a new line by itself


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that a person does.

    Parameters
    ----------
    at
        Seconds since the beginning.
    file
        Where.
    kind
        What it is; the cursor alone moves at "move" and "switch".
    edit
        What it changes in the file as it is then; None if nothing.
    cursor
        Where the cursor stands afterwards, in code points.
    """

    at: float
    file: str
    kind: Kind
    edit: Edit | None
    cursor: int

    @property
    def asks(self) -> bool:
        """Whether an editor asks for a suggestion after it: after what was typed or erased."""
        return self.kind in {"type", "erase"}


@dataclass(frozen=True, slots=True)
class Trace:
    """Key strokes, and the files they begin with.

    Parameters
    ----------
    files
        The texts at the beginning, by name.
    keys
        In the order of their times.
    """

    files: dict[str, str]
    keys: list[Key]

    @property
    def seconds(self) -> float:
        """Until the last key."""
        return self.keys[-1].at if self.keys else 0.0


@dataclass
class _Hole:
    """A body that is being typed: it stands at `start`, and `typed` characters of `text` are there."""

    file: str
    text: str
    start: int
    typed: int = 0

    @property
    def cursor(self) -> int:
        return self.start + self.typed

    @property
    def done(self) -> bool:
        return self.typed == len(self.text)


def make_trace(sources: Mapping[str, str], seed: int, seconds: float) -> Trace:
    """Key strokes of so many seconds; fewer if all that was taken out of the files is typed before.

    Parameters
    ----------
    sources
        Python files by name.
    seed
        Of everything that is drawn.
    """
    rng = random.Random(seed)
    texts, holes = dict(sources), []
    for name, text in sources.items():
        texts[name], found = _with_holes(name, text, rng)
        holes += found
    rng.shuffle(holes)
    return Trace(texts, list(_Person(rng, holes).keys(seconds)))


def _with_holes(name: str, text: str, rng: random.Random) -> tuple[str, list[_Hole]]:
    """The text without the half of its functions' bodies, and the bodies."""
    holes, removed, cut = [], 0, text
    for start, end in _bodies(text):
        if SHORTEST <= end - start <= LONGEST and rng.random() < 0.5:
            holes.append(_Hole(name, text[start:end], start - removed))
            cut = cut[: start - removed] + cut[end - removed :]
            removed += end - start
    return cut, holes


def _bodies(text: str) -> Iterator[tuple[int, int]]:
    """Where functions' bodies stand, in order: from the first character after the indentation to the last one."""
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)

    def offset(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    end = 0
    functions = [one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef)]
    for function in sorted(functions, key=lambda one: one.lineno):
        first, last = function.body[0], function.body[-1]
        begin = offset(first.lineno, first.col_offset)
        if begin >= end and first.lineno > function.lineno and last.end_lineno and last.end_col_offset is not None:
            end = offset(last.end_lineno, last.end_col_offset)
            yield begin, end


class _Person:
    """Types holes, going from one to another."""

    def __init__(self, rng: random.Random, holes: list[_Hole]) -> None:
        self._rng = rng
        self._holes = holes
        self._now = 0.0

    def keys(self, seconds: float) -> Iterator[Key]:
        hole: _Hole | None = None
        while self._now < seconds:
            following = self._next(hole)
            if following is None:
                return
            if following is not hole:
                kind = "move" if hole and hole.file == following.file else "switch"
                yield self._key(following, kind, None, LOOK)
            hole = following
            yield from self._line(hole)

    def _next(self, hole: _Hole | None) -> _Hole | None:
        """Which hole the next line is typed in."""
        left = [one for one in self._holes if not one.done]
        draw = self._rng.random()
        here = [one for one in left if hole and one.file == hole.file]
        there = [one for one in left if one not in here]
        if hole and not hole.done and draw >= MOVES + SWITCHES:
            return hole
        wanted = there if draw < SWITCHES else here
        return self._rng.choice(wanted or left) if left else None

    def _line(self, hole: _Hole) -> Iterator[Key]:
        """Type up to the next line end, it included."""
        word = 0  # characters of the word so far
        for unit in _UNIT.findall(hole.text[hole.typed :].split("\n", 1)[0] + "\n")[:-1]:
            in_word = unit.isalnum() or unit == "_"
            if not in_word and word and self._rng.random() < UNDONE:
                yield from self._undone(hole, word)
            if unit.isalpha() and self._rng.random() < ERRORS:
                yield from self._error(hole)
            thinks = not in_word and self._rng.random() < THOUGHTS
            yield self._type(hole, unit, THOUGHT if thinks else IN_WORD if word else BETWEEN_WORDS)
            word = word + 1 if in_word else 0
        end = _UNIT.match(hole.text, hole.typed)
        if end:
            yield self._type(hole, end.group(), NEW_LINE)

    def _type(self, hole: _Hole, text: str, median: float) -> Key:
        edit = Edit(hole.cursor, hole.cursor, text)
        hole.typed += len(text)
        return self._key(hole, "type", edit, median)

    def _error(self, hole: _Hole) -> Iterator[Key]:
        """A wrong letter, and a backspace."""
        cursor = hole.cursor
        yield self._key(hole, "type", Edit(cursor, cursor, self._rng.choice(string.ascii_lowercase)), IN_WORD, 1)
        yield self._key(hole, "erase", Edit(cursor, cursor + 1, ""), BETWEEN_WORDS)

    def _undone(self, hole: _Hole, word: int) -> Iterator[Key]:
        """The last word is taken back at once, and typed again."""
        text = hole.text[hole.typed - word : hole.typed]
        edit = Edit(hole.cursor - word, hole.cursor, "")
        hole.typed -= word
        yield self._key(hole, "undo", edit, LOOK)
        for character in text:
            yield self._type(hole, character, IN_WORD)

    def _key(self, hole: _Hole, kind: Kind, edit: Edit | None, median: float, behind: int = 0) -> Key:
        """Note a key; what stands after its edit in the file moves."""
        self._now += self._rng.lognormvariate(0, SPREAD) * median
        if edit:
            for other in self._holes:
                if other is not hole and other.file == hole.file and other.start >= edit.end:
                    other.start += len(edit.text) - (edit.end - edit.start)
        return Key(round(self._now, 4), hole.file, kind, edit, hole.cursor + behind)
