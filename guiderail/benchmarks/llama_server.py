"""llama.cpp's HTTP server in a process of its own, and its endpoint for infilling as an engine to type against."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlsplit

from guiderail.benchmarks.llama_child import prepare
from guiderail.benchmarks.llama_cpp import Waiting
from guiderail.benchmarks.trace import Key
from guiderail.errors import GuiderailError

REUSE = 256  # tokens at least that are shifted to another place in its cache: what its own plug-ins ask for
_GONE = GuiderailError("llama.cpp's server ended", "Install it with: pip install 'guiderail[bench]'")


class LlamaServer:
    """One server; typed against with `ask`, the newest request waits while it writes, as in its own VS Code extension.

    Closing the connection would be the other way to give a request up, but the server looks for closed connections
    once a second only: requests would pile up.

    Parameters
    ----------
    model
        The GGUF file.
    waiting, context
        Threads, and tokens of prompt and answer at most.
    max_tokens
        Tokens of a suggestion, which ends with the line.
    window
        From a text and a cursor to what stands before and after it in the prompt.
    build
        As of `LlamaCpp`.
    slots
        Requests that it works on at once, each with a context of its own.
    batch
        Tokens of a pass, which bound what it takes of a prompt; None to take all of it.

    Attributes
    ----------
    pid
        Of its process.
    host, port
        Where it listens, once started.
    """

    def __init__(
        self,
        model: Path,
        waiting: Waiting,
        context: int,
        max_tokens: int,
        window: Callable[[str, int], tuple[str, str]],
        build: str | None = None,
        slots: int = 1,
        batch: int | None = None,
    ) -> None:
        numbers = (waiting.threads, context, slots, batch or 2 * context)
        self._arguments = [str(model), *map(str, numbers), *([build] if build else [])]
        self._environment = waiting.environment()
        self._max_tokens = max_tokens
        self._window = window
        self._turn = asyncio.Lock()
        self._calls: set[asyncio.Task[dict[str, Any]]] = set()

    async def start(self) -> None:
        """Start it, and wait until it can be asked.

        Raises
        ------
        GuiderailError
            It ends before.
        """
        command = [sys.executable, "-P", "-m", __name__, *self._arguments]
        self._process = await asyncio.create_subprocess_exec(
            *command, stdin=-1, stdout=-1, stderr=-3, env=self._environment
        )
        self.pid = self._process.pid
        assert self._process.stdout
        said = (await self._process.stdout.readline()).decode().strip()
        if not said:
            raise _GONE
        address = urlsplit(said)
        self.host, self.port = address.hostname or "", address.port or 0

    async def stop(self) -> None:
        """End it."""
        await asyncio.gather(*self._calls, return_exceptions=True)
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def open(self, file: str, text: str) -> None:
        """Nothing: every request brings its text."""

    async def change(self, file: str, before: str, key: Key) -> None:
        """Nothing: every request brings its text."""

    async def ask(self, file: str, text: str, cursor: int) -> str:
        """Ask for the rest of the line; cancelled before its turn, nothing is sent."""
        prefix, suffix = self._window(text, cursor)
        wanted = {"n_predict": self._max_tokens, "temperature": 0.0, "stop": ["\n"], "cache_prompt": True}
        await self._turn.acquire()
        sent = asyncio.create_task(
            call(self.host, self.port, "/infill", {"input_prefix": prefix, "input_suffix": suffix} | wanted)
        )
        self._calls.add(sent)
        sent.add_done_callback(self._ended)
        found = await asyncio.shield(sent)
        if "content" not in found:
            raise GuiderailError(f"llama.cpp's server answered: {found}", "")
        return found["content"]

    async def ping(self) -> None:
        """Ask whether it is well."""
        await call(self.host, self.port, "/health")

    def _ended(self, call: asyncio.Task[dict[str, Any]]) -> None:
        self._calls.discard(call)
        self._turn.release()


async def call(host: str, port: int, path: str, body: Any = None) -> dict[str, Any]:
    """A JSON answer, to a POST where there is a body; cancelled, the connection is closed.

    Raises
    ------
    GuiderailError
        The server ends.
    OSError
        It cannot be reached.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: {host}\r\n"
        head += f"Content-Type: application/json\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        answer = await reader.read()
    finally:
        writer.close()
    if not answer:
        raise _GONE
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def _serve(path: str, threads: int, context: int, slots: int, batch: int, build: str | None) -> None:
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # llama.cpp may print
    say = lambda address: print(address, file=said, flush=True)  # noqa: E731
    if prepare(build):
        kept = _serve_library(path, threads, context, say)
    else:
        kept = _serve_server(path, threads, context, slots, batch, say)
    sys.stdin.read()  # until who started it is gone
    del kept
    os._exit(0)  # the server's own shutdown may hang


def _serve_server(path: str, threads: int, context: int, slots: int, batch: int, say: Callable[[str], None]) -> object:
    xlc = importlib.import_module("xllamacpp")
    p = xlc.CommonParams()
    # The batch bounds what /infill takes of a prompt, by quarters.
    p.model.path, p.n_ctx, p.n_batch, p.n_parallel = path, slots * context, batch, slots
    p.verbosity, p.warmup = 0, True
    p.n_gpu_layers, p.port, p.cache_prompt, p.n_cache_reuse = 0, 0, True, REUSE
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = threads
    server = xlc.Server(p)
    say(server.listening_address)
    return server


def _serve_library(path: str, threads: int, context: int, say: Callable[[str], None]) -> object:
    """A build without a server: /infill, one request after the other, and /health at any time."""
    from guiderail.benchmarks.llama_library import Library

    rival, turn = Library(path, threads, context), Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"status": "ok"})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with turn:
                text = rival.infill(asked["input_prefix"], asked["input_suffix"], asked["n_predict"], REUSE)
            self._answer({"content": text})

        def _answer(self, body: dict[str, str]) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:  # its base's name
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    say(f"http://127.0.0.1:{server.server_port}")
    return server


if __name__ == "__main__":
    _threads, _context, _slots, _batch = map(int, sys.argv[2:6])
    _serve(sys.argv[1], _threads, _context, _slots, _batch, sys.argv[6] if len(sys.argv) > 6 else None)
