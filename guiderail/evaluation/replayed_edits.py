"""Cursors in lines that a release of a package added, with what else it changed: true edits, replayed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from guiderail.evaluation.function_bodies import body_lines
from guiderail.evaluation.packages import LARGEST, parses

MOST_LINES = 5000  # of a file that is compared


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that were added together; `text` ends with a line break."""

    path: str
    first: int
    text: str


@dataclass(frozen=True, slots=True)
class EditCursor:
    """A cursor in an added line.

    Parameters
    ----------
    package, path
        Whose file it is, and where in it.
    prefix, truth, suffix
        The file: what is before the cursor, the rest of the line, and what follows.
    edits
        What was added to other files.
    """

    package: str
    path: str
    prefix: str
    truth: str
    suffix: str
    edits: Sequence[Hunk]


def hunks(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, list[Hunk]]:
    """What was added to the files that are in both releases, by path."""
    found = {}
    for path in sorted(old.keys() & new.keys()):
        if old[path] != new[path] and (added := list(_added(path, old[path], new[path]))):
            found[path] = added
    return found


def _added(path: str, old: str, new: str) -> Iterator[Hunk]:
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if max(len(before), len(after)) > MOST_LINES:
        return
    for tag, _, _, first, last in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        text = "".join(after[first:last])
        if tag in {"insert", "replace"} and text.strip():
            yield Hunk(path, first, text if text.endswith("\n") else f"{text}\n")


def draw(package: str, old: Mapping[str, str], new: Mapping[str, str], count: int, seed: int) -> list[EditCursor]:
    """Up to `count` cursors in added lines of function bodies of Python, each at a random character."""
    rng = random.Random(f"{seed}:edits:{package}")
    added = hunks(old, new)
    places = []
    for path, own in added.items():
        text = new[path]
        if len(text) > LARGEST or "\r" in text or not parses(text):
            continue
        rows = {row for one in own for row in range(one.first, one.first + one.text.count("\n"))}
        number = {start: row for row, start in enumerate(_line_starts(text))}
        places += [
            (path, *span) for span in body_lines(text, "python") if number[_line_start(text, span.start)] in rows
        ]
    rng.shuffle(places)
    return [_cursor(package, new, place, added, rng) for place in places[:count]]


def _cursor(
    package: str,
    new: Mapping[str, str],
    place: tuple[str, int, int],
    added: Mapping[str, Sequence[Hunk]],
    rng: random.Random,
) -> EditCursor:
    path, start, end = place
    text, cut = new[path], rng.randrange(start, end)
    others = [one for other, own in added.items() if other != path for one in own]
    return EditCursor(package, path, text[:cut], text[cut:end], text[end:], others)


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1
