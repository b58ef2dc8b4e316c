"""Chooses the part of the document around the cursor that goes into the prompt.

Windows begin and end at line starts that are multiples of a power of two where possible: while the cursor moves or
a person types, the same lines stay in the prompt, and a cache of it stays valid.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from guiderail.text.document import Document

Count = Callable[[str], int]

SNAP = 64  # lines
_PREFIX_SHARE = 0.75
_TOKENS_PER_LINE = 10  # of usual code, to choose the snap by the budget
_LONGEST_TOKEN = 64  # characters per token above which a text is taken not to fit without being counted
_FIRST_SIZE = 1024  # characters of a long line that are tried first
_COMMON_TOKEN = 6  # characters per token that source text seldom exceeds as a whole


@dataclass(frozen=True, slots=True)
class Window:
    """Offsets of the stretch: it covers ``text[start:stop]`` and the cursor is inside."""

    start: int
    stop: int


def choose_window(
    document: Document, offset: int, *, typed: int, budget: int, count: Count, with_suffix: bool
) -> Window:
    """The stretch around the cursor that fits the budget.

    Three quarters go to the text before the cursor, one to the text after it, and what one side does not need the
    other may use. The cursor's whole line is always in it if it fits; a longer line is cut by characters.

    Parameters
    ----------
    document, offset
        The text and the cursor.
    typed
        How many characters before the cursor stay out of the prompt, and so cost nothing.
    budget
        Tokens for both sides together.
    count
        Number of tokens of a text.
    with_suffix
        Whether what follows the cursor is wanted; without it the window ends at the cursor.
    """
    stop = len(document.text) if with_suffix else offset

    def cost(window: Window) -> float:
        before = document.text[window.start : offset - typed]
        return _bounded(before, budget, count) + _bounded(document.text[offset : window.stop], budget, count)

    whole = Window(0, stop)
    if stop <= _COMMON_TOKEN * budget and cost(whole) <= budget:
        return whole
    line, _ = document.position_at(offset)
    alone = Window(document.line_start(line), max(offset, document.line_end(line)) if with_suffix else offset)
    room = budget - cost(alone)
    while room >= 0:
        window = _snapped(document, line, alone, room, budget, count, with_suffix)
        over = cost(window) - budget
        if over <= 0:
            return window
        # Lines counted one by one may, seldom, come to less than counted together.
        room = -1 if window == alone else room - over
    return _part_of_line(document.text, alone, offset, typed, budget, count)


def _bounded(text: str, budget: int, count: Count) -> float:
    """The count, or infinity for a text so long that it cannot fit and would be slow to count."""
    return count(text) if len(text) <= _LONGEST_TOKEN * max(budget, 1) else math.inf


class _Side:
    """Costs of the lines on one side of the cursor's line, counted outwards as far as asked."""

    def __init__(self, texts: Callable[[int], str], length: int, count: Count) -> None:
        self._texts = texts  # text of the n-th line away, from 1
        self._length = length
        self._count = count
        self.costs = [0.0]  # of the nearest n lines together

    def reach(self, limit: float) -> int:
        """How many of the nearest lines fit the limit together."""
        while self.costs[-1] <= limit and len(self.costs) <= self._length:
            text = self._texts(len(self.costs))
            self.costs.append(self.costs[-1] + _bounded(text, math.ceil(limit), self._count))
        fitting = (number for number in range(len(self.costs) - 1, -1, -1) if self.costs[number] <= limit)
        return next(fitting, 0)

    def is_whole(self, lines: int) -> bool:
        return lines == self._length


def _snapped(
    document: Document, line: int, alone: Window, room: float, budget: int, count: Count, with_suffix: bool
) -> Window:
    """The cursor's line and the lines around it that fit `room`, with snapped ends."""

    def text(number: int) -> str:
        last = number + 1 == document.line_count
        stop = len(document.text) if last else document.line_start(number + 1)
        return document.text[document.line_start(number) : stop]

    following = document.line_count - 1 - line if with_suffix else 0
    above = _Side(lambda away: text(line - away), line, count)
    below = _Side(lambda away: text(line + away), following, count)
    up = above.reach(_PREFIX_SHARE * room if following else room)
    down = below.reach(room - above.costs[up] if above.is_whole(up) else (1 - _PREFIX_SHARE) * room)
    if below.is_whole(down):
        up = above.reach(room - below.costs[down])
    first = line - up if above.is_whole(up) else _snap_up(line - up, line, budget * _PREFIX_SHARE)
    stop = alone.stop
    if below.is_whole(down) and following:
        stop = len(document.text)
    elif down:
        stop = document.line_start(_snap_down(line + down + 1, line + 1, budget * (1 - _PREFIX_SHARE)))
    return Window(document.line_start(first), stop)


def _grain(tokens: float) -> int:
    """The snap for a side: at most half of the lines that usually fit."""
    lines = max(2.0, tokens / _TOKENS_PER_LINE)
    return min(SNAP, 1 << int(math.log2(lines / 2)))


def _snap_up(first: int, line: int, tokens: float) -> int:
    """The next snapped line from `first` on, finer if less than a quarter of the lines would stay."""
    grain = _grain(tokens)
    while grain > 1 and -first % grain > (line - first) * 3 / 4:
        grain //= 2
    return first + -first % grain


def _snap_down(stop: int, line: int, tokens: float) -> int:
    """The last snapped line up to `stop`, finer if less than a quarter of the lines would stay."""
    grain = _grain(tokens)
    while grain > 1 and stop % grain > (stop - line) * 3 / 4:
        grain //= 2
    return stop - stop % grain


def _part_of_line(text: str, line: Window, offset: int, typed: int, budget: int, count: Count) -> Window:
    """As much of an overlong line around the cursor as fits."""
    most = _LONGEST_TOKEN * max(budget, 1)
    head = text[max(line.start, offset - typed - most) : offset - typed]
    tail = text[offset : min(line.stop, offset + most)]
    before = _longest(len(head), lambda size: count(head[len(head) - size :]) <= _PREFIX_SHARE * budget)
    left = budget - count(head[len(head) - before :])
    after = _longest(len(tail), lambda size: count(tail[:size]) <= left)
    left = budget - count(tail[:after])
    before = max(before, _longest(len(head), lambda size: count(head[len(head) - size :]) <= left))
    return Window(offset - typed - before, offset + after)


def _longest(size: int, fits: Callable[[int], bool]) -> int:
    """The largest size that fits, by bisection; 0 always does. No size is tried that is far above what fits."""
    low, high = 0, min(size, _FIRST_SIZE)
    while high < size and fits(high):
        low, high = high, min(size, 2 * high)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
