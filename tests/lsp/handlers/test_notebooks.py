"""Notebooks: cells are typed in one by one, and read together."""

from pathlib import Path
from typing import Any

import pytest

from tests.lsp.client import Client, connected
from tests.lsp.fakes import FakeEngine

pytestmark = pytest.mark.asyncio


def cell_uri(notebook: str, name: str) -> str:
    return f"{notebook.replace('file:', 'vscode-notebook-cell:')}#{name}"


def cell(uri: str, kind: int = 2) -> dict[str, Any]:
    return {"kind": kind, "document": uri}


def item(uri: str, text: str, language: str = "python") -> dict[str, Any]:
    return {"uri": uri, "languageId": language, "version": 1, "text": text}


def opened(client: Client, notebook: str, *texts: str, language: str = "python") -> list[str]:
    """Open a notebook; the URIs of its cells."""
    uris = [cell_uri(notebook, f"c{number}") for number in range(len(texts))]
    document = {"uri": notebook, "notebookType": "jupyter-notebook", "version": 1, "cells": [*map(cell, uris)]}
    items = [item(uri, text, language) for uri, text in zip(uris, texts, strict=True)]
    client.tell("notebookDocument/didOpen", {"notebookDocument": document, "cellTextDocuments": items})
    client.versions |= dict.fromkeys(uris, 1)
    return uris


def changed(client: Client, notebook: str, **cells: Any) -> None:
    document = {"uri": notebook, "version": 2}
    client.tell("notebookDocument/didChange", {"notebookDocument": document, "change": {"cells": cells}})


async def seen(client: Client, uri: str, line: int, column: int) -> tuple[str, str]:
    """What the engine is asked to complete at a place in a cell: the text before the cursor, and after it."""
    await client.ghost(uri, line, column, 1)
    request = client.state.suggestions.last.request  # pyright: ignore[reportOptionalMemberAccess]
    return request.before, request.after


@pytest.fixture
def notebook(tmp_path: Path) -> str:
    return (tmp_path / "n.ipynb").as_uri()


async def test_all_cells_of_a_notebook_are_read_in_order(notebook: str) -> None:
    """As one file, whose name has the ending that analysers go by; an item's range is in the cell."""
    async with connected() as client:
        uris = opened(client, notebook, "import os", "x = ", "print(x)")
        (shown,) = await client.ghost(uris[1], 0, 4)
        request = client.state.suggestions.last.request  # pyright: ignore[reportOptionalMemberAccess]
        assert (request.before, request.after) == ("import os\nx = ", "\nprint(x)")
        assert request.document.path == client.state.buffers[uris[1]].document.path
        assert request.document.path.name == "n.ipynb.py"  # pyright: ignore[reportOptionalMemberAccess]
        assert shown["range"]["start"] == shown["range"]["end"] == {"line": 0, "character": 4}


async def test_cells_come_go_move_and_are_typed_in(notebook: str) -> None:
    async with connected() as client:
        a, b, c = opened(client, notebook, "a = 1", "b = ", "c = 3")
        moved = {"array": {"start": 2, "deleteCount": 1, "cells": []}}
        changed(client, notebook, structure=moved)
        changed(client, notebook, structure={"array": {"start": 0, "deleteCount": 0, "cells": [cell(c)]}})
        assert await seen(client, b, 0, 4) == ("c = 3\na = 1\nb = ", "")
        span = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 5}}
        edit = {"document": {"uri": a, "version": 2}, "changes": [{"range": span, "text": "one"}]}
        changed(client, notebook, textContent=[edit])
        assert await seen(client, b, 0, 4) == ("c = 3\na = one\nb = ", "")
        new = cell_uri(notebook, "new")
        array = {"start": 0, "deleteCount": 1, "cells": [cell(new)]}
        closed = [{"uri": c}]
        changed(client, notebook, structure={"array": array, "didOpen": [item(new, "n = 0")], "didClose": closed})
        assert await seen(client, b, 0, 4) == ("n = 0\na = one\nb = ", "")
        assert c not in client.state.buffers


async def test_the_next_request_of_a_cell_is_prepared_in_its_notebook(notebook: str) -> None:
    async with connected() as client:
        uris = opened(client, notebook, "import os", "x = ")
        await client.settle()
        client.change(uris[1], 0, 4, 4, "o")
        await client.settle()
        assert client.engine.prepared[-1] == "import os\nx = o"


async def test_cells_of_other_languages_and_text_are_left_out(notebook: str) -> None:
    """So are cells whose first line hands them to another language; other magic commands are comments."""
    async with connected() as client:
        uris = opened(client, notebook, "a = 1", "%%bash\nls", "%%time\n%matplotlib inline\n!pip list\nb = 2", "x = ")
        text = cell_uri(notebook, "text")
        structure = {"array": {"start": 1, "deleteCount": 0, "cells": [cell(text, 1)]}}
        changed(client, notebook, structure={**structure, "didOpen": [item(text, "# Title", "markdown")]})
        before, _ = await seen(client, uris[3], 0, 4)
        assert before == "a = 1\n#%time\n#matplotlib inline\n#pip list\nb = 2\nx = "


@pytest.mark.parametrize("broken", ['s = """', "f(1,", "x = 1 + \\", "d = {'a': ["])
async def test_a_cell_that_leaves_something_open_swallows_no_other(notebook: str, broken: str) -> None:
    """Cells are run one by one: an unfinished one says nothing of the text of those below it."""
    async with connected() as client:
        uris = opened(client, notebook, "a = 1", broken, "x = ", "# done")
        assert await seen(client, uris[2], 0, 4) == ("a = 1\nx = ", "\n# done")


async def test_operators_at_the_beginning_of_a_line_are_no_magic_commands(notebook: str) -> None:
    async with connected() as client:
        uris = opened(client, notebook, "s = (\n    'a %s'\n    % name\n    != b\n)\n!ls", "x = ")
        before, _ = await seen(client, uris[1], 0, 4)
        assert before == "s = (\n    'a %s'\n    % name\n    != b\n)\n#ls\nx = "


async def test_a_cell_that_must_not_be_read_is_in_no_other_ones_text(notebook: str) -> None:
    async with connected() as client:
        uris = opened(client, notebook, "# guiderail: off\nkey = 1", "x = ")
        assert await seen(client, uris[1], 0, 4) == ("x = ", "")
        assert await client.ghost(uris[0], 1, 7) == []


async def test_a_cell_is_read_alone_once_its_notebook_is_closed(notebook: str) -> None:
    async with connected() as client:
        uris = opened(client, notebook, "a = 1", "x = ")
        client.tell("notebookDocument/didClose", {
            "notebookDocument": {"uri": notebook}, "cellTextDocuments": [{"uri": uri} for uri in uris]
        })  # fmt: skip
        assert await client.ghost(uris[1], 0, 4) == []
        assert client.state.buffers == {}
        client.open("x = ", uris[1])
        assert await seen(client, uris[1], 0, 4) == ("x = ", "")


async def test_no_file_is_said_to_hold_what_a_cell_does(notebook: str) -> None:
    """An analyser that sees no unsaved files would else be relied on nowhere while a notebook is open."""
    async with connected() as client:
        uris = opened(client, notebook, "a = 1", "x = ")
        client.change(uris[1], 0, 4, 4, "o")
        await client.settle()
        assert client.engine.unsaved == {uris[1]: None}


async def test_a_part_that_is_accepted_in_a_cell_is_counted(notebook: str) -> None:
    async with connected(FakeEngine("hello.world")) as client:
        uris = opened(client, notebook, "a = 1", "x = ")
        await client.ghost(uris[1], 0, 4)
        client.change(uris[1], 0, 4, 4, "hello")
        await client.settle()
        assert client.state.suggestions.last is not None
        assert client.state.suggestions.last.outcome.partly


async def test_a_notebook_whose_message_cannot_be_read_is_out_of_sync(notebook: str) -> None:
    async with connected() as client:
        uris = opened(client, notebook, "a = 1", "x = ")
        changed(client, notebook, textContent=[{"document": {"uri": uris[1]}, "changes": "none"}])
        assert await client.ghost(uris[1], 0, 4) == []
        assert client.state.buffers[uris[1]].is_out_of_sync


async def test_clients_are_told_that_notebooks_are_wanted() -> None:
    """If they have any."""
    async with connected(capabilities={"notebookDocument": {"synchronization": {}}}) as client:
        assert client.result["capabilities"]["notebookDocumentSync"] == {"notebookSelector": [{"notebook": "*"}]}
