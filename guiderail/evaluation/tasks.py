"""Where a model is asked: cursor positions and texts, drawn from source files by a seeded rule.

A draw depends on the seed, the package and the kind of task alone, so that adding a package to the manifest moves no
other package's tasks.
"""

from __future__ import annotations

import ast
import random
import warnings
from collections.abc import Iterator, Sequence
from typing import Literal

from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.task import Task, cut_out
from guiderail.text.document import Document

Kind = Literal["next_line", "fim_line"]
KINDS: tuple[Kind, ...] = ("next_line", "fim_line")


def spread(count: int, names: Sequence[str]) -> dict[str, int]:
    """Share `count` among the names as evenly as it goes, earlier names first."""
    each, more = divmod(count, len(names))
    return {name: each + (index < more) for index, name in enumerate(names)}


def draw_lines(files: Sequence[SourceFile], kind: Kind, count: int, seed: int) -> list[Task]:
    """`count` rests of lines of one package's function bodies, no two alike; fewer if there are not so many lines.

    next_line: the cursor is where the line's content begins, and what follows is not shown.
    fim_line: the cursor is inside the content, at a random character, and the lines that follow are shown.

    Every eligible line is as likely as any other.
    """
    rng = random.Random(f"{seed}:{kind}:{files[0].package}")
    places = [(file, *line) for file in files for line in body_lines(file.text)]
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
    shorter one ended. Those inside f-strings are left out: ast gave no columns for them before Python 3.12.
    """
    places = [(file, start) for file in files for start in _attributes(file.text)]
    random.Random(f"{seed}:dereference:{files[0].package}").shuffle(places)
    chosen = sorted(places[:count], key=lambda place: (place[0].path, place[1]))
    return [rest_of_line(file, "dereference", start) for file, start in chosen]


def rest_of_line(file: SourceFile, kind: str, start: int) -> Task:
    """The task to write the rest of the line after `start`."""
    return cut_out(file, kind, start, start + len(file.text[start:].partition("\n")[0]))


def _attributes(text: str) -> Iterator[int]:
    """Where the names after dots begin, code points."""
    document = Document(text)
    for node in ast.walk(_tree(text)):
        if isinstance(node, ast.Attribute) and node.end_lineno and node.end_col_offset is not None:
            line = document.line_text(node.end_lineno - 1).encode()
            end = document.line_start(node.end_lineno - 1) + len(line[: node.end_col_offset].decode(errors="replace"))
            start = end - len(node.attr)
            if text[start:end] == node.attr:
                yield start


def draw_texts(files: Sequence[SourceFile], count: int, limit: int, seed: int) -> list[SourceFile]:
    """`count` of a package's files, each cut at the end of the line that passes `limit` characters."""
    rng = random.Random(f"{seed}:text:{files[0].package}")
    chosen = rng.sample(list(files), min(count, len(files)))
    return [SourceFile(f.package, f.path, cut_at_line(f.text, limit)) for f in chosen]


def cut_at_line(text: str, limit: int) -> str:
    """At most `limit` characters and the rest of the line."""
    end = text.find("\n", limit)
    return text if end < 0 else text[: end + 1]


def body_lines(text: str) -> list[tuple[int, int]]:
    """Start and end (offsets) of the content of every line inside a function's body that is worth asking for.

    Left out: docstrings, the inside of other strings of several lines, comments, and lines without a letter or digit.
    """
    inside, outside = set[int](), set[int]()
    for node in ast.walk(_tree(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside.update(range(node.lineno + 1, (node.end_lineno or 0) + 1))
            outside.update(range(node.lineno, node.body[0].lineno))
            outside.update(_docstring(node))
        elif isinstance(node, ast.Constant | ast.JoinedStr):
            outside.update(range(node.lineno + 1, (node.end_lineno or 0) + 1))
    found, start = [], 0
    # ast counts lines as the tokenizer does: \n alone here, since the builder keeps no \r; form feeds end none
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.strip()
        if number in inside - outside and not content.startswith("#") and _is_worth_asking(content):
            begin = start + len(line) - len(line.lstrip())
            found.append((begin, begin + len(content)))
        start += len(line) + 1
    return found


def function_bodies(text: str) -> list[tuple[int, int]]:
    """Where the bodies of functions begin, after their docstrings, and end: offsets of whole lines."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    found = []
    for node in ast.walk(_tree(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first, last = node.body[0], node.body[-1]
            above = first.end_lineno if ast.get_docstring(node, clean=False) is not None else first.lineno - 1
            if above and last.end_lineno and node.lineno <= above < last.end_lineno:
                found.append((starts[above], min(starts[last.end_lineno], len(text))))
    return sorted(set(found))


def _tree(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> range:
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return range(first.lineno, (first.end_lineno or 0) + 1)
    return range(0)


def _is_worth_asking(content: str) -> bool:
    return len(content) > 1 and any(c.isalnum() for c in content)
