"""Responses: JSON, errors, and server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import JSONResponse, StreamingResponse

from guiderail.serve.faults import RequestFault

DONE = "data: [DONE]\n\n"
_UNREAD = frozenset({401, 403, 408, 413, 503})  # answers that may come before the body was read
WAITING = ": waiting\n\n"  # a comment of a stream; it shows that the connection lives


def error_reply(fault: RequestFault) -> JSONResponse:
    """The response of an error."""
    headers = {"WWW-Authenticate": "Bearer"} if fault.status == 401 else {}
    if fault.status in _UNREAD:
        headers["Connection"] = "close"
    if fault.status in {429, 503}:
        headers["Retry-After"] = "1"
    return JSONResponse(fault.body(), fault.status, headers)


def event(value: dict[str, Any]) -> str:
    """One event of a stream."""
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


def stream_reply(events: AsyncIterator[str]) -> StreamingResponse:
    """A response of server-sent events."""
    return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def pieces(text: str) -> list[str]:
    """A text as it is streamed: line by line."""
    return text.splitlines(keepends=True)
