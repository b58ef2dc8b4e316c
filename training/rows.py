"""Rows of tokens for training, drawn from the packed corpus one after another.

A row is filled with items and never cuts a fill-in-the-middle item in two (context-level FIM; Ben Allal et al.,
SantaCoder, 2023): the next piece of the current file is taken at a length that fits what is left of the row.
An item has no header, the file's path, or the path and the package's name with several files one after the
other in the repository format of Qwen2.5-Coder.  Everything is drawn from one seeded generator and the whole
state is a small dictionary, so a run that is killed goes on with exactly the same rows.

Rows come from many lanes in turn, each reading its own files, because consecutive rows of one file in a batch
would make its gradient little better than that of one row.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from training.fim import LAYOUTS, MARK, OVERHEAD, Piece, choose, choose_cut, lay_out
from training.pack import Packed, PackedFile
from training.tokenizer import END, FILE, PAD, REPO

IGNORE = -100
MIN_ITEM = 40
MAX_UNIT_FILES = 6


@dataclass(frozen=True, slots=True)
class Mixture:
    """Shares of the ways an item is written; a recipe states them."""

    fim: float
    bare: float
    psm: float
    spm: float
    efim: float
    whole_row: float = 0.6

    def layouts(self) -> dict[str, float]:
        """Weights of the layouts of holes."""
        return {layout: getattr(self, layout) for layout in LAYOUTS}


@dataclass(slots=True)
class Lane:
    """Where one reader stands: its unit, the file of the unit, the token of the file."""

    unit: list[int]
    file: int = 0
    offset: int = 0


class Rows:
    """An endless, resumable stream of rows of `context + 1` tokens."""

    def __init__(self, packed: Packed, tokenizer: Tokenizer, seed: int, mixture: Mixture, lanes: int = 64) -> None:
        self.packed, self.tokenizer, self.mixture = packed, tokenizer, mixture
        self.newline = tokenizer.encode("\n").ids[0]
        self.seed, self.epoch, self.next_unit, self.turn = seed, 0, 0, 0
        self.rng = random.Random(seed)
        self.units = self._shuffled_units()
        self.lanes = [Lane(self._new_unit()) for _ in range(lanes)]

    def state(self) -> dict[str, Any]:
        """Everything the next row depends on."""
        return {
            "epoch": self.epoch,
            "next_unit": self.next_unit,
            "turn": self.turn,
            "lanes": [asdict(lane) for lane in self.lanes],
            "rng": self.rng.getstate(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where a state was taken."""
        self.epoch, self.next_unit, self.turn = (state[key] for key in ("epoch", "next_unit", "turn"))
        self.units = self._shuffled_units()
        self.lanes = [Lane(**lane) for lane in state["lanes"]]
        version, internal, gauss = state["rng"]
        self.rng.setstate((version, tuple(internal), gauss))

    @property
    def lane(self) -> Lane:
        """The reader whose turn it is."""
        return self.lanes[self.turn]

    def _shuffled_units(self) -> list[list[int]]:
        """Runs of neighbouring files of one package, in an order that depends on seed and epoch alone."""
        rng = random.Random(self.seed * 1_000_003 + self.epoch)
        units: list[list[int]] = []
        for index, file in enumerate(self.packed.files):
            last = units[-1] if units else [index]
            is_neighbour = bool(units) and self.packed.files[last[0]].package == file.package
            if is_neighbour and len(last) < MAX_UNIT_FILES and rng.random() < 0.65:
                last.append(index)
            else:
                units.append([index])
        rng.shuffle(units)
        return units

    def _new_unit(self) -> list[int]:
        """The next unit of this epoch, or the first of the next."""
        if self.next_unit == len(self.units):
            self.next_unit, self.epoch = 0, self.epoch + 1
            self.units = self._shuffled_units()
        self.next_unit += 1
        return self.units[self.next_unit - 1]

    def _advance(self, count: int) -> bool:
        """Step over tokens, then over ended files and units; whether a file ended."""
        lane = self.lane
        lane.offset += count
        if lane.offset < self._length(lane.unit[lane.file]):
            return False
        lane.offset, lane.file = 0, lane.file + 1
        if lane.file == len(lane.unit):
            lane.unit, lane.file = self._new_unit(), 0
        return True

    def _length(self, index: int) -> int:
        file = self.packed.files[index]
        return file.stop - file.start

    def _current(self) -> PackedFile:
        return self.packed.files[self.lane.unit[self.lane.file]]

    def encode(self, text: str) -> list[int]:
        """Tokens of a text."""
        return self.tokenizer.encode(text).ids

    def row(self, context: int) -> np.ndarray:
        """The next row, padded at the end, (context + 1,) of int64."""
        return self.marked_row(context) & (MARK - 1)

    def marked_row(self, context: int) -> np.ndarray:
        """The next row with `MARK` in the tokens that fill holes."""
        out: list[int] = []
        size = context + 1
        self.turn = (self.turn + 1) % len(self.lanes)
        while size - len(out) >= MIN_ITEM and (item := self._item(size - len(out), fresh=not out)):
            out += item
        return np.array(out + [PAD] * (size - len(out)), dtype=np.int64)

    def batch(self, rows: int, context: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and labels, (rows, context) each; padding is not learned, labels keep their marks."""
        grid = np.stack([self.marked_row(context) for _ in range(rows)])
        labels = grid[:, 1:].copy()
        labels[labels == PAD] = IGNORE
        return grid[:, :-1] & (MARK - 1), labels

    def _item(self, room: int, *, fresh: bool) -> list[int]:
        """One item of at most `room` tokens; empty when the next line does not fit, save at a row's start."""
        rng, budget = self.rng, room
        if rng.random() >= self.mixture.whole_row:
            budget = rng.randint(min(room, 2 * MIN_ITEM), room)
        out = self._header(budget)
        taken = self._take(budget - len(out) - OVERHEAD)
        if not taken:
            out, budget = [], room
            taken = self._take(room - OVERHEAD) or self._cut_line(room if fresh else 0)
        while taken:
            ended = self._advance(len(taken))
            header: list[int] = []
            following: list[int] = []
            if ended and self.lane.file > 0 and out[:1] == [REPO]:
                header = self._file_header()
                following = self._take(budget - len(out) - len(taken) - len(header) - OVERHEAD)
            if not following:
                return out + self._written(taken, ended, budget - len(out))
            out = out + taken + header
            taken = following
        return []

    def _take(self, limit: int) -> list[int]:
        """The next whole lines of the current file within a number of tokens, without stepping on."""
        file = self._current()
        start = file.start + self.lane.offset
        if file.stop - start <= limit:
            return self.packed.tokens[start : file.stop].tolist()
        taken = self.packed.tokens[start : start + max(limit, 0)].tolist()
        while taken and taken[-1] != self.newline:
            taken.pop()
        return taken

    def _cut_line(self, room: int) -> list[int]:
        """The start of a line too long for any row."""
        file = self._current()
        start = file.start + self.lane.offset
        return self.packed.tokens[start : min(start + room - OVERHEAD, file.stop)].tolist() if room else []

    def _header(self, budget: int) -> list[int]:
        """Nothing, the path, or the package's name and the path, if they leave room for the contents."""
        draw = self.rng.random()
        if draw < self.mixture.bare:
            return []
        header = self._file_header()
        if draw < (1 + self.mixture.bare) / 2:
            header = [REPO, *self.encode(self._current().package + "\n"), *header]
        return header if len(header) + OVERHEAD + MIN_ITEM <= budget else []

    def _file_header(self) -> list[int]:
        return [FILE, *self.encode(self._current().path + "\n")]

    def _written(self, taken: list[int], ended: bool, room: int) -> list[int]:
        """The last piece of an item, plain or with a hole."""
        plain = [*taken, END] if ended else taken
        if self.rng.random() >= self.mixture.fim or taken[-1] != self.newline:
            return plain
        piece = self._piece(taken)
        cut = choose_cut(piece.lines, self.rng)
        holed = lay_out(piece, cut, choose(self.rng, self.mixture.layouts()), self.encode, self.rng)
        return holed if len(holed) <= room else plain

    def _piece(self, taken: list[int]) -> Piece:
        lines = self.tokenizer.decode(taken, skip_special_tokens=False).split("\n")
        return Piece([line + "\n" for line in lines[:-1]], split_after(taken, self.newline))


def split_after(tokens: list[int], newline: int) -> list[list[int]]:
    """Token lines, each with its newline."""
    lines: list[list[int]] = [[]]
    for token in tokens:
        lines[-1].append(token)
        if token == newline:
            lines.append([])
    return lines[:-1]
