"""Where a client says that documents and folders are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guiderail.lsp import buffer
from guiderail.lsp.buffer import path_of

HOSTILE = {
    "many folders": "file:///tmp/" + "a/" * 50_000 + "x.py",
    "many folders of a cell": "vscode-notebook-cell:///tmp/" + "a/" * 50_000 + "x.ipynb#1",
    "a long name": "file:///tmp/" + "b" * 100_000,
    "half a character": "file:///tmp/\ud800.py",
    "the other half": "file:///tmp/\udfff.py",
    "half a character of a cell": "vscode-notebook-cell:///tmp/\ud800.ipynb#1",
    "a null character": "file:///tmp/%00x.py",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_names_no_file_is_nowhere(name: str) -> None:
    """A project would be looked for in each of 50,000 folders, for minutes, and for every request anew."""
    assert path_of(HOSTILE[name]) is None


@pytest.mark.skipif(os.name != "posix", reason="other systems have other limits")
def test_the_longest_path_is_somewhere() -> None:
    longest = f"/{'d/' * (buffer.LONGEST_PATH // 2 - 1)}x"
    assert path_of(f"file://{longest}") == Path(longest)
    assert path_of(f"file://{longest}yy") is None
