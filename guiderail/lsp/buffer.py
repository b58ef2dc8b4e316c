"""One open document: the client's text, kept by our own hand.

pygls keeps a text too, but splits lines at form feeds and U+2028, which the protocol does not, and so corrupts the
text at the first edit after one. The index of line starts is mended around each edit, not made anew.
"""

import re
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
from lsprotocol import types
from pygls.uris import to_fs_path

from guiderail.errors import UsageError
from guiderail.text.document import Document
from guiderail.text.edit import Edit
from guiderail.text.language import language_named, language_of
from guiderail.text.positions import Encoding, to_column, to_units

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
FIRST_HALF, LAST_HALF = 0xD800, 0xDFFF  # surrogates

Change = types.TextDocumentContentChangePartial | types.TextDocumentContentChangeWholeDocument


class Buffer:
    """An open document.

    Parameters
    ----------
    uri, language, text, version
        As the client opened it.
    encoding
        What the client's columns count.

    Attributes
    ----------
    cursor
        Offset after the last edit: where the person probably is.
    lost
        Whether the text may differ from the client's, a change of which could not be read or applied.
    """

    def __init__(self, uri: str, language: str, text: str, version: int, encoding: Encoding) -> None:
        self.uri = uri
        self.path = path_of(uri)
        self.language = _known_language(language, self.path, text)
        # A cell is no notebook's file: analysers and the model go by a name's ending.
        is_cell = self.path is not None and self.path.suffix == ".ipynb" and not uri.startswith("file:")
        self._place = self.path.with_name(f"{self.path.name}.py") if self.path and is_cell else self.path
        self.version = version
        self.encoding: Encoding = encoding
        self.cursor = 0
        self.lost = False
        self._set(text)

    @property
    def text(self) -> str:
        """The text now."""
        return self._text

    @property
    def line_ending(self) -> str:
        """What ends the first line."""
        return self._text[self._line_stop(0) : self._starts[1]] if len(self._starts) > 1 else "\n"

    @property
    def document(self) -> Document:
        """The text now, for the rooms below.

        A lone surrogate, which no tokenizer and no analyser takes, is U+FFFD there: as wide in every encoding.
        """
        if self._document is None:
            text = _without_halves(self._text) if self._has_halves else self._text
            starts = array("q", self._starts.tobytes())
            self._document = Document.with_lines(text, starts, self._place, self.language)
        return self._document

    def apply(self, changes: Sequence[Change], version: int | None = None) -> None:
        """Apply the changes of one message, each to the text that the one before left.

        A message that is older than the last one, or a place inside a character, makes the document `lost`. So do two
        halves of a character that meet, unless columns count UTF-16, where it is as wide as its halves: they join.
        """
        for _ in self.apply_stepwise(changes, version):
            pass

    def apply_stepwise(self, changes: Sequence[Change], version: int | None = None) -> Iterator[None]:
        """As `apply`, one change at each step: each copies the text, and thousands of them take their time."""
        whole = [index for index, change in enumerate(changes) if _is_whole(change)]
        self.lost = not whole and (self.lost or (version is not None and version < self.version))
        if version is not None:
            self.version = version
        for change in changes[whole[-1] :] if whole else changes:
            edit = None if self.lost else self._edit(change)
            if edit is None:
                self.lost = True
                break
            self._apply(edit)
            yield

    def offset(self, position: types.Position) -> int:
        """Offset of a position; one after its line is the line's end, one after the last line the text's end."""
        if position.line >= len(self._starts):
            return len(self._text)
        start, units = int(self._starts[position.line]), max(position.character, 0)
        stop = min(self._line_stop(position.line), start + units)  # no character is narrower than a unit
        return start + to_column(self._text[start:stop], units, self.encoding)

    def position(self, offset: int) -> types.Position:
        """Position of an offset of the text."""
        line = self._lines_until(offset) - 1
        start, stop = int(self._starts[line]), min(self._line_stop(line), offset)
        return types.Position(line, to_units(self._text[start:stop], offset - start, self.encoding))

    def _set(self, text: str) -> None:
        if self.encoding == "utf-16" and _has_halves(text):
            text = _joined(text)
        self._text = text
        self._has_halves = _has_halves(text)
        self._starts = _line_starts(text)
        self._document: Document | None = None

    def _edit(self, change: Change) -> Edit | None:
        """A change as an edit of the text now; None if the text would not be the client's after it."""
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            return Edit(0, len(self._text), _joined(change.text) if self.encoding == "utf-16" else change.text)
        if self._is_inside(change.range.start) or self._is_inside(change.range.end):
            return None
        start, end = self.offset(change.range.start), self.offset(change.range.end)
        return self._closing(Edit(min(start, end), max(start, end), change.text))

    def _closing(self, edit: Edit) -> Edit | None:
        """An edit that joins the halves of characters which meet by it; None if nobody knows what that means.

        A half that stands alone came as half an escape of JSON, or as bytes that are no UTF-8. Where columns count
        UTF-16, a whole character is as wide as its halves. In UTF-8 it has four bytes and they have six, in UTF-32 it
        is one and they are two: a client that keeps UTF-16 has one character now, a client that keeps bytes has not.
        """
        start, end, text = edit.start, edit.end, edit.text
        before, after = self._text[max(0, start - 1) : start], self._text[end : end + 1]
        if _PAIR.match(before + (text + after)[:1]):
            start, text = start - 1, before + text
        if _PAIR.match(text[-1:] + after):
            end, text = end + 1, text + after
        if not _PAIR.search(text):
            return edit
        return Edit(start, end, _joined(text)) if self.encoding == "utf-16" else None

    def _is_inside(self, position: types.Position) -> bool:
        """Whether a position is between the units of one character: no text of ours can follow an edit there."""
        offset = self.offset(position)
        at = self.position(offset)
        return at.line == position.line and at.character < position.character and offset < self._line_stop(at.line)

    def _apply(self, edit: Edit) -> None:
        if edit.end - edit.start == len(self._text):
            self._set(edit.text)
        else:
            self._splice(edit)
        self.cursor = edit.start + len(edit.text)

    def _splice(self, edit: Edit) -> None:
        """Apply an edit and find the lines of its neighbourhood again."""
        first = self._lines_until(edit.start) - 1
        if first and self._starts[first] == edit.start and self._text[edit.start - 1] == "\r":
            first -= 1  # a line feed written here would join the carriage return before it
        after = self._lines_until(edit.end)
        shift = len(edit.text) - (edit.end - edit.start)
        self._text, old = edit.apply(self._text), self._starts
        # Only looked for in what comes new: a long text is not read again at each key stroke.
        self._has_halves |= _has_halves(edit.text)
        begin = int(old[first])
        end = int(old[after]) + shift if after < len(old) else len(self._text)
        inner = _line_starts(self._text[begin:end]) + begin
        if after < len(old) and inner[-1] == end:
            inner = inner[:-1]  # stands in the tail already
        self._starts = np.concatenate((old[:first], inner, old[after:] + shift))
        self._document = None

    def _lines_until(self, offset: int) -> int:
        """How many lines begin up to an offset, it included."""
        return int(np.searchsorted(self._starts, offset, side="right"))

    def _line_stop(self, line: int) -> int:
        """Offset after a line's last character, before its end."""
        if line + 1 == len(self._starts):
            return len(self._text)
        start, stop = int(self._starts[line]), int(self._starts[line + 1])
        return stop - (2 if self._text.endswith("\r\n", start, stop) else 1)


def _joined(text: str) -> str:
    """A text without two halves of a character side by side."""
    return _PAIR.sub(lambda pair: pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le"), text)


def _is_whole(change: Change) -> bool:
    return isinstance(change, types.TextDocumentContentChangeWholeDocument)


def _has_halves(text: str) -> bool:
    """Whether there is a lone surrogate in a text; encoding finds it ten times as fast as a pattern."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _without_halves(text: str) -> str:
    """The text with U+FFFD for each lone surrogate."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").copy()
    codes[(codes >= FIRST_HALF) & (codes <= LAST_HALF)] = 0xFFFD
    return codes.tobytes().decode("utf-32-le")


def _line_starts(text: str) -> "np.ndarray":
    """Offsets of the first character of each line, int64."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    is_end, feeds = codes == 10, np.append(codes[1:] == 10, False)
    is_end |= (codes == 13) & ~feeds
    return np.concatenate((np.zeros(1, np.int64), np.flatnonzero(is_end) + 1))


def path_of(uri: str) -> Path | None:
    """Where a document is on this machine; None for one that is nowhere (untitled:, a remote, a diff).

    A notebook's cell is where its notebook is.
    """
    try:
        parts = urlsplit(uri)
        if parts.scheme == "file":
            path = to_fs_path(uri)
        else:
            path = unquote(parts.path) if parts.scheme == "vscode-notebook-cell" else None
    except ValueError:
        return None
    return Path(path) if path and "\0" not in path and Path(path).is_absolute() else None


def _known_language(name: str, path: Path | None, text: str) -> str | None:
    """The client's word for the language, else what the name or the first line says."""
    try:
        return language_named(name)
    except UsageError:
        return name or language_of(path, text[:200].split("\n", 1)[0])
