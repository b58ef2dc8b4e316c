"""What a client is told of the status."""

import pytest

from guiderail.errors import GuiderailError
from tests.lsp.client import connected

pytestmark = pytest.mark.asyncio


async def test_status_tells_state_and_remedy() -> None:
    """The status request and notification tell loading, ready, disabled and error, with the model and what to do."""
    async with connected() as client:
        found = await client.ask("guiderail/status")
        assert set(found) == {"state", "message", "remedy", "model", "version", "enabled", "device"}
        assert (found["state"], found["enabled"], found["model"]) == ("ready", True, "embedded")
        assert client.last("guiderail/didChangeStatus") == found
        states = [params["state"] for name, params in client.heard if name == "guiderail/didChangeStatus"]
        assert states[0] == "loading"
        client.engine.load_failure = GuiderailError("it broke", "mend it")
        await client.command("restart")
        await client.settle()
        found = client.last("guiderail/didChangeStatus")
        assert (found["state"], found["message"], found["remedy"]) == ("error", "it broke", "mend it")


async def test_the_status_is_that_of_the_document_in_front() -> None:
    """Where the client tells what is in front, documents that it opens and changes behind the scenes do not count."""
    async with connected() as client:
        front = client.open("x = ")
        await client.ask("guiderail/status", {"uri": front})
        hidden = client.open("{}", "untitled:settings", "jsonc")
        client.change(hidden, 0, 1, 1, " ")
        client.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": {"disableLanguages": ["python"]}}})
        client.tell("textDocument/didSave", {"textDocument": {"uri": hidden}})
        client.tell("textDocument/didClose", {"textDocument": {"uri": hidden}})
        await client.settle()
        assert client.last("guiderail/didChangeStatus")["message"] == "suggestions are off for python"
