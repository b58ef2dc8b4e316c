"""Progress bars while a model is loaded."""

import pytest

from guiderail.errors import GuiderailError
from tests.lsp.client import connected

pytestmark = pytest.mark.asyncio


async def test_loading_shows_progress() -> None:
    """A client that can show progress sees loading begin and end."""
    async with connected(capabilities={"window": {"workDoneProgress": True}}) as client:
        await client.command("restart")
        await client.settle()
        kinds = [params["value"]["kind"] for name, params in client.heard if name == "$/progress"]
        assert kinds.count("begin") == kinds.count("end") >= 1


async def test_a_model_that_is_not_here_is_no_slow_load() -> None:
    """Nothing is downloaded while a model is loaded: progress ends at once, with the command that fetches it."""
    async with connected(capabilities={"window": {"workDoneProgress": True}}) as client:
        client.engine.load_failure = GuiderailError("The model is not here", "Fetch it: guiderail models pull")
        client.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": {"model": "some/model"}}})
        await client.settle()
        ends = [params["value"] for name, params in client.heard if name == "$/progress"]
        assert ends[-1] == {"kind": "end", "message": "The model is not here. Fetch it: guiderail models pull"}
