"""Open notebooks: the cells of each in their order, joined to one text for whoever reads more than a cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import takewhile

from lsprotocol import types

from guiderail.lsp.buffer import Buffer
from guiderail.monitors.lex_state import lex_state
from guiderail.text.document import Document
from guiderail.text.languages.table import LEXICONS, PYTHON_STATEMENTS

MOST_CELLS = 1000  # on each side of one that are looked at
MOST_CHARACTERS = 500_000  # of the cells on each side that are joined with one
# What IPython takes and Python does not, unlike ``% b`` and ``!= b`` at the beginning of a line in brackets. A cell in
# which other code follows is left out.
_MAGIC = re.compile(r"(?m)^([ \t]*)(?:%(?=[%\w])|!(?!=)|\?)")
_OTHER_LANGUAGE = re.compile(r"\s*%%(?!time|capture|prun|memit|mprun|lprun)")

Readable = Callable[[Buffer], bool]


@dataclass
class Notebook:
    """An open notebook: the URIs of its code cells, in order."""

    uri: str
    cells: list[str] = field(default_factory=list)

    def splice(self, start: int, count: int, cells: Iterable[str]) -> None:
        """Replace a run of cells."""
        self.cells[max(0, start) : max(0, start) + max(0, count)] = cells


class Notebooks:
    """The open notebooks of one client.

    Parameters
    ----------
    buffers
        The client's open documents by URI, cells among them.
    """

    def __init__(self, buffers: dict[str, Buffer]) -> None:
        self._buffers = buffers
        self._open: dict[str, Notebook] = {}

    def open(self, uri: str, cells: Sequence[types.NotebookCell]) -> None:
        """A notebook was opened."""
        self._open[uri] = Notebook(uri, [cell.document for cell in cells])

    def get(self, uri: str) -> Notebook | None:
        """An open notebook."""
        return self._open.get(uri)

    def close(self, uri: str) -> None:
        """A notebook was closed."""
        self._open.pop(uri, None)

    def around(self, buffer: Buffer, is_readable: Readable) -> Surrounding:
        """What stands above and below a document; nothing unless it is a cell.

        Of the other cells those of the same language that may be read.
        """
        notebook = next((one for one in self._open.values() if buffer.uri in one.cells), None)
        if notebook is None:
            return Surrounding()
        at = notebook.cells.index(buffer.uri)
        above = notebook.cells[max(0, at - MOST_CELLS) : at][::-1]
        below = notebook.cells[at + 1 : at + 1 + MOST_CELLS]
        texts = [list(_within(self._texts(cells, buffer, is_readable))) for cells in (above, below)]
        return Surrounding("".join(f"{text}\n" for text in reversed(texts[0])), "".join(f"\n{t}" for t in texts[1]))

    def _texts(self, cells: Sequence[str], buffer: Buffer, is_readable: Readable) -> Iterator[str]:
        """The texts of the cells that go with one, as analysers take them."""
        for uri in cells:
            other = self._buffers.get(uri)
            if other is None or other.language != buffer.language or not is_readable(other):
                continue
            text = other.document.text
            is_python = buffer.language in PYTHON_STATEMENTS
            if is_python and _OTHER_LANGUAGE.match(text):
                continue
            text = as_python(text) if is_python else text
            if _is_closed(text, buffer.language or ""):
                yield text


@dataclass(frozen=True, slots=True)
class Surrounding:
    """The text of a notebook above a cell and below it, with the line breaks in between."""

    above: str = ""
    below: str = ""

    def around(self, document: Document) -> Document:
        """The whole text; a cell's magic commands are comments in it, of the same length."""
        if not self.above and not self.below:
            return document
        own = as_python(document.text) if document.language in PYTHON_STATEMENTS else document.text
        return replace(document, text=self.above + own + self.below)


def as_python(text: str) -> str:
    """A cell whose magic commands are comments; every character keeps its place."""
    return _MAGIC.sub(r"\1#", text)


@lru_cache(2 * MOST_CELLS)
def _is_closed(text: str, language: str) -> bool:
    """Whether a cell closes its strings, brackets and last line: what it leaves open would swallow the next cells."""
    if language not in LEXICONS:
        return True
    state = lex_state(f"{text}\n", language)
    return not (state.in_string_or_comment or state.open_brackets or text.rstrip(" \t").endswith("\\"))


def _within(texts: Iterator[str]) -> Iterator[str]:
    """The first texts, as many as `MOST_CHARACTERS` hold."""
    sizes = 0

    def fits(text: str) -> bool:
        nonlocal sizes
        sizes += len(text) + 1
        return sizes <= MOST_CHARACTERS

    return takewhile(fits, texts)
