"""Texts before and after an edit, with a line to complete after it.

The three tasks of PIE (arXiv 2407.03157, section 5.1) and three that it does not have, in which the line to complete
uses what was edited. What the model sees after the edit is always the file as it is; the text before the edit is made
from it, so that the truth is the same whatever is done to the cache.
"""

from __future__ import annotations

import builtins
import keyword
import random
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from guiderail.evaluation import jdk_sources
from guiderail.evaluation.function_bodies import body_lines
from guiderail.evaluation.packages import SourceFile
from guiderail.text.language import language_of

# Lines at the end of a window that are never edited: an edit right at the cursor is no test of a cache.
NEAR = 4
MOST_LINES = 3
PLACES = 3
ATTEMPTS = 40

_NAME = re.compile(r"[A-Za-z_]\w{2,}")
_VALUE = re.compile(r"(?<![\w.])\d{2,}(?![\w.])|'[^'\\\n]{2,30}'|\"[^\"\\\n]{2,30}\"")
_KNOWN = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"self", "cls"} | jdk_sources.KEYWORDS


@dataclass(frozen=True, slots=True)
class Revision:
    """An edit before a cursor.

    Parameters
    ----------
    task, package, path
        What kind of edit, and where it is.
    context
        Tokens that the window was to have.
    before, after
        The text before the cursor, before and after the edit.
    truth
        The rest of the cursor's line.
    """

    task: str
    package: str
    path: str
    context: int
    before: str
    after: str
    truth: str

    @property
    def language(self) -> str:
        """Of the file."""
        return language_of(self.path) or ""


@dataclass(frozen=True, slots=True)
class _Place:
    """A window of a file before a cursor, the line that follows, and the lines after it to borrow from."""

    window: str
    truth: str
    donors: Sequence[str]


def insertion(place: _Place, rng: random.Random) -> str | None:
    """The window before a few of its lines were written."""
    lines = place.window.splitlines(keepends=True)
    start, count = _some_lines(lines, rng)
    return "".join(lines[:start] + lines[start + count :])


def deletion(place: _Place, rng: random.Random) -> str | None:
    """The window before a few foreign lines in it were deleted."""
    lines = place.window.splitlines(keepends=True)
    start, count = _some_lines(lines, rng)
    borrowed = _borrowed(place, count, rng)
    return "".join(lines[:start] + borrowed + lines[start:]) if borrowed else None


def edition(place: _Place, rng: random.Random) -> str | None:
    """The window before edits in several places: lines written, deleted, replaced."""
    text = place.window
    for _ in range(PLACES):
        lines = text.splitlines(keepends=True)
        start, count = _some_lines(lines, rng)
        kept, new = rng.choice(((0, 0), (count, 1), (0, 1)))
        text = "".join(lines[:start] + _borrowed(place, new, rng) + lines[start + count - kept :])
    return text


def rename(place: _Place, rng: random.Random) -> str | None:
    """The window in which a name that the truth uses had another name, everywhere."""
    name = _used_name(place, rng)
    return re.sub(rf"\b{name}\b", _other_name(place, rng), place.window) if name else None


def definition(place: _Place, rng: random.Random) -> str | None:
    """The window in which a name that the truth uses had another name at its first occurrence."""
    name = _used_name(place, rng)
    return re.sub(rf"\b{name}\b", _other_name(place, rng), place.window, count=1) if name else None


def value(place: _Place, rng: random.Random) -> str | None:
    """The window in which a number or text that the truth repeats was another one."""
    shared = sorted({m.group() for m in _VALUE.finditer(place.truth) if m.group() in _editable(place.window)})
    others = sorted({m.group() for line in place.donors for m in _VALUE.finditer(line)} - set(shared))
    if not shared or not others:
        return None
    chosen = rng.choice(shared)
    alike = [other for other in others if other[0].isdigit() == chosen[0].isdigit()]
    return place.window.replace(chosen, rng.choice(alike)) if alike else None


TASKS: dict[str, Callable[[_Place, random.Random], str | None]] = {
    "insertion": insertion,
    "deletion": deletion,
    "edition": edition,
    "rename": rename,
    "definition": definition,
    "value": value,
}


def draw(
    files: Sequence[SourceFile], task: str, count: int, tokens: int, seed: int, size: Callable[[str], int]
) -> list[Revision]:
    """Up to `count` revisions from one package's files, each with a window of about `tokens` before the cursor.

    `size` counts the tokens of a line.
    """
    rng = random.Random(f"{seed}:{task}:{tokens}:{files[0].package}")
    found: list[Revision] = []
    for file in rng.sample(list(files), len(files)):
        if len(found) == count:
            break
        if len(file.text) < tokens:  # a token has more than one character
            continue
        for place in _places(file, tokens, rng, size):
            before = TASKS[task](place, rng)
            if before is not None and before != place.window:
                found.append(Revision(task, file.package, file.path, tokens, before, place.window, place.truth))
                break
    return found


def _places(file: SourceFile, tokens: int, rng: random.Random, size: Callable[[str], int]) -> Iterator[_Place]:
    """Random places of a file with so many tokens before them."""
    lines = file.text.splitlines(keepends=True)
    upto, at = [0], [0]
    for line in lines:
        upto.append(upto[-1] + size(line))
        at.append(at[-1] + len(line))
    lines_of_bodies = body_lines(file.text, file.language)
    far = [(start, end) for start, end in lines_of_bodies if upto[bisect_right(at, start) - 1] > tokens]
    for start, end in rng.sample(far, min(ATTEMPTS, len(far))):
        row = bisect_right(at, start) - 1
        begin = at[bisect_left(upto, upto[row] - tokens)]
        place = _Place(file.text[begin:start], file.text[start:end], file.text[end:].splitlines(keepends=True)[1:])
        if place.window.count("\n") > 2 * (NEAR + MOST_LINES):
            yield place


def _some_lines(lines: Sequence[str], rng: random.Random) -> tuple[int, int]:
    count = rng.randint(1, MOST_LINES)
    return rng.randrange(1, max(2, len(lines) - NEAR - count)), count


def _borrowed(place: _Place, count: int, rng: random.Random) -> list[str]:
    """Consecutive lines after the cursor in the same file."""
    if not count or len(place.donors) < count:
        return []
    start = rng.randrange(len(place.donors) - count + 1)
    return list(place.donors[start : start + count])


def _editable(window: str) -> str:
    """The window without its last lines."""
    return "".join(window.splitlines(keepends=True)[:-NEAR])


def _used_name(place: _Place, rng: random.Random) -> str | None:
    known = set(_NAME.findall(_editable(place.window)))
    names = sorted((set(_NAME.findall(place.truth)) & known) - _KNOWN)
    return rng.choice(names) if names else None


def _other_name(place: _Place, rng: random.Random) -> str:
    """A name of the same file that the window does not have."""
    names = {name for line in place.donors for name in _NAME.findall(line)}
    others = sorted(names - set(_NAME.findall(place.window)) - _KNOWN)
    return rng.choice(others) if others else "previous_name"
