"""Where a model is asked: cursor positions and texts, drawn from source files by a seeded rule.

A draw depends on the seed, the package and the kind of task alone, so that adding a package to the manifest moves no
other package's tasks.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

from guiderail.evaluation.cursor_positions import CursorPositions
from guiderail.evaluation.function_bodies import body_lines
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.task import Task, cut_out

Kind = Literal["next_line", "fim_line"]
KINDS: tuple[Kind, ...] = ("next_line", "fim_line")


def spread(count: int, names: Sequence[str]) -> dict[str, int]:
    """Share `count` among the names as evenly as it goes, earlier names first."""
    each, more = divmod(count, len(names))
    return {name: each + (index < more) for index, name in enumerate(names)}


def generator(seed: int, kind: str, package: str) -> random.Random:
    """What a draw from one package is made with."""
    return random.Random(f"{seed}:{kind}:{package}")


def draw_lines(files: Sequence[SourceFile], kind: Kind, count: int, seed: int) -> list[Task]:
    """`count` rests of lines of one package's function bodies, no two alike; fewer if there are not so many lines.

    next_line: the cursor is where the line's content begins, and what follows is not shown.
    fim_line: the cursor is inside the content, at a random character, and the lines that follow are shown.

    Every eligible line is as likely as any other.
    """
    rng = generator(seed, kind, files[0].package)
    places = [(file, *line) for file in files for line in body_lines(file.text, file.language)]
    rng.shuffle(places)
    tasks: dict[str, Task] = {}
    for file, start, end in places if count else ():
        cut = start if kind == "next_line" else rng.randrange(start + 1, end)
        task = cut_out(file, kind, cut, end, shows_rest=kind == "fim_line")
        tasks.setdefault(task.truth, task)
        if len(tasks) == count:
            break
    return list(tasks.values())


def draw_dereferences(files: Sequence[SourceFile], count: int, seed: int) -> list[Task]:
    """Up to `count` cursors after a dot in one package, in the order of the files; the truth is the rest of the line.

    Every one is as likely as any other. More of them are the same ones and others: a longer run goes on where a
    shorter one ended.
    """
    found = CursorPositions(files, files[0].language)
    places = [(file, place) for file in files for place in found.find(file.path, "dereference")]
    generator(seed, "dereference", files[0].package).shuffle(places)
    chosen = sorted(places[:count], key=lambda place: (place[0].path, place[1]))
    return [cut_out(file, "dereference", *place) for file, place in chosen]


def draw_texts(files: Sequence[SourceFile], count: int, limit: int, seed: int) -> list[SourceFile]:
    """`count` of a package's files, each cut at the end of the line that passes `limit` characters."""
    rng = generator(seed, "text", files[0].package)
    chosen = rng.sample(list(files), min(count, len(files)))
    return [SourceFile(f.package, f.path, cut_at_line(f.text, limit)) for f in chosen]


def cut_at_line(text: str, limit: int) -> str:
    """At most `limit` characters and the rest of the line."""
    end = text.find("\n", limit)
    return text if end < 0 else text[: end + 1]
