"""A client that calls the ASGI application itself, without a network."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guiderail.serve.app import application
from guiderail.serve.service import CompletionService


@dataclass
class Response:
    """What an application sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """What an error says; its form is checked."""
        found = self.json["error"]
        assert found["code"] == self.status
        assert isinstance(found["message"], str)
        assert isinstance(found["type"], str)
        return found

    @property
    def events(self) -> list[Any]:
        """The events of a stream, without the mark of its end."""
        assert self.headers["content-type"].startswith("text/event-stream")
        blocks = [block for block in self.body.decode().split("\n\n") if block.startswith("data: ")]
        return [json.loads(block[6:]) for block in blocks if block != "data: [DONE]"]


class Client:
    """Calls one application.

    Parameters
    ----------
    service
        What answers.
    key, local_only
        As of `application`.
    """

    def __init__(self, service: CompletionService, key: str = "", local_only: bool = True) -> None:
        self.service = service
        self._app = application(service, key, local_only=local_only)

    def get(self, path: str, **headers: str) -> Response:
        return asyncio.run(self.ask("GET", path, b"", headers))

    def post(self, path: str, body: Any, **headers: str) -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return asyncio.run(self.ask("POST", path, data, headers))

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        gone: asyncio.Event | None = None,
        address: str = "127.0.0.1",
    ) -> Response:
        """Send a request; `gone` says when the client goes away."""
        names = {"host": "localhost:8012", **{k.replace("_", "-"): v for k, v in (headers or {}).items()}}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
            "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http",
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in names.items() if v],
            "client": (address, 50_000), "server": ("127.0.0.1", 8012),
        }  # fmt: skip
        response, sent, left = Response(), False, gone or asyncio.Event()

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await left.wait()
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                response.status = message["status"]
                response.headers = {k.decode(): v.decode("latin-1") for k, v in message["headers"]}
            else:
                response.body += message.get("body", b"")

        await self._app(scope, receive, send)
        return response
