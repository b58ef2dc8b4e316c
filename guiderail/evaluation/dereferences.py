"""Names after dots in true code."""

from __future__ import annotations

import ast
import random
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guiderail.evaluation.packages import SourceFile
from guiderail.text.document import Document


@dataclass(frozen=True, slots=True)
class Dereference:
    """The name after a dot: `file.text[start:end]`."""

    file: SourceFile
    start: int
    end: int

    @property
    def hidden(self) -> str:
        """The file without the rest of the line after the dot, as it is while the line is being written."""
        return self.file.text[: self.start] + self.file.text[self.start + len(self.truth) :]

    @property
    def truth(self) -> str:
        """The rest of the line."""
        return self.file.text[self.start :].partition("\n")[0]


def draw_dereferences(files: Sequence[SourceFile], count: int, seed: int) -> list[Dereference]:
    """Up to `count` of one package, every one as likely as any other; in the order of the files.

    More of them are the same ones and others: a longer run goes on where a shorter one ended.

    Those inside f-strings are left out: ast gave no columns for them before Python 3.12.
    """
    places = [Dereference(file, start, end) for file in files for start, end in _attributes(file.text)]
    random.Random(f"{seed}:dereference:{files[0].package}").shuffle(places)
    return sorted(places[:count], key=lambda one: (one.file.path, one.start))


def _attributes(text: str) -> Iterator[tuple[int, int]]:
    document = Document(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.end_lineno and node.end_col_offset is not None:
            line = document.line_text(node.end_lineno - 1).encode()
            end = document.line_start(node.end_lineno - 1) + len(line[: node.end_col_offset].decode(errors="replace"))
            start = end - len(node.attr)
            if text[start:end] == node.attr:
                yield start, end
