"""An HTTP server whose answers a test writes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON = "application/json"
EVENTS = "text/event-stream"


@dataclass
class Answer:
    """A status, headers and parts of a body; a part that is a function is called instead of being sent."""

    parts: list[bytes | Callable[[], object]] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": JSON})


@dataclass
class Server:
    """A running server.

    Parameters
    ----------
    url
        Its address.
    answers
        By path: an answer, or a function from the request's JSON to one. Other paths give 404.
    requests
        What came: path, JSON and headers.
    gone
        Set once a client closed its connection before its answer was whole.
    """

    url: str = ""
    answers: dict[str, Answer | Callable[[Any], Answer]] = field(default_factory=dict)
    requests: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)

    def bodies(self, path: str) -> list[Any]:
        """The JSON of all requests of a path."""
        return [body for one, body, _ in self.requests if one == path]


def as_json(value: Any, status: int = 200) -> Answer:
    """An answer of JSON."""
    return Answer([json.dumps(value).encode()], status)


def as_events(*values: Any, end: str = "data: [DONE]\n\n") -> Answer:
    """An answer of server-sent events."""
    parts = [f"data: {json.dumps(one)}\n\n".encode() for one in values]
    return Answer([*parts, end.encode()], headers={"Content-Type": EVENTS})


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of this machine."""
    found = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond(None)

        def do_POST(self) -> None:
            self._respond(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _respond(self, body: Any) -> None:
            found.requests.append((self.path, body, dict(self.headers)))
            made = found.answers.get(self.path, Answer([b'{"error": "not found"}'], 404))
            answer = made if isinstance(made, Answer) else made(body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for part in answer.parts:
                    if callable(part):
                        part()
                    else:
                        self.wfile.write(part)
                        self.wfile.flush()
            except OSError:
                found.gone.set()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
