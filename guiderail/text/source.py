"""Reads bytes as a Document: detects the encoding, keeps line ends, and says in one line what cannot be read."""

import codecs
import io
import os
import stat
import tokenize
from pathlib import Path
from typing import BinaryIO

from guiderail.errors import UsageError
from guiderail.text.document import Document
from guiderail.text.language import language_of
from guiderail.text.languages.table import PYTHON_STATEMENTS

SIZE_LIMIT = 10_000_000  # bytes

# UTF-32's mark begins with UTF-16's, so it is asked first.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_STANDARD = frozenset({"/dev/stdin"})
_DESCRIPTORS = frozenset({"/dev/fd", "/proc/self/fd"})  # what the shell writes for <(...) lies there

_OF_HOSTS = frozenset({"punycode", "idna"})  # encodings of names of hosts: a file of megabytes would take hours

_BLOTTED = bytes(byte if byte < 0x80 else ord("?") for byte in range(256))


class SourceError(UsageError):
    """A file that cannot be read as source text."""


def read_source(path: Path, language: str | None = None) -> Document:
    """Read a file.

    Parameters
    ----------
    path
        A file, or a descriptor that the process was given (``/dev/stdin``, ``/dev/fd/63``), which may be a pipe.
        Another pipe or device is refused: it may never end, or never begin.
    language
        Language identifier; found from the name and the first line when not given.

    Raises
    ------
    SourceError
        If the file is missing, a directory, a device, unreadable, binary, over 10 MB, or not in the encoding that it
        declares (a byte order mark, PEP 263's cookie in Python, otherwise UTF-8).
    """
    try:
        with _opened(path) as stream:
            data = stream.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise SourceError(f"no such file: {path}", "Check the path.") from None
    except IsADirectoryError:
        raise SourceError(f"{path} is a directory", "Name a file in it.") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"cannot read {path}: {reason}", "Check the path and its permissions.") from None
    return _document(data, str(path), path, language)


def _opened(path: Path) -> BinaryIO:
    """A file, opened without waiting; raises SourceError for what is none."""
    if str(path) in _STANDARD or str(path.parent) in _DESCRIPTORS:
        return path.open("rb")
    _check_kind(path, path.stat().st_mode)  # some devices do something when they are opened
    stream = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")
    try:
        _check_kind(path, os.fstat(stream.fileno()).st_mode)
    except BaseException:
        stream.close()
        raise
    return stream


def _check_kind(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError
    if not stat.S_ISREG(mode):
        raise SourceError(f"{path} is not a regular file", "Send the text to standard input.")


def read_stream(stream: BinaryIO, language: str | None = None, path: Path | None = None) -> Document:
    """Read a text given by hand, such as standard input, under the same rules as a file.

    Parameters
    ----------
    stream
        Bytes, read to their end (or to the limit).
    language
        Language identifier; found from `path` or the first line when not given.
    path
        Where the text would lie, if it belongs to a project.

    Raises
    ------
    SourceError
        As `read_source`.
    """
    return _document(stream.read(SIZE_LIMIT + 1), "standard input", path, language)


def _document(data: bytes, name: str, path: Path | None, language: str | None) -> Document:
    if len(data) > SIZE_LIMIT:
        limit = f"{SIZE_LIMIT // 1_000_000} MB"
        raise SourceError(f"{name} is larger than {limit}", "Complete in a smaller file.")
    if language is None:
        language = language_of(path, data[:200].split(b"\n", 1)[0].decode("utf-8", "replace"))
    return Document(_decode(data, name, language), path, language)


def _decode(data: bytes, name: str, language: str | None) -> str:
    mark, encoding = next((pair for pair in _BYTE_ORDER_MARKS if data.startswith(pair[0])), (b"", ""))
    if not encoding.startswith(("utf-16", "utf-32")) and b"\0" in data:
        raise SourceError(f"{name} is a binary file", "Name a text file.")
    data = data[len(mark) :]
    encoding = encoding or _declared_encoding(data, name, language)
    try:
        if codecs.lookup(encoding).name in _OF_HOSTS:
            raise LookupError
        return data.decode(encoding)
    except LookupError:
        problem = f"declares {encoding}, which is no text encoding"
    except UnicodeDecodeError as error:
        problem = f"is not valid {encoding.upper()}: byte {error.start} cannot be decoded"
    except UnicodeError:
        problem = f"is not valid {encoding.upper()}"
    raise SourceError(f"{name} {problem}", "Save it as UTF-8.")


def _declared_encoding(data: bytes, name: str, language: str | None) -> str:
    """PEP 263: Python's cookie in the first two lines; UTF-8 for everybody else."""
    if language not in PYTHON_STATEMENTS:
        return "utf-8"
    # Non-ASCII bytes are blotted out: detect_encoding would refuse them without saying where they are.
    head = b"\n".join(data.split(b"\n", 2)[:2]).translate(_BLOTTED)
    try:
        return tokenize.detect_encoding(io.BytesIO(head).readline)[0]
    except SyntaxError as error:
        remedy = "Correct its coding comment or save it as UTF-8."
        raise SourceError(f"{name} declares an {error.msg}", remedy) from None
