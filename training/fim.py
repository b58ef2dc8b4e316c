"""Fill-in-the-middle: where to cut a piece of source, and how to lay the parts out.

Cuts are at characters (Bavarian et al., "Efficient training of language models to fill in the middle", 2022),
because an editor's cursor stands inside half-typed words; but most holes follow what a completion is asked for:
the rest of a line, a name after a dot, the rest of a block.  Because no token crosses a newline, only the
lines at the cuts are tokenised again; whole lines keep their tokens.

Three layouts are taught, each met at inference: PSM, SPM (prefix and middle run on without a marker between
them), and PSM whose prefix ends some way before the cursor, so that typing only appends (Guo et al., EFIM, 2025).
SPM has the largest share: a small model fills holes in it after a few million tokens, since the text to go on from
stands right before the hole, while PSM asks it to find its way back to the end of the prefix first.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.model import MARK
from training.tokenizer import END, MIDDLE, PREFIX, SUFFIX

Encode = Callable[[str], list[int]]

#: Tokens a layout can add: four markers and what the cuts cost.
OVERHEAD = 16
HOLES = {"line": 0.36, "name": 0.14, "block": 0.22, "lines": 0.12, "characters": 0.13, "nothing": 0.03}
LAYOUTS = ("psm", "spm", "efim")
MAX_BLOCK_LINES = 24
_NAME = re.compile(r"(?<=[.( ])[A-Za-z_]\w*")
_WORD = re.compile(r"(?<=\S) ?\w+|(?<=\s)\w+|^\w+|(?<=\w) ?[^\w\s]")


@dataclass(frozen=True, slots=True)
class Cut:
    """A hole in a text: the middle is text[start:stop]."""

    start: int
    stop: int


def choose(rng: random.Random, table: dict[str, float]) -> str:
    """One key by weight."""
    return rng.choices(list(table), weights=list(table.values()))[0]


def choose_cut(lines: Sequence[str], rng: random.Random) -> Cut:
    """A hole of a random kind in a text given as lines (each but the last ends in a newline)."""
    starts = _line_starts(lines)
    written = [i for i, line in enumerate(lines) if line.strip()]
    if not written:
        return Cut(0, 0)
    row = rng.choice(written)
    line = lines[row].rstrip("\n")
    kind = choose(rng, HOLES)
    start = starts[row] + _column(line, rng)
    if kind == "name" and (cut := _name_cut(line, starts[row], rng)):
        return cut
    if kind == "lines":
        last = min(row + rng.randint(0, 5), len(lines) - 1)
        return Cut(starts[row], starts[last] + len(lines[last]))
    if kind == "characters":
        return Cut(start, min(start + int(rng.expovariate(1 / 40)), starts[-1] + len(lines[-1])))
    if kind == "nothing":
        return Cut(start, start)
    last = _block_end(lines, row) if kind == "block" else row
    return Cut(start, starts[last] + len(lines[last].rstrip("\n")))


def _column(line: str, rng: random.Random) -> int:
    """A place in a line after its indentation: any character, or where a word with its space begins.

    An engine that heals tokens asks from the beginning of the word under the cursor, so those places must be
    met more often than their share of characters.
    """
    if rng.random() < 0.5 and (words := list(_WORD.finditer(line))):
        return rng.choice(words).start()
    return rng.randint(_indent(line), len(line))


def _line_starts(lines: Sequence[str]) -> list[int]:
    starts, position = [], 0
    for line in lines:
        starts.append(position)
        position += len(line)
    return starts


def _name_cut(line: str, offset: int, rng: random.Random) -> Cut | None:
    """A hole from somewhere inside a name to its end, or to the end of its line."""
    names = list(_NAME.finditer(line))
    if not names:
        return None
    name = rng.choice(names)
    typed = 0 if rng.random() < 0.6 else rng.randint(0, len(name.group()))
    stop = name.end() if rng.random() < 0.4 else len(line)
    return Cut(offset + name.start() + typed, offset + stop)


def _block_end(lines: Sequence[str], row: int) -> int:
    """The last line of the block that this line opens or belongs to."""
    indent = _indent(lines[row])
    last = row
    for i in range(row + 1, min(len(lines), row + MAX_BLOCK_LINES)):
        if lines[i].strip():
            if _indent(lines[i]) < indent:
                break
            last = i
    return last


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a file with their tokens, line by line."""

    lines: list[str]
    tokens: list[list[int]]

    def encode(self, start: int, stop: int, encode: Encode) -> list[int]:
        """Tokens of text[start:stop]: whole lines as they are, cut lines anew."""
        out: list[int] = []
        position = 0
        for line, tokens in zip(self.lines, self.tokens, strict=True):
            low, high = max(start - position, 0), min(stop - position, len(line))
            if low == 0 and high == len(line):
                out += tokens
            elif low < high:
                out += encode(line[low:high])
            position += len(line)
            if position >= stop:
                break
        return out


def lay_out(piece: Piece, cut: Cut, layout: str, encode: Encode, rng: random.Random) -> list[int]:
    """Tokens of a piece with the hole moved to the end; those that fill the hole carry `MARK`."""
    size = sum(map(len, piece.lines))
    early = max(0, cut.start - int(rng.expovariate(1 / 60))) if layout == "efim" else cut.start
    prefix = piece.encode(0, early, encode)
    typed = piece.encode(early, cut.start, encode)
    suffix = piece.encode(cut.stop, size, encode)
    hole = [token | MARK for token in (*piece.encode(cut.start, cut.stop, encode), END)]
    if layout == "spm":
        return [PREFIX, SUFFIX, *suffix, MIDDLE, *prefix, *hole]
    return [PREFIX, *prefix, SUFFIX, *suffix, MIDDLE, *typed, *hole]
