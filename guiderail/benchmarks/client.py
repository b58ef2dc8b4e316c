"""`guiderail lsp` in a process of its own, and the editor's side of the conversation."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from guiderail.benchmarks.trace import Key
from guiderail.errors import GuiderailError

START_PATIENCE = 120.0  # seconds until the model must be loaded


class GuiderailServer:
    """The server as an editor starts it; an engine to type against.

    Parameters
    ----------
    root
        The project; files are named relative to it.
    flags
        Of `guiderail lsp`.

    Attributes
    ----------
    pid
        Of its process.
    """

    def __init__(self, root: Path, flags: Sequence[str]) -> None:
        self.root = root
        self._flags = flags
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self._ready = asyncio.Event()

    async def start(self) -> None:
        """Start it, and wait until its model is loaded.

        Raises
        ------
        GuiderailError
            It ends, or does not become ready.
        """
        ours = {key: value for key, value in os.environ.items() if not key.startswith("GUIDERAIL_")}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "guiderail", "lsp", *self._flags, stdin=-1, stdout=-1, env=ours
        )
        self.pid = self._process.pid
        self._listening = asyncio.create_task(self._listen())
        capabilities = {"general": {"positionEncodings": ["utf-32"]}}
        folders = [{"uri": self.root.as_uri(), "name": self.root.name}]
        await self.request(
            "initialize", processId=None, rootUri=None, workspaceFolders=folders, capabilities=capabilities
        )
        self._notify("initialized")
        try:
            await asyncio.wait_for(self._ready.wait(), START_PATIENCE)
        except TimeoutError as error:
            raise GuiderailError("the server's model was not loaded", "Look into the log: guiderail doctor") from error

    async def stop(self) -> None:
        """End it as an editor does."""
        if self._process.returncode is None:
            await self.request("shutdown")
            self._notify("exit")
        await self._process.wait()
        await self._listening

    async def open(self, file: str, text: str) -> None:
        """Open a document."""
        item = {"uri": self._uri(file), "languageId": "python", "version": 0, "text": text}
        self._notify("textDocument/didOpen", textDocument=item)

    async def change(self, file: str, before: str, key: Key) -> None:
        """Send a key's edit."""
        assert key.edit
        span = {"start": _position(before, key.edit.start), "end": _position(before, key.edit.end)}
        changes = [{"range": span, "text": key.edit.text}]
        self._count += 1
        document = {"uri": self._uri(file), "version": self._count}
        self._notify("textDocument/didChange", textDocument=document, contentChanges=changes)

    async def ask(self, file: str, text: str, cursor: int) -> str:
        """Ask for ghost text; "" for none."""
        found = await self.request(
            "textDocument/inlineCompletion",
            textDocument={"uri": self._uri(file)},
            position=_position(text, cursor),
            context={"triggerKind": 2},
        )
        items = found["items"] if found else []
        return items[0]["insertText"] if items else ""

    async def ping(self) -> None:
        """A request that is answered by the event loop alone, after all that was sent before."""
        await self.request("guiderail/status")

    async def request(self, method: str, **params: Any) -> Any:
        """A request's result; cancelled, the server is told."""
        self._count += 1
        number, answer = self._count, asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._send({"id": number, "method": method, "params": params})
        try:
            return await answer
        except asyncio.CancelledError:
            self._notify("$/cancelRequest", id=number)
            raise

    async def command(self, name: str) -> Any:
        """The result of one of the server's commands."""
        return await self.request("workspace/executeCommand", command=name, arguments=[])

    def _notify(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        body = json.dumps({"jsonrpc": "2.0"} | message).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async def _listen(self) -> None:
        assert self._process.stdout
        while (message := await _message(self._process.stdout)) is not None:
            if message.get("method") == "guiderail/didChangeStatus":
                self._status(message["params"])
            elif "method" not in message:
                self._answered(message)
        gone = GuiderailError("the server ended", "Look into its log: guiderail lsp.log under the user's log folder")
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(gone)

    def _answered(self, message: dict[str, Any]) -> None:
        answer = self._answers.pop(message["id"], None)
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(GuiderailError(f"the server answered: {message['error']['message']}", ""))
        else:
            answer.set_result(message["result"])

    def _status(self, status: dict[str, Any]) -> None:
        if status["state"] in {"ready", "working"}:
            self._ready.set()

    def _uri(self, file: str) -> str:
        return (self.root / file).as_uri()


async def _message(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next message; None when the server is gone."""
    length = 0
    while (line := await reader.readline()).strip():
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    return json.loads(await reader.readexactly(length)) if line else None


def _position(text: str, offset: int) -> dict[str, int]:
    """Line and column of an offset, the column in code points; the texts have line feeds only."""
    return {"line": text.count("\n", 0, offset), "character": offset - text.rfind("\n", 0, offset) - 1}
