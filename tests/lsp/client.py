"""A client in the same process as its server: it sends frames' bodies and keeps what comes back."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from guiderail.lsp.client import ClientState
from guiderail.lsp.process import ServerProcess
from guiderail.lsp.server import Server
from guiderail.lsp.worker import Job, Priority, Worker
from guiderail.settings import Settings
from tests.lsp.fakes import FakeEngine

NEOVIM = {"general": {"positionEncodings": ["utf-8", "utf-16"]}, "workspace": {"configuration": True}}


class Failure(Exception):
    """The server answered with an error; holds its code."""

    @property
    def code(self) -> int:
        return self.args[0]


class Client:
    """Sends requests and notifications.

    Attributes
    ----------
    replies
        Every reply, in the order they came.
    heard
        Every notification, as (method, params).
    result
        What the server replied to `initialize`.
    settings
        What the client answers when it is asked for its configuration; in `folders` for single ones, by URI.
    answers
        What it answers to other requests, by method, instead of null.
    questions
        The parameters of all requests that it was asked, as (method, params).
    """

    def __init__(self, server: Server, engine: FakeEngine) -> None:
        self.server, self.engine = server, engine
        self.replies: list[dict[str, Any]] = []
        self.heard: list[tuple[str, Any]] = []
        self.asked: list[str] = []
        self.questions: list[tuple[str, Any]] = []
        self.answers: dict[str, Any] = {}
        self.registered: dict[str, Any] = {}
        self.result: Any = None
        self.settings: Any = None
        self.folders: dict[str, Any] = {}
        self.mute = False  # the question for settings stays without an answer until `answer` is called
        self.versions: dict[str, int] = {}
        self._question: Any = None
        self._waiting: dict[Any, asyncio.Future[Any]] = {}
        self._count = 0
        server.protocol.set_writer(self)  # pyright: ignore[reportArgumentType]

    @property
    def state(self) -> ClientState:
        """What the server knows of this client."""
        return self.server.client

    def write(self, data: bytes) -> None:
        """Take one frame from the server."""
        head, _, body = data.partition(b"\r\n\r\n")
        assert int(head.split(b":")[1]) == len(body)
        message = json.loads(body)
        if "method" not in message:
            self.replies.append(message)
            waiting = self._waiting.pop(message["id"], None)
            if waiting and not waiting.done():
                if "error" in message:
                    waiting.set_exception(Failure(message["error"]["code"], message["error"]["message"]))
                else:
                    waiting.set_result(message["result"])
        elif "id" in message:
            self.asked.append(message["method"])
            self.questions.append((message["method"], message.get("params")))
            if message["method"] == "client/registerCapability":
                self.registered |= {one["method"]: one["registerOptions"] for one in message["params"]["registrations"]}
            is_settings = message["method"] == "workspace/configuration"
            if is_settings and self.mute:
                self._question = message["id"]
            else:
                other = self.answers.get(message["method"])
                self.raw({"id": message["id"], "result": self._settings(message["params"]) if is_settings else other})
        else:
            self.heard.append((message["method"], message.get("params")))

    def _settings(self, params: dict[str, Any]) -> list[Any]:
        return [self.folders.get(item.get("scopeUri"), self.settings) for item in params["items"]]

    def raw(self, message: dict[str, Any] | bytes) -> None:
        """Send anything."""
        body = message if isinstance(message, bytes) else json.dumps({"jsonrpc": "2.0"} | message).encode()
        self.server.protocol.receive(body)

    def answer(self, result: Any) -> None:
        """Answer the question for settings that was left open."""
        self.raw({"id": self._question, "result": result})

    def tell(self, method: str, params: Any = None) -> None:
        """Send a notification."""
        self.raw({"method": method} | ({} if params is None else {"params": params}))

    def begin(self, method: str, params: Any = None) -> tuple[int, asyncio.Future[Any]]:
        """Send a request; its id and its future result."""
        self._count += 1
        future = asyncio.get_running_loop().create_future()
        self._waiting[self._count] = future
        self.raw({"id": self._count, "method": method} | ({} if params is None else {"params": params}))
        return self._count, future

    async def ask(self, method: str, params: Any = None, seconds: float = 5.0) -> Any:
        """Send a request and wait for its result."""
        return await asyncio.wait_for(self.begin(method, params)[1], seconds)

    async def settle(self) -> None:
        """Let the server work until neither its loop nor its worker has anything left, or the worker is held."""
        for _ in range(3):
            for _ in range(20):
                await asyncio.sleep(0)
            last = self.state.worker.submit(Job(Priority.PREPARE, lambda *_: None, self.state.scheduler.client)).future
            while not (last.done() or self.engine.is_held):
                await asyncio.sleep(0.001)
            last.cancel()

    def open(self, text: str, uri: str = "untitled:1", language: str = "python") -> str:
        """Open a document."""
        self.versions[uri] = 1
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": item})
        return uri

    def change(self, uri: str, line: int, start: int, end: int, text: str) -> None:
        """Replace a part of one line."""
        span = {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}
        self.edit(uri, {"range": span, "text": text})

    def edit(self, uri: str, *changes: Any, version: int | None = None) -> None:
        """Send content changes as they are."""
        self.versions[uri] = version or self.versions[uri] + 1
        document = {"uri": uri, "version": self.versions[uri]}
        self.tell("textDocument/didChange", {"textDocument": document, "contentChanges": list(changes)})

    async def ghost(self, uri: str, line: int, column: int, kind: int | None = 2, **context: Any) -> list[Any]:
        """The items of inline completion."""
        params: dict[str, Any] = at(uri, line, column)
        if kind is not None:
            params["context"] = {"triggerKind": kind} | context
        return (await self.ask("textDocument/inlineCompletion", params))["items"]

    async def command(self, name: str, *arguments: Any) -> Any:
        """Run one of the server's commands."""
        return await self.ask(
            "workspace/executeCommand", {"command": f"guiderail.{name}", "arguments": list(arguments)}
        )

    def messages(self) -> list[str]:
        """The texts of all messages that were shown."""
        return [params["message"] for method, params in self.heard if method == "window/showMessage"]

    def last(self, method: str) -> Any:
        """The parameters of the last notification of a method."""
        return next((params for name, params in reversed(self.heard) if name == method), None)


def at(uri: str, line: int, column: int) -> dict[str, Any]:
    """A place in a document, as requests name it."""
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": column}}


@asynccontextmanager
async def connected(
    engine: FakeEngine | None = None,
    *,
    capabilities: dict[str, Any] | None = None,
    options: Any = None,
    roots: tuple[Path, ...] = (),
    settings: Any = None,
    folders: dict[str, Any] | None = None,
    shared: Settings | None = None,
    introduce: bool = True,
    greet: bool = True,
    mute: bool = False,
    answers: dict[str, Any] | None = None,
    hello: dict[str, Any] | None = None,
    configuration_timeout_s: float = 3600.0,
    prefetch_delay_s: float = 3600.0,
) -> AsyncIterator[Client]:
    """A client that has said hello, with a model loaded; unless asked for, nothing happens by the clock."""
    engine = engine or FakeEngine()
    worker = Worker(engine)
    worker.start()
    server = Server(
        ServerProcess(worker, Path("/nowhere/lsp.log"), settings=shared),
        configuration_timeout_s=configuration_timeout_s,
        prefetch_delay_s=prefetch_delay_s,
    )
    if shared is not None:
        worker.load(shared)
    client = Client(server, engine)
    client.settings, client.mute, client.folders = settings, mute, folders or {}
    client.answers = answers or {}
    try:
        workspace = [{"uri": root.as_uri(), "name": root.name} for root in roots]
        params = {
            "processId": None,
            "rootUri": None,
            "capabilities": capabilities or {},
            "workspaceFolders": workspace,
            "initializationOptions": options,
        } | (hello or {})
        if introduce:
            client.result = await client.ask("initialize", params)
        if introduce and greet:
            client.tell("initialized", {})
        await client.settle()
        yield client
    finally:
        engine.gate.set()
        server.close()
        server.client.process.finish_saving()
        assert worker.stop(5)
