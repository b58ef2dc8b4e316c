"""One open document, whose text follows the client's edits.

pygls keeps a text too, but splits lines at form feeds and U+2028, which the protocol does not, and so corrupts the
text at the first edit after one.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lsprotocol import types
from pygls.uris import to_fs_path

from guiderail.errors import UsageError
from guiderail.text.document import Document
from guiderail.text.edit import Edit
from guiderail.text.language import ending_of, language_named, language_of
from guiderail.text.positions import Encoding, code_points, to_column, to_units

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
FIRST_HALF, LAST_HALF = 0xD800, 0xDFFF  # surrogates
LONGEST_PATH = 4096 if os.name == "posix" else 3 * 32_767  # bytes: PATH_MAX; Windows' 32,767 characters

Change = types.TextDocumentContentChangePartial | types.TextDocumentContentChangeWholeDocument


class Buffer:
    """An open document.

    Parameters
    ----------
    uri, language, text, version
        As the client opened it.
    encoding
        What the client's columns count.
    notebook
        The URI of the notebook that it is a cell of, where the client says so.

    Attributes
    ----------
    cursor
        Offset after the last edit: where the person probably is.
    is_cell
        Whether it is a notebook's cell.
    inserted
        What the last message inserted, if that was all that it did.
    lost
        Whether the text may differ from the client's, a change of which could not be read or applied.
    """

    def __init__(
        self, uri: str, language: str, text: str, version: int, encoding: Encoding, notebook: str = ""
    ) -> None:  # fmt: skip
        self.uri = uri
        self.path = path_of(notebook or uri)
        self.language = _known_language(language, self.path, text)
        # A cell is no notebook's file: analysers and the model go by a name's ending.
        is_in_notebook = self.path is not None and self.path.suffix == ".ipynb" and not uri.startswith("file:")
        self.is_cell = bool(notebook) or is_in_notebook
        ending = ending_of(self.language or "")
        self._place = self.path.with_name(f"{self.path.name}{ending}") if self.path and self.is_cell else self.path
        self.version = version
        self.encoding: Encoding = encoding
        self.cursor = 0
        self.inserted = ""
        self.is_out_of_sync = False
        self._set(text)

    @property
    def text(self) -> str:
        """The client's text now."""
        return self._document.text

    @property
    def document(self) -> Document:
        """The text now, for the engine.

        A lone surrogate, which no tokenizer and no analyser takes, is U+FFFD there: as wide in every encoding.
        """
        if self._whole is None:
            document = self._document
            self._whole = document.with_characters(_without_halves(document.text)) if self._has_halves else document
        return self._whole

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
        self.is_out_of_sync = not whole and (self.is_out_of_sync or (version is not None and version < self.version))
        if version is not None:
            self.version = version
        self.inserted = ""
        for change in changes[whole[-1] :] if whole else changes:
            edit = None if self.is_out_of_sync else self._edit(change)
            if edit is None:
                self.is_out_of_sync = True
                break
            self._apply(edit)
            self.inserted = edit.text if len(changes) == 1 and edit.start == edit.end else ""
            yield

    def offset(self, position: types.Position) -> int:
        """Offset of a position; one after its line is the line's end, one after the last line the text's end."""
        document, line = self._document, position.line
        if line >= document.line_count:
            return len(document.text)
        start, units = document.line_start(line), position.character
        stop = min(document.line_end(line), start + units)  # no character is narrower than a unit
        return start + to_column(self.text[start:stop], units, self.encoding)

    def position(self, offset: int) -> types.Position:
        """Position of an offset of the text."""
        line, column = self._document.position_at(offset)
        start = self._document.line_start(line)
        return types.Position(line, to_units(self.text[start : start + column], column, self.encoding))

    def _set(self, text: str) -> None:
        if self.encoding == "utf-16" and _has_halves(text):
            text = _joined(text)
        self._document = Document(text, self._place, self.language)
        self._has_halves = _has_halves(text)
        self._whole: Document | None = None

    def _edit(self, change: Change) -> Edit | None:
        """A change as an edit of the text now; None if the text would not be the client's after it."""
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            return Edit(0, len(self.text), _joined(change.text) if self.encoding == "utf-16" else change.text)
        if self._is_inside(change.range.start) or self._is_inside(change.range.end):
            return None
        start, end = self.offset(change.range.start), self.offset(change.range.end)
        return self._closing(Edit(min(start, end), max(start, end), change.text))

    def _closing(self, edit: Edit) -> Edit | None:
        """An edit that joins the halves of characters which meet by it; None if the result is ambiguous.

        A half that stands alone came as half an escape of JSON, or as bytes that are no UTF-8. Where columns count
        UTF-16, a whole character is as wide as its halves. In UTF-8 it has four bytes and they have six, in UTF-32 it
        is one and they are two: a client that keeps UTF-16 has one character now, a client that keeps bytes has not.
        """
        start, end, text = edit.start, edit.end, edit.text
        before, after = self.text[max(0, start - 1) : start], self.text[end : end + 1]
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
        is_left = at.line == position.line and at.character < position.character
        return is_left and offset < self._document.line_end(at.line)

    def _apply(self, edit: Edit) -> None:
        if edit.end - edit.start == len(self.text):
            self._set(edit.text)
        else:
            self._document = self._document.edited(edit)
            # Only looked for in what comes new: a long text is not read again at each key stroke.
            self._has_halves |= _has_halves(edit.text)
            self._whole = None
        self.cursor = edit.start + len(edit.text)


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
    codes = code_points(text).astype("<u4")
    codes[(codes >= FIRST_HALF) & (codes <= LAST_HALF)] = 0xFFFD
    return codes.tobytes().decode("utf-32-le")


def path_of(uri: str) -> Path | None:
    """Where a document is on this machine; None for one that is nowhere (untitled:, a remote, a diff).

    A notebook's cell is where its notebook is.
    """
    try:
        parts = urlsplit(uri)
        if parts.scheme == "file":
            here = parts.netloc.lower() == "localhost"  # as good as no host (RFC 8089)
            path = to_fs_path(parts._replace(netloc="").geturl() if here else uri)
        else:
            path = unquote(parts.path) if parts.scheme == "vscode-notebook-cell" else None
    except ValueError:
        return None
    return Path(path) if path and _may_exist(path) and Path(path).is_absolute() else None


def _may_exist(path: str) -> bool:
    """Whether a file can have this name: projects are looked for in each folder above it."""
    try:
        return "\0" not in path and len(os.fsencode(path)) <= LONGEST_PATH
    except UnicodeEncodeError:  # a lone surrogate
        return False


def _known_language(name: str, path: Path | None, text: str) -> str | None:
    """The language as the client names it, else by the file's name or first line."""
    try:
        return language_named(name)
    except UsageError:
        return name or language_of(path, text[:200].split("\n", 1)[0])
