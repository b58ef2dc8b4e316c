"""Decides which requests are let in at all: by their host, their origin and their key.

A web page in a browser on this machine can send requests to loopback addresses, also under a name of its own that
leads there (DNS rebinding). Such requests carry the page's name in `Host` or `Origin`. No answer carries a CORS header,
so a page cannot read any.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guiderail.lsp.network import Address
from guiderail.serve.faults import RequestFault
from guiderail.serve.replies import error_reply

PUBLIC = frozenset({"/health", "/v1/health"})  # without a key, as of llama.cpp's server
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:@]+))(?::[0-9]*)?")
SEND_S = 20.0  # in which a client must take what is written to it


class Guard:
    """An ASGI application around another one that lets only some requests through.

    Parameters
    ----------
    app
        The application.
    key
        What clients must show; "" for none.
    local_only
        Whether the server listens on a loopback address, so that requests must name one.
    """

    def __init__(self, app: ASGIApp, key: str, local_only: bool) -> None:
        self._app = app
        self._key = key.encode()
        self._local_only = local_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            return

        async def patient(message: Message) -> None:
            await asyncio.wait_for(send(message), SEND_S)

        try:
            self._check(scope["path"], Headers(scope=scope))
        except RequestFault as fault:
            await error_reply(fault)(scope, receive, patient)
            return
        await self._app(scope, receive, patient)

    def _check(self, path: str, headers: Headers) -> None:
        if self._local_only and not _is_local(headers.get("host", "")):
            raise RequestFault(403, "the request names another host than this machine", "Use 127.0.0.1 or localhost")
        if not all(_is_local(_host_of(origin)) for origin in headers.getlist("origin")):
            raise RequestFault(403, "requests of web pages are refused")
        if self._key and path not in PUBLIC and not self._knows(headers):
            raise RequestFault(401, "Invalid API Key", "Send the server's key as a bearer token")

    def _knows(self, headers: Headers) -> bool:
        """Whether the client shows the key; the comparison takes the same time for all keys of one length."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        shown = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        return secrets.compare_digest(shown.encode(), self._key)


def _host_of(url: str) -> str:
    """The host and port of a URL; "" where it has none."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _is_local(host: str) -> bool:
    """Whether ``NAME`` or ``NAME:PORT`` names this machine."""
    parts = _HOST.fullmatch(host)
    return parts is not None and Address((parts[1] or parts[2]).lower().rstrip("."), 0).is_loopback
