"""A file chooses its own encoding by a comment: none of Python's takes long, and none is no encoding of a text."""

import codecs
import encodings
import pkgutil
import time
from pathlib import Path

import pytest

from guiderail.text.source import SourceError, read_source

SOON_S = 5.0  # of the processor's time for one file; 200,000 characters of punycode took twice that, 3 MB of it hours
SIZE = 200_000
BODIES = (
    b"a" * (SIZE // 2) + b"-" + b"9a" * (SIZE // 4), b"xn--" + b"9a" * (SIZE // 2), b"+AA" * (SIZE // 3),
    b"~{" * (SIZE // 2), b"\x1b$B" * (SIZE // 3), b"\\N{a}" * (SIZE // 5), b"a." * (SIZE // 2),
)  # fmt: skip


def text_encodings() -> list[str]:
    found = []
    for module in pkgutil.iter_modules(encodings.__path__):
        try:
            codecs.lookup(module.name)
        except LookupError:  # a system's own, or no encoding
            continue
        found.append(module.name)
    return found


@pytest.mark.parametrize("name", text_encodings())
def test_a_file_in_any_encoding_is_read_or_refused_soon(tmp_path: Path, name: str) -> None:
    file = tmp_path / "a.py"
    for body in BODIES:
        file.write_bytes(f"# coding: {name}\n".encode() + body)
        began = time.thread_time()
        try:
            read_source(file)
        except SourceError as error:
            assert "\n" not in str(error)
        assert time.thread_time() - began < SOON_S


@pytest.mark.parametrize("name", ["punycode", "idna"])
def test_an_encoding_of_host_names_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.py").write_bytes(f"# coding: {name}\nx-".encode())
    with pytest.raises(SourceError, match=f"declares {name}, which is no text encoding"):
        read_source(tmp_path / "a.py")
