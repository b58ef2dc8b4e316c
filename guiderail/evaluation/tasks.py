"""Where a model is asked: cursor positions and texts, drawn from source files by a seeded rule.

A draw depends on the seed, the package and the kind of task alone, so that adding a package to the manifest moves no
other package's tasks.
"""

from __future__ import annotations

import ast
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from guiderail.evaluation.packages import SourceFile

Kind = Literal["next_line", "fim_line"]
KINDS: tuple[Kind, ...] = ("next_line", "fim_line")


@dataclass(frozen=True, slots=True)
class LineTask:
    """A cursor in a line of a function's body; the truth is the rest of that line.

    next_line: the cursor stands where the line's content begins, and what follows is not shown.
    fim_line: the cursor stands inside the content, at a random character, and the lines that follow are shown.

    Parameters
    ----------
    file
        The file as it is.
    start, end
        The truth is `file.text[start:end]`, code points; `end` is the line's end.
    """

    kind: Kind
    file: SourceFile
    start: int
    end: int

    @property
    def prefix(self) -> str:
        """The text before the cursor."""
        return self.file.text[: self.start]

    @property
    def truth(self) -> str:
        """What stands there."""
        return self.file.text[self.start : self.end]

    @property
    def suffix(self) -> str:
        """What the model is shown after the cursor."""
        return self.file.text[self.end :] if self.kind == "fim_line" else ""

    def completed(self, text: str) -> str:
        """The whole file with `text` in place of the truth."""
        return self.file.text[: self.start] + text + self.file.text[self.end :]


def spread(count: int, names: Sequence[str]) -> dict[str, int]:
    """Share `count` among the names as evenly as it goes, earlier names first."""
    each, more = divmod(count, len(names))
    return {name: each + (index < more) for index, name in enumerate(names)}


def draw_lines(files: Sequence[SourceFile], kind: Kind, count: int, seed: int) -> list[LineTask]:
    """`count` tasks from one package's files, no two with the same truth; fewer if there are not so many lines.

    Every eligible line is as likely as any other.
    """
    rng = random.Random(f"{seed}:{kind}:{files[0].package}")
    places = [(file, *line) for file in files for line in body_lines(file.text)]
    rng.shuffle(places)
    tasks: dict[str, LineTask] = {}
    for file, start, end in places if count else ():
        cut = start if kind == "next_line" else rng.randrange(start + 1, end)
        task = LineTask(kind, file, cut, end)
        tasks.setdefault(task.truth, task)
        if len(tasks) == count:
            break
    return list(tasks.values())


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    inside, outside = set[int](), set[int]()
    for node in ast.walk(tree):
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


def _docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> range:
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return range(first.lineno, (first.end_lineno or 0) + 1)
    return range(0)


def _is_worth_asking(content: str) -> bool:
    return len(content) > 1 and any(c.isalnum() for c in content)


def by_package(files: Sequence[SourceFile]) -> Mapping[str, list[SourceFile]]:
    """The files of each package, in order."""
    grouped: dict[str, list[SourceFile]] = {}
    for file in files:
        grouped.setdefault(file.package, []).append(file)
    return grouped
