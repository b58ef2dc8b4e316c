"""Notebooks of thousands of cells: the text of all is put together for the one cell that is typed in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guiderail.lsp import next_edits
from guiderail.lsp.notebooks import Notebooks
from tests.lsp.client import connected
from tests.lsp.handlers.test_notebooks import changed, opened

CELLS = 50


@pytest.mark.asyncio
async def test_a_message_puts_the_text_of_a_notebook_together_for_one_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each cell it took 42 s and 1.7 GB of a notebook of 4,000 cells, while the server answered nothing."""
    joined, real = list[str](), Notebooks.around
    monkeypatch.setattr(
        Notebooks, "around", lambda self, buffer, *rest: joined.append(buffer.uri) or real(self, buffer, *rest)
    )
    kept: list[int] = []
    notebook = (tmp_path / "n.ipynb").as_uri()
    async with connected() as client:
        uris = opened(client, notebook, *(f"x{number} = 1" for number in range(CELLS)))
        await client.ghost(uris[-1], 0, 3)
        assert set(joined) == {uris[-1]}
        joined.clear()
        await client.ghost(uris[-1], 0, 3)
        monkeypatch.setattr(next_edits, "_keep", lambda *_: kept.append(1))
        whole: list[dict[str, Any]] = [{"text": "y = 2"}]
        changed(
            client, notebook,
            textContent=[{"document": {"uri": uri, "version": 2}, "changes": whole} for uri in uris],
        )  # fmt: skip
        await client.ghost(uris[-1], 0, 3)
        assert set(joined) == {uris[-1]}
        assert len(kept) <= CELLS, "each cell was kept for each other one"
