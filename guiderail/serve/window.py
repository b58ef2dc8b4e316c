"""Puts the part of a text that a client sends into the file that it comes from.

Clients send a window around the cursor, and of a file that was edited since it was saved. Far from the cursor its lines
must be the file's, from the window's beginning on and up to its end. In one piece around the cursor they may differ, as
far as the rest still says which file it is.

Where nothing follows the cursor, nothing says that the file's lines there were deleted: a new text with the same
beginning would be the file too. Then the file has to end where the window does, and comments, such as a licence, are no
evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

REACH = 60  # lines at either end of the window in which a line is looked for that the file has once
SHARE = 0.6  # of the window's lines that must be the file's
EVIDENCE = 40  # characters of lines in common, where the window is not the whole file
LEAST = 8  # the same, where it is
NEWEST = 2  # lines after the one that the file has in part, where the client says nothing of what follows
ANCHORS = 3  # lines of a window of which a file must hold one to be compared at all
_COMMENTS = ("#", "//", "*", "--", ";", "%", '"""', "'''")


@dataclass(frozen=True)
class Placed:
    """A window in its file.

    Parameters
    ----------
    head, tail
        The file's text before and after the window.
    differing
        Lines that only one of the two has, the cursor's line left out.
    """

    head: str
    tail: str
    differing: int


@dataclass(frozen=True)
class Window:
    """The text around a cursor.

    Parameters
    ----------
    before, after
        The text, with line feeds.
    is_open
        Whether what follows the cursor is not known: the client sent no text for it, not even an empty one.
    """

    before: str
    after: str
    is_open: bool = False

    @cached_property
    def above(self) -> list[str]:
        """The lines above the cursor's; the first may lack its beginning."""
        return self.before.split("\n")[:-1]

    @cached_property
    def below(self) -> list[str]:
        """The lines below the cursor's; the last may lack its end."""
        return self.after.split("\n")[1:]

    @cached_property
    def size(self) -> int:
        """How many lines say something."""
        return _said((*self.above, *self.below))

    @cached_property
    def anchors(self) -> list[str]:
        """The longest lines, whole ones as far as there are any: a file without all of them is another one."""
        whole = [line for line in (*self.above[1:], *self.below[:-1]) if line.strip()]
        return sorted(whole or filter(str.strip, (*self.above, *self.below)), key=len, reverse=True)[:ANCHORS]

    @cached_property
    def here(self) -> str:
        """The cursor's line."""
        return self.before.rpartition("\n")[2] + self.after.partition("\n")[0]

    def is_in(self, text: str) -> bool:
        """Whether a file is worth a comparison."""
        return any(line in text for line in self.anchors)

    def place(self, text: str) -> Placed | None:
        """The window in a file's text; None if it is not from there, or not surely."""
        lines = text.split("\n")
        once = _once(lines)
        start = _start(self.above, lines, once)
        if self.is_open and start is not None:
            return self._continued(lines, start)
        end = _end(self.below, lines, once)
        if start is None or end is None or start.line > end.line or start.anchor >= end.anchor:
            return None
        inside, below = _ended(self._inside(lines, start, end)), _ended(self.below)
        top = _common(self.above, inside)
        bottom = _common(below[::-1], inside[top:][::-1])
        same = [*self.above[:top], *below[len(below) - bottom :]]
        ours, theirs = self.size - _said(same), _said(inside[top : len(inside) - bottom])
        is_whole = not start.text and not end.text and ours == 0 and theirs <= 1  # which may be the cursor's line
        most = (1 - SHARE) * self.size
        if _said(self.below):
            is_near, evidence = theirs <= most + 1, same
        else:
            is_near, evidence = self._is_end(inside[top:], top), _code(same)
        if ours > most or not is_near or sum(map(len, evidence)) < (LEAST if is_whole else EVIDENCE):
            return None
        return Placed(start.text, end.text, ours + theirs)

    def _is_end(self, rest: list[str], top: int) -> bool:
        """Whether the lines that the file still has are no more than an earlier state of the one that is typed."""
        said = [line for line in rest if line.strip()]
        ours = next(filter(str.strip, (*self.above, self.here)[top:]), "")
        if len(said) != 1:
            return not said
        if _said(self.above[top:]):
            return ours.startswith(said[0])
        first = len(said[0]) - len(said[0].lstrip()) + 1
        return not ours or ours[:first] == said[0][:first]

    def _continued(self, lines: list[str], start: _Edge) -> Placed | None:
        """The window of which only the beginning is known: the file goes on after it, if it is surely the file's."""
        theirs = lines[start.line :]
        if start.text:
            theirs[0] = self.above[0]
        top = _common(self.above, theirs)
        new, rest = self.above[top:], theirs[top:]
        if _said(rest):
            taken = self._taken(new, rest[0])
            if taken is None:
                return None
            rest = rest[taken:]
        ours, is_whole = _said(new), not start.text and not _said(rest) and not _said(new)
        enough = LEAST if is_whole else EVIDENCE
        # A beginning that many files could have says little of what follows.
        if ours > (1 - SHARE) * self.size or _said(rest) > self.size or sum(map(len, _code(self.above[:top]))) < enough:
            return None
        return Placed(start.text, "".join(f"\n{line}" for line in rest), ours)

    def _taken(self, new: list[str], line: str) -> int | None:
        """How many lines of the file, 0 or 1, the new ones stand for; None if that is not sure."""
        if new:
            is_sure = bool(line.strip()) and new[0].startswith(line) and _said(new) <= 1 + NEWEST
            return 1 if is_sure else None
        if not self.here.strip() or not line.strip():
            return 0 if line.strip() else 1
        return 1 if line.startswith(self.here) or self.here.startswith(line) else None

    def _inside(self, lines: list[str], start: _Edge, end: _Edge) -> list[str]:
        """The file's lines in the window; of those at its edges the part that is inside."""
        inside = lines[start.line : end.line + 1]
        if start.text:
            inside[0] = self.above[0]
        if end.text:
            inside[-1] = self.below[-1]
        return inside


def _said(lines: Iterable[str]) -> int:
    """How many lines say something."""
    return sum(1 for line in lines if line.strip())


def _code(lines: Iterable[str]) -> list[str]:
    """The lines without comments, as far as these begin with their line, in whichever language."""
    found, is_inside = [], False
    for line in map(str.strip, lines):
        is_inside = is_inside or line.startswith(("/*", "<!--"))
        if not is_inside and not line.startswith(_COMMENTS):
            found.append(line)
        is_inside = is_inside and not line.endswith(("*/", "-->"))
    return found


def _ended(lines: list[str]) -> list[str]:
    """The lines up to the last one that says something."""
    return lines[: max((index + 1 for index, line in enumerate(lines) if line.strip()), default=0)]


def _common(ours: list[str], theirs: list[str]) -> int:
    """How many lines are the same from the beginning on."""
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((index for index, (one, other) in pairs if one != other), min(len(ours), len(theirs)))


@dataclass(frozen=True)
class _Edge:
    """Where a window begins or ends in a file.

    Parameters
    ----------
    line
        Its outermost line in the file.
    anchor
        The line by which it was found.
    text
        The file's text outside.
    """

    line: int
    anchor: int
    text: str


def _once(lines: list[str]) -> dict[str, int]:
    """The lines that a file has once and that say something, with their places."""
    counts = Counter(lines)
    return {line: index for index, line in enumerate(lines) if counts[line] == 1 and line.strip()}


def _start(above: list[str], lines: list[str], once: dict[str, int]) -> _Edge | None:
    """Where a window begins; None if that is not sure."""
    if not any(line.strip() for line in above):
        return _Edge(0, -1, "")
    for index in _whole_first(range(len(above))):
        place = once.get(above[index])
        if place is None or place < index:
            continue
        first = place - index
        if lines[first + 1 : place] == above[1:index] and lines[first].endswith(above[0]):
            outside = lines[first][: len(lines[first]) - len(above[0])]
            return _Edge(first, place, "\n".join([*lines[:first], outside]))
    return None if any(line in once for line in above) else _Edge(0, -1, "")  # all of it is new


def _end(below: list[str], lines: list[str], once: dict[str, int]) -> _Edge | None:
    """Where a window ends; None if that is not sure."""
    final = len(lines) - 1
    if not any(line.strip() for line in below):
        return _Edge(final, len(lines), "")
    for index in _whole_first(range(len(below) - 1, -1, -1)):
        place = once.get(below[index])
        if place is None:
            continue
        last = place + len(below) - 1 - index
        if last > final:  # right where these are line feeds that the client adds
            if any(line.strip() for line in below[final - last :]):
                continue
            return _Edge(final, place, "")
        if lines[place + 1 : last] == below[index + 1 : -1] and lines[last].startswith(below[-1]):
            return _Edge(last, place, "\n".join([lines[last][len(below[-1]) :], *lines[last + 1 :]]))
    return None


def _whole_first(indices: range) -> list[int]:
    """The lines to look at from a window's edge inwards; the outermost, which may be a part of one, comes last."""
    return [*indices[1:REACH], *indices[:1]]
