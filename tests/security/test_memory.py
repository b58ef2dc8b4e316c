"""The memory of a closed file is given back."""

import asyncio
import gc
import sys
import weakref
from pathlib import Path

import pytest

from tests.helpers.models import tiny_folder
from tests.lsp.client import connected
from tests.lsp.fakes import FakeEngine
from tests.lsp.test_process import Wire, environment, started

pytestmark = [pytest.mark.asyncio]

LINE = "    value = compute(first, second)\n"
LONG = "import os\n\n\ndef size(path):\n    return os.\n\n\ndef f(first, second):\n" + LINE * (9_900_000 // len(LINE))
LEFT = 100.0  # MB that may stay: what any first request brings in, and no text


def resident_mb(number: int) -> float:
    return int(Path(f"/proc/{number}/statm").read_text().split()[1]) * 4096 / 1e6


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
async def test_ten_megabytes_leave_nothing(tmp_path: Path) -> None:
    """A file of 10 MB is opened, edited and completed in several times, and closed: memory is about what it was."""
    uri, small = (tmp_path / "long.py").as_uri(), (tmp_path / "small.py").as_uri()
    env = environment(tmp_path, tiny_folder("guiderail"), monitors="true", project_ngrams="on")
    async with started(env, cwd=tmp_path) as process:
        wire = Wire(process.stdout, process.stdin)
        await wire.hello()
        wire.open(uri=small)
        for _ in range(2):
            await wire.reply(wire.begin_ghost(small), 300)
        before = resident_mb(process.pid)
        wire.open(LONG, uri)
        last = LONG.count("\n") - 5
        for version in range(6):
            at = {"line": last + version // 3, "character": 4}
            change = {"range": {"start": at, "end": at}, "text": "v"}
            document = {"uri": uri, "version": 2 + version}
            wire.send(method="textDocument/didChange", params={"textDocument": document, "contentChanges": [change]})
            place = {"textDocument": {"uri": uri}, "position": at | {"character": 5}, "context": {"triggerKind": 2}}
            assert "result" in await wire.reply(wire.begin("textDocument/inlineCompletion", place), 300)
        most = resident_mb(process.pid)
        wire.send(method="textDocument/didClose", params={"textDocument": {"uri": uri}})
        for _ in range(120):
            await wire.ask("guiderail/status")
            if resident_mb(process.pid) - before < LEFT:
                break
            await asyncio.sleep(0.25)
        assert most - before > LEFT  # else this says nothing
        assert resident_mb(process.pid) - before < LEFT


async def test_no_text_of_a_closed_document_is_kept() -> None:
    """Nothing of the server holds a closed document, however it was used."""
    async with connected(FakeEngine("abc")) as client:
        held: list[weakref.ref[object]] = []
        uri = client.open("x = ")
        for _ in range(3):
            client.change(uri, 0, 4, 4, "y")
            await client.ghost(uri, 0, 5)
            held.append(weakref.ref(client.state.buffers[uri].document))
        shown = next(iter(client.state.suggestions))
        held.append(weakref.ref(shown.wish.document))
        client.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
        await client.settle()
        await client.settle()
        gc.collect()
        assert [one() for one in held if one() is not None] == []
        explained = await client.command("explain")
        assert explained["text"]  # what was suggested is known still
