"""What a person does to a file while lines of it are written, replayed: every state of text and cursor.

The lines are the file's own. They are missing at first; they are typed word by word, with a jump to another place of
the file in between, where a line is written too, as one does for an import or a helper.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guiderail.evaluation.function_bodies import body_lines
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.tasks import generator

WRITTEN = 4  # lines at the first place; the jump comes in the middle
AWAY = 30  # lines between the two places
WORD = re.compile(r"\s*(\w+|[^\w\s]+)")


@dataclass(frozen=True, slots=True)
class State:
    """Text and cursor after a word was typed; `truth` is the rest of the line where its content begins, else None."""

    text: str
    offset: int
    truth: str | None = None


def draw(files: Sequence[SourceFile], count: int, seed: int) -> list[list[State]]:
    """Up to `count` traces, each of another file of one package."""
    rng = generator(seed, "trace", files[0].package)
    found: list[list[State]] = []
    for file in rng.sample(list(files), len(files)):
        rows = _rows(file)
        if rows and len(found) < count:
            found.append(list(_typed(file.text, rng.choice(rows))))
    return found


def _rows(file: SourceFile) -> list[int]:
    """The lines at which `WRITTEN` lines of function bodies begin, with enough before them and after."""
    number = {start: row for row, start in enumerate(_line_starts(file.text))}
    body = {number[file.text.rfind("\n", 0, start) + 1] for start, _ in body_lines(file.text, file.language)}
    last = len(number) - 1 - AWAY
    return [row for row in body if AWAY < row < last and all(row + n in body for n in range(WRITTEN))]


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _typed(text: str, first: int) -> Iterator[State]:
    lines = text.split("\n")
    order = [*range(first, first + WRITTEN // 2), first - AWAY, *range(first + WRITTEN // 2, first + WRITTEN)]
    shown: dict[int, str] = {row: line for row, line in enumerate(lines) if row not in order}
    for row in order:
        line = lines[row]
        indent = len(line) - len(line.lstrip())
        for end in [indent, *(match.end() for match in WORD.finditer(line, indent))]:
            shown[row] = line[:end]
            yield _state(shown, row, line[indent:] if end == indent and line.strip() else None)


def _state(shown: dict[int, str], row: int, truth: str | None) -> State:
    before = "\n".join(shown[r] for r in sorted(shown) if r <= row)
    after = "".join("\n" + shown[r] for r in sorted(shown) if r > row)
    return State(before + after, len(before), truth)
