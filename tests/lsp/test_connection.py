"""Messages that are wrong or unknown."""

from typing import Any

import pytest

from tests.lsp.client import connected

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b'{"id": 9}', -32600),
        ({"id": 9, "method": "guiderail/unknown"}, -32601),
        ({"id": 9, "method": "workspace/executeCommand", "params": {"command": "nope"}}, -32602),
        ({"id": 9, "method": "textDocument/inlineCompletion", "params": {"position": 3}}, -32602),
        ({"id": 9, "method": "textDocument/inlineCompletion"}, -32602),
        ({"id": 9, "method": "initialize", "params": {"capabilities": {}}}, -32600),
    ],
)
async def test_what_cannot_be_understood_is_answered(message: Any, code: int) -> None:
    """Malformed bodies, unknown methods and wrong parameters get one error, and the server goes on."""
    async with connected() as client:
        before = len(client.replies)
        client.raw(message)
        await client.settle()
        errors = [reply["error"]["code"] for reply in client.replies[before:]]
        assert errors == [code]
        assert await client.ghost(client.open("x = "), 0, 4)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/didChange", {"textDocument": {"uri": "untitled:9", "version": 1}, "contentChanges": []}),
        ("textDocument/didClose", {"textDocument": {"uri": "untitled:9"}}),
        ("textDocument/didChange", {"nonsense": 1}),
        ("notebookDocument/didOpen", {"notebookDocument": {}, "cellTextDocuments": []}),
        ("guiderail/unknown", {"a": [1]}),
        ("$/setTrace", {"value": "verbose"}),
        ("window/workDoneProgress/cancel", {"token": "x"}),
    ],
)
async def test_odd_notifications_do_no_harm(method: str, params: Any) -> None:
    """Notifications about nothing known are passed over in silence."""
    async with connected() as client:
        client.tell(method, params)
        assert await client.ghost(client.open("x = "), 0, 4)
        assert not [reply for reply in client.replies if "error" in reply]
