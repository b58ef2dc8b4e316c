"""Open documents, and those whose text is in doubt."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.lsp.client import Client, at, connected
from tests.lsp.fakes import FakeEngine

pytestmark = pytest.mark.asyncio


def _change(start: tuple[int, int], end: tuple[int, int], text: Any = "y") -> dict[str, Any]:
    places = ({"line": line, "character": column} for line, column in (start, end))
    return {"range": dict(zip(("start", "end"), places, strict=True)), "text": text}


async def _says_how_to_mend(client: Client, uri: str) -> None:
    assert await client.ghost(uri, 0, 99) == []
    assert (await client.ask("textDocument/completion", at(uri, 0, 0)))["items"] == []
    found = await client.ask("guiderail/status", {"uri": uri})
    assert (found["state"], found["remedy"]) == ("disabled", "Close the file and open it again")


async def test_changes_in_silent_places_are_not_prepared() -> None:
    """A docstring gets no suggestion while typing: nothing is encoded for it."""
    async with connected() as client:
        uri = client.open('def f():\n    """Return\n    """\n')
        client.change(uri, 1, 13, 13, " the width")
        await client.settle()
        assert client.engine.prepared == []
        client.change(uri, 2, 7, 7, "\n    return")
        await client.settle()
        assert len(client.engine.prepared) == 1


async def test_changes_are_prepared_before_the_request_comes() -> None:
    """A change alone has its prompt encoded; the request after it follows the same text."""
    engine = FakeEngine()
    async with connected(engine) as client:
        uri = client.open("x = \n")
        client.change(uri, 0, 4, 4, "f")
        await client.settle()
        assert engine.prepared == ["x = f"]


async def test_the_documents_line_ends_are_kept() -> None:
    """The engine is told how the document's lines end, and edits leave them as they are."""
    engine = FakeEngine("a:\n    b")
    async with connected(engine) as client:
        uri = client.open("x = 1\r\nif \r\n")
        (item,) = await client.ghost(uri, 1, 3)
        assert item["insertText"] == "a:\r\n    b"
        client.change(uri, 1, 3, 3, "q")
        assert client.state.buffers[uri].text == "x = 1\r\nif q\r\n"


async def test_a_refused_document_says_why(tmp_path: Path) -> None:
    """An ignored file and one that says off get nothing, and the status names the reason."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("secret.py\n")
    async with connected(roots=(tmp_path,)) as client:
        uri = client.open("x = ", (tmp_path / "secret.py").as_uri())
        assert await client.ghost(uri, 0, 4) == []
        assert client.last("guiderail/didChangeStatus")["state"] == "disabled"
        other = client.open("# guiderail: off\nx = ", (tmp_path / "b.py").as_uri())
        assert await client.ghost(other, 1, 4) == []
        assert "off" in (await client.ask("guiderail/status", {"uri": other}))["message"]
        fine = client.open("x = ", (tmp_path / "a.py").as_uri())
        assert await client.ghost(fine, 0, 4)
        assert client.engine.prepared == []
        assert client.last("guiderail/didChangeStatus")["state"] == "ready"


@pytest.mark.parametrize(
    "change",
    [
        {"text": None},
        _change((-1, 0), (0, 0)),
        _change((0, 0), (0, 2)),  # in the middle of the character
        {"range": {}, "text": "y"},
        "y",
        None,
    ],
)
async def test_a_change_that_cannot_be_applied_closes_its_document(change: Any) -> None:
    """A text that is not the client's any more gets no suggestions, which is said once; opening it anew mends it."""
    async with connected(options={"speculate": False}) as client:
        uri, other = client.open("x🙂 = "), client.open("y = ", "untitled:2")
        assert await client.ghost(uri, 0, 99)
        for sent in (change, _change((0, 0), (0, 0))):
            client.edit(uri, sent)
            await _says_how_to_mend(client, uri)
        said = [params["remedy"] for method, params in client.heard if method == "guiderail/didChangeStatus"]
        assert sum("open it again" in remedy for remedy in said) == 1
        assert await client.ghost(other, 0, 99)
        client.open("z = ", uri)
        assert await client.ghost(uri, 0, 99)
        assert client.engine.asked == ["x🙂 = ", "y = ", "z = "]


async def test_a_whole_text_mends_a_lost_document() -> None:
    """A change that brings the whole text, alone or among others, makes an end of the doubt."""
    async with connected() as client:
        uri = client.open("x = ")
        for changes in (
            [{"text": "z = "}],
            [_change((0, 0), (9, 9)), {"range": None, "text": "a = "}, _change((0, 0), (0, 1))],
        ):
            client.edit(uri, None)
            await _says_how_to_mend(client, uri)
            client.edit(uri, *changes)
            assert await client.ghost(uri, 0, 99)
        assert client.engine.asked == ["z = ", "y = "]


@pytest.mark.parametrize("spelt", ['"file:///tmp/é.py"', '"file:///tmp/\\u00e9.py"', '"file:\\/\\/\\/tmp\\/é.py"'])
@pytest.mark.parametrize("method", ["didOpen", "didChange"])
async def test_a_text_that_cannot_be_read_is_missed_however_its_uri_is_spelt(method: str, spelt: str) -> None:
    """Its document suggests nothing from the text before; another one goes on."""
    async with connected() as client:
        uri, other = client.open("x = ", "file:///tmp/é.py"), client.open("y = ", "file:///tmp/other.py")
        params = f'{{"textDocument": {{"uri": {spelt}, "languageId": "python", "version": "x", "text": "z = "}}}}'
        body = f'{{"jsonrpc": "2.0", "method": "textDocument/{method}", "params": {params}}}'
        client.raw(body.encode())
        await _says_how_to_mend(client, uri)
        assert await client.ghost(other, 0, 99)


async def test_changes_out_of_order_close_the_document() -> None:
    """A change that is older than the last one was made to another text."""
    async with connected() as client:
        uri = client.open("x = ")
        client.edit(uri, _change((0, 0), (0, 0)), version=7)
        assert await client.ghost(uri, 0, 99)
        client.edit(uri, _change((0, 0), (0, 0)), version=6)
        await _says_how_to_mend(client, uri)


async def test_a_request_under_way_is_answered_when_its_document_is_lost() -> None:
    """Nobody waits for a suggestion in a text that is given up."""
    engine = FakeEngine()
    async with connected(engine) as client:
        uri = client.open("x = ")
        engine.gate.clear()
        _, pending = client.begin("textDocument/inlineCompletion", at(uri, 0, 4) | {"context": {"triggerKind": 1}})
        await client.settle()
        client.edit(uri, None)
        assert (await asyncio.wait_for(pending, 5))["items"] == []


@pytest.mark.parametrize("damage", [b"\xff", b"\x00", b"}"])
async def test_a_body_that_is_no_json_closes_the_documents_that_it_names(damage: bytes) -> None:
    """A change whose very bytes are damaged is known by what it names; where it names none, all are in doubt."""
    async with connected() as client:
        one, two = client.open("x = ", "untitled:1"), client.open("y = ", "untitled:12")
        params = {"textDocument": {"uri": one, "version": 2}, "contentChanges": [{"text": "damaged"}]}
        body = json.dumps({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": params}).encode()
        client.raw(body.replace(b"damaged", b'"' + damage))
        await _says_how_to_mend(client, one)
        assert await client.ghost(two, 0, 99)
        client.raw(b'{"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": ' + damage)
        assert await client.ghost(two, 0, 99)
        client.raw(b'{"jsonrpc": "2.0", "method": "textDocument/didChange", "params": ' + damage)
        await _says_how_to_mend(client, two)


async def test_notebook_cells_are_documents_of_their_own() -> None:
    """Two cells of one notebook are kept apart and both completed."""
    async with connected() as client:
        for cell, text in (("W0", "a = "), ("X1", "b = ")):
            uri = client.open(text, f"vscode-notebook-cell:/tmp/n.ipynb#{cell}")
            assert await client.ghost(uri, 0, 4)
            assert str(client.state.buffers[uri].document.path) == "/tmp/n.ipynb.py"  # analysers go by the ending
        assert client.engine.asked == ["a = ", "b = "]


async def test_a_large_file_is_ignored_with_a_reason() -> None:
    """A file of 20 MB gets nothing, says why, and takes no part in the worker's queue."""
    async with connected() as client:
        uri = client.open("x = 1\n" * 3_500_000)
        client.change(uri, 0, 0, 0, "y")
        assert await client.ghost(uri, 0, 1) == []
        assert "10 MB" in client.last("guiderail/didChangeStatus")["message"]
        assert client.engine.prepared == client.engine.asked == []


async def test_the_engine_is_told_of_unsaved_texts(tmp_path: Path) -> None:
    """From the first edit until the file is saved or closed; never of one that must not be read."""
    (tmp_path / ".gitignore").write_text("secret.py\n")
    async with connected(roots=(tmp_path,)) as client:
        uri, secret = ((tmp_path / name).as_uri() for name in ("a.py", "secret.py"))
        client.open("x = 1\n", uri)
        await client.settle()
        assert client.engine.unsaved == {}
        client.change(uri, 0, 0, 1, "y")
        client.open("key = 1\n", secret)
        client.change(secret, 0, 0, 1, "y")
        await client.settle()
        assert client.engine.unsaved == {uri: "y = 1\n", secret: None}
        client.tell("textDocument/didSave", {"textDocument": {"uri": uri}})
        await client.settle()
        assert client.engine.unsaved[uri] is None
        client.change(uri, 0, 0, 1, "z")
        await client.settle()
        assert client.engine.unsaved[uri] == "z = 1\n"
        client.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
        await client.settle()
        assert client.engine.unsaved[uri] is None
