"""Laws of reading bytes as source text."""

import codecs
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.text.source import SIZE_LIMIT, SourceError, read_source, read_stream

CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0\ufeff")


def source(tmp_path: Path, data: bytes, name: str = "file.py") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@given(st.text(CHARACTERS))
def test_utf_8_text_comes_back_with_its_line_ends_untouched(text: str) -> None:
    assert read_stream(io.BytesIO(text.encode()), "go").text == text


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32"])
@given(text=st.text(CHARACTERS))
def test_a_byte_order_mark_decides_the_encoding_and_is_not_text(mark: str, text: str) -> None:
    assert read_stream(io.BytesIO(text.encode(mark)), "python").text == text


def test_a_big_endian_mark_is_understood(tmp_path: Path) -> None:
    data = codecs.BOM_UTF16_BE + "x = 'é'\r\n".encode("utf-16-be")
    assert read_source(source(tmp_path, data)).text == "x = 'é'\r\n"


@pytest.mark.parametrize("head", ["# coding: latin-1\n", "#!/usr/bin/env python\n# é -*- coding: latin-1 -*-\n"])
def test_python_cookie_decides_the_encoding(tmp_path: Path, head: str) -> None:
    assert read_source(source(tmp_path, (head + "x = 'é'").encode("latin-1"))).text == head + "x = 'é'"


def test_only_python_has_cookies(tmp_path: Path) -> None:
    data = "# coding: latin-1\n# é".encode("latin-1")
    with pytest.raises(SourceError, match="is not valid UTF-8: byte 20 cannot be decoded"):
        read_source(source(tmp_path, data, "script.sh"))


def test_language_comes_from_the_name_or_the_first_line(tmp_path: Path) -> None:
    assert read_source(source(tmp_path, b"", "a.tsx")).language == "typescriptreact"
    assert read_source(source(tmp_path, b"#!/usr/bin/env python3\n", "tool")).language == "python"
    assert read_stream(io.BytesIO(b"fn main"), "rust").language == "rust"
    assert read_stream(io.BytesIO(b""), None, Path("b.go")).language == "go"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x7fELF\0\0", "is a binary file"),
        (b"x = '\xff'", "is not valid UTF-8: byte 5"),
        (b"# coding: nonsense-8\n", "declares an unknown encoding: nonsense-8"),
        (b"# coding: hex\n", "declares hex, which is no text encoding"),
        (codecs.BOM_UTF16_LE + b"a", "is not valid UTF-16-LE"),
    ],
)
def test_unreadable_bytes_are_refused_in_one_line_with_a_remedy(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        read_source(source(tmp_path, data))
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    assert caught.value.exit_code == 2


def test_a_path_that_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        read_source(tmp_path / "missing.py")
    with pytest.raises(SourceError, match="is a directory"):
        read_source(tmp_path)
    with pytest.raises(SourceError, match="cannot read"):
        read_source(tmp_path / ("x" * 5000))
    with pytest.raises(SourceError, match="cannot read"):
        read_source(Path("a\0b"))


def test_a_file_over_the_limit_is_refused_and_one_at_the_limit_is_read(tmp_path: Path) -> None:
    assert len(read_source(source(tmp_path, b"#" * SIZE_LIMIT)).text) == SIZE_LIMIT
    with pytest.raises(SourceError, match="is larger than 10 MB"):
        read_source(source(tmp_path, b"#" * (SIZE_LIMIT + 1)))
