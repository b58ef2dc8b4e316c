"""The server as editors start it: real processes, a tiny model."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities
from safetensors.torch import load_file, save_file

from guiderail.model.tokenizer import Tokenizer
from tests.helpers.models import tiny_folder

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio]

COMMAND = [sys.executable, "-m", "guiderail", "lsp"]
SOURCE = "import os\n\n\ndef size(path):\n    return os.\n"
SLOW = {"until": "tokens", "max_tokens": 900, "context": "false"}  # a suggestion that takes its time


def environment(home: Path, model: Path | str, **settings: Any) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("GUIDERAIL_", "XDG_"))}
    ours = {f"GUIDERAIL_{key.upper()}": str(value) for key, value in settings.items()}
    folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "STATE", "CACHE", "DATA")}
    fixed = {"MODEL": str(model), "MAX_TOKENS": "8", "MONITORS": "false"}
    return clean | folders | {"OMP_NUM_THREADS": "1"} | {f"GUIDERAIL_{key}": fixed[key] for key in fixed} | ours


class Wire:
    """One conversation over any pair of streams; answers what the server asks with null."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.heard: list[tuple[str, Any]] = []
        self._count = 0
        self._early: dict[Any, dict[str, Any]] = {}

    def send(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0"} | message).encode()
        self.writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async def receive(self) -> dict[str, Any] | None:
        length = 0
        while (line := await self.reader.readline()).strip():
            length = int(line.split(b":")[1])
        return json.loads(await self.reader.readexactly(length)) if line else None

    def begin(self, method: str, params: Any = None) -> int:
        self._count += 1
        self.send(id=self._count, method=method, params=params)
        return self._count

    async def ask(self, method: str, params: Any = None, seconds: float = 60) -> dict[str, Any]:
        return await self.reply(self.begin(method, params), seconds)

    async def reply(self, number: int, seconds: float = 60) -> dict[str, Any]:
        async def wait() -> dict[str, Any]:
            if number in self._early:
                return self._early.pop(number)
            while (message := await self.receive()) is not None:
                if "method" in message and "id" in message:
                    self.send(id=message["id"], result=None)
                elif "method" in message:
                    self.heard.append((message["method"], message["params"]))
                elif message["id"] == number:
                    return message
                else:
                    self._early[message["id"]] = message
            raise EOFError

        return await asyncio.wait_for(wait(), seconds)

    async def hello(self, **options: Any) -> dict[str, Any]:
        params = {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": options}
        reply = await self.ask("initialize", params)
        self.send(method="initialized", params={})
        return reply

    def open(self, text: str = SOURCE, uri: str = "untitled:1") -> str:
        item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.send(method="textDocument/didOpen", params={"textDocument": item})
        return uri

    def begin_ghost(self, uri: str) -> int:
        place = {"textDocument": {"uri": uri}, "position": {"line": 4, "character": 14}}
        return self.begin("textDocument/inlineCompletion", place | {"context": {"triggerKind": 2}})


@asynccontextmanager
async def started(env: dict[str, str], *arguments: str, cwd: Path) -> AsyncIterator[Any]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, env=env, cwd=cwd, stdin=-1, stdout=-1, stderr=-1, limit=1 << 22
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # pyright: ignore[reportAttributeAccessIssue]


@pytest_lsp.fixture(config=ClientServerConfig(server_command=COMMAND, server_env={}))
async def editor(lsp_client: LanguageClient):
    lsp_client.feature(types.CLIENT_REGISTER_CAPABILITY)(lambda _: None)
    params = types.InitializeParams(capabilities=client_capabilities("visual_studio_code"))
    await lsp_client.initialize_session(params)
    yield
    await lsp_client.shutdown_session()


@pytest.fixture(autouse=True)
def real_model(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """For pytest-lsp, whose servers inherit this process's environment."""
    home = tmp_path_factory.mktemp("home")
    for key, value in environment(home, tiny_folder("guiderail")).items():
        monkeypatch.setenv(key, value)


async def test_an_editor_gets_ghost_text_and_leaves(editor: LanguageClient) -> None:
    """With the capabilities of VS Code: open, type, get ghost text, accept it, close, shut down."""
    editor.set_configuration({"guiderail": {"until": "tokens"}})
    uri = "untitled:Untitled-1"
    item = types.TextDocumentItem(uri, types.LanguageKind.Python, 1, SOURCE)
    editor.text_document_did_open(types.DidOpenTextDocumentParams(item))
    cursor = types.Position(4, 14)
    change = types.TextDocumentContentChangePartial(range=types.Range(cursor, cursor), text="s")
    document = types.VersionedTextDocumentIdentifier(version=2, uri=uri)
    editor.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))
    found = await editor.text_document_inline_completion_async(
        types.InlineCompletionParams(
            context=types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
            text_document=types.TextDocumentIdentifier(uri),
            position=types.Position(4, 15),
        )
    )
    assert isinstance(found, types.InlineCompletionList)
    for one in found.items:  # a random model may write nothing that can be shown
        assert isinstance(one.insert_text, str)
        assert one.command
        params = types.ExecuteCommandParams(one.command.command, one.command.arguments)
        assert await editor.workspace_execute_command_async(params) is None
    explained = await editor.workspace_execute_command_async(types.ExecuteCommandParams("guiderail.explain"))
    assert explained is not None
    assert explained["session"]["requests"]["decoded"] >= 1
    editor.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))


async def test_a_client_that_goes_away_takes_the_server_with_it(tmp_path: Path) -> None:
    """The end of standard input ends the process within 2 s, even while the model is being loaded."""
    async with started(environment(tmp_path, tiny_folder("guiderail")), cwd=tmp_path) as process:
        wire = Wire(process.stdout, process.stdin)
        began = time.monotonic()
        await wire.hello()
        hello = time.monotonic() - began
        assert (await wire.ask("guiderail/status"))["result"]["state"] == "loading"  # the reply came before the model
        process.stdin.close()
        began = time.monotonic()
        assert await asyncio.wait_for(process.wait(), 10) == 1
        assert time.monotonic() - began < 2
        assert hello < 30


def endless(folder: Path) -> None:
    """A copy of the tiny model that writes letters only: else it soon writes half a character, which ends a text."""
    shutil.copytree(tiny_folder("guiderail"), folder)
    table = Tokenizer.from_folder(folder).token_bytes
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"][[i for i, data in enumerate(table) if not data or not data.isascii()]] = 0
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


async def test_a_missing_model_is_mended_and_shutdown_ends_a_long_suggestion(tmp_path: Path) -> None:
    """A model folder that vanished is an error with a remedy; put back, guiderail.restart loads it; no source is
    logged; shutdown in the middle of a long suggestion answers the request, and nothing is left after 2 s."""
    folder = tmp_path / "model"
    env = environment(tmp_path, folder, log_level="info", **SLOW)
    async with started(env, cwd=tmp_path) as process:
        wire = Wire(process.stdout, process.stdin)
        await wire.hello()
        uri = wire.open()
        assert (await wire.reply(wire.begin_ghost(uri)))["result"]["items"] == []
        status = (await wire.ask("guiderail/status"))["result"]
        assert status["state"] == "error"
        assert status["remedy"]
        endless(folder)
        await wire.ask("workspace/executeCommand", {"command": "guiderail.restart"})
        ghost = wire.begin_ghost(uri)
        end = time.monotonic() + 120  # the model is being loaded
        while (await wire.ask("guiderail/status"))["result"]["state"] != "working":
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        log = (await wire.ask("workspace/executeCommand", {"command": "guiderail.showLog"}))["result"]["path"]
        text = Path(log).read_text()
        assert "loaded model" in text
        assert "def size" not in text
        began = time.monotonic()
        last = wire.begin("shutdown")
        assert (await wire.reply(last))["result"] is None
        assert {"result", "error"} & set(await wire.reply(ghost))
        wire.send(method="exit")
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("way", ["exit", "kill"])
async def test_no_process_is_left(way: str, tmp_path: Path) -> None:
    """Asked to leave, or killed: the analyser that the server started is gone within 2 s too."""
    psutil = pytest.importorskip("psutil", reason="NO PSUTIL: pip install -e '.[dev]'")
    async with started(environment(tmp_path, tiny_folder("guiderail"), monitors="true"), cwd=tmp_path) as process:
        wire = Wire(process.stdout, process.stdin)
        await wire.hello()
        uri = wire.open()
        await wire.reply(wire.begin_ghost(uri))
        left = psutil.Process(process.pid).children(recursive=True)
        assert left  # the analyser
        if way == "kill":
            process.kill()
        else:
            await wire.ask("shutdown")
            wire.send(method="exit")
        await asyncio.wait_for(process.wait(), 10)
        assert psutil.wait_procs(left, 2)[1] == []


async def test_network_clients_need_the_token_and_are_kept_apart(tmp_path: Path) -> None:
    """Two clients share the process and nothing else; a third with a wrong token is shut out; SIGTERM ends all."""
    env = environment(tmp_path, tmp_path / "no model", token="correct horse")
    async with started(env, "--tcp", "127.0.0.1:0", cwd=tmp_path) as process:
        line = (await asyncio.wait_for(process.stderr.readline(), 60)).decode()
        port = int(line.rsplit(":", 1)[1])

        async def connect() -> Wire:
            return Wire(*await asyncio.open_connection("127.0.0.1", port))

        first, second, stranger, silent = [await connect() for _ in range(4)]
        for token in ("wrong", None):
            reply = await stranger.ask("initialize", {"capabilities": {}, "initializationOptions": {"token": token}})
            assert reply["error"]["code"] == -32001
            assert await asyncio.wait_for(stranger.receive(), 5) is None
            stranger.writer.close()
            stranger = await connect()
        silent.send(id=1, method="guiderail/status")
        assert (await silent.reply(1))["error"]["code"] == -32001
        for wire in (first, second):
            assert "result" in await wire.hello(token="correct horse")
        uri = first.open()
        assert (await second.reply(second.begin_ghost(uri)))["result"]["items"] == []  # not its document
        assert "result" in await first.reply(first.begin_ghost(uri))
        first.writer.close()
        second.open("x = 1\n", "untitled:2")
        assert (await second.ask("guiderail/status"))["result"]["state"] == "error"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
        for wire in (second, silent, stranger):
            wire.writer.close()
