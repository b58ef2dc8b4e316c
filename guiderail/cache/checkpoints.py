"""Checkpoints of the recurrent layers' state: where they are made, and which are kept.

A recurrent state cannot be patched: whatever follows an edit is run again. It starts from a state before the edit, so
what lies between the last checkpoint and the edit is run in vain. Checkpoints are at line ends, close together near
the end of the prompt and further apart towards its beginning: what is run in vain is at most half of what has to be
run anyway, and a line.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from guiderail.model.recurrent import State, state_bytes

# Tokens between two checkpoints at least. Each costs a pass, which is worth it for no fewer tokens.
NEAREST = 16
# A checkpoint's distance from the one after it, as a share of that one's distance from the end.
SHARE = 0.5
# Tokens at most that a checkpoint is moved to the left, to the end of a line.
LONGEST_LINE = 64


def planned(ids: Sequence[int], start: int, limit: int, token_bytes: Sequence[bytes] | None) -> list[int]:
    """Where to make checkpoints in a sequence of which `start` tokens have been run, in order.

    Parameters
    ----------
    ids
        The sequence.
    start
        The first token to be run.
    limit
        Checkpoints at most.
    token_bytes
        The bytes of every id, b"" for a special token; without them no lines are known.
    """
    found, end = list[int](), len(ids)
    at = end
    while True:
        at = _line_end(ids, int(at - max(NEAREST, SHARE * (end - at))), start, token_bytes)
        if at - start < NEAREST:
            break
        found.append(at)
    return found[:: -(-len(found) // limit) or 1][::-1]


def _line_end(ids: Sequence[int], at: int, start: int, token_bytes: Sequence[bytes] | None) -> int:
    """The last line end up to `at`, if it is near; otherwise `at`."""
    if token_bytes is None:
        return at
    first = max(start, at - LONGEST_LINE)
    return next((i for i in range(at, first, -1) if ends_line(token_bytes[ids[i - 1]])), at)


def ends_line(data: bytes) -> bool:
    """Whether a token of these bytes ends a line; a special one (b"") does."""
    return not data or b"\n" in data


class Checkpoints:
    """The states of one sequence's recurrent layers that are kept: the last one, and some before it.

    Parameters
    ----------
    limit
        How many are kept at most before the last.

    Attributes
    ----------
    length
        Tokens that the last state is after.
    state
        The last state.
    """

    def __init__(self, limit: int) -> None:
        self.length = 0
        self.state: State = {}
        self._limit = limit
        self._lengths: list[int] = []
        self._states: list[State] = []

    @property
    def lengths(self) -> list[int]:
        """After how many tokens the kept states are, in order; the last state is not counted."""
        return self._lengths

    @property
    def nbytes(self) -> int:
        """Bytes that the states take."""
        other = self.length not in self._lengths
        return sum(map(state_bytes, self._states)) + (state_bytes(self.state) if other else 0)

    def advance(self, length: int, state: State, *, keep: bool) -> None:
        """Note the state after more tokens; `keep` makes a checkpoint of it."""
        self.length, self.state = length, state
        if keep:
            self._lengths.append(length)
            self._states.append(state)
            if len(self._lengths) > self._limit:
                self._drop()

    def rewind(self, length: int) -> int:
        """Go back to the last state after at most `length` tokens; after how many it is."""
        kept = bisect_right(self._lengths, length)
        del self._lengths[kept:], self._states[kept:]
        if self.length > length:
            self.length, self.state = (self._lengths[-1], self._states[-1]) if kept else (0, {})
        return self.length

    def copy(self, device: object = None) -> Checkpoints:
        """The same states, on `device` if one is given; they are shared where they are there already."""
        other = Checkpoints(self._limit)
        other._lengths = list(self._lengths)
        other._states = [_on(state, device) for state in self._states]
        other.length, other.state = self.length, _on(self.state, device)
        if self._lengths and self._lengths[-1] == self.length:
            other.state = other._states[-1]
        return other

    def _drop(self) -> None:
        """Give up the checkpoint whose absence costs the least, as a share of what is run after its place anyway."""
        end = self._lengths[-1]
        gaps = zip([0, *self._lengths], self._lengths[1:], strict=False)
        shares = [(after - before) / (end - after + NEAREST) for before, after in gaps]
        at = min(range(len(shares)), key=shares.__getitem__)
        del self._lengths[at], self._states[at]


def _on(state: State, device: object) -> State:
    if device is None:
        return state
    return {layer: one.to(device) for layer, one in state.items()}  # type: ignore[arg-type]
