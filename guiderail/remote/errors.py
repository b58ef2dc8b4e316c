"""What goes wrong with a model server, in words for a person; no text of a prompt is ever among them."""

from __future__ import annotations

from typing import Any

import httpx2

from guiderail.errors import UnavailableError
from guiderail.remote.address import Address

SHOWN = 160  # characters of a server's own message: more may repeat the prompt
_START = "Start it, or check the setting model"


class RemoteError(UnavailableError):
    """The model server cannot be reached, refuses, or gives no usable answer."""


def of_transport(error: Exception, address: Address, seconds: float) -> RemoteError:
    """The error for what failed between here and the server."""
    who = f"the model server at {address.place}"
    match error:
        case httpx2.ConnectTimeout() | httpx2.ConnectError() | httpx2.ProxyError():
            return RemoteError(f"{who} cannot be reached", _START)
        case httpx2.TimeoutException() | TimeoutError():
            return RemoteError(f"{who} gave no answer within {seconds:.0f} s", "Check how busy it is, and try again")
        case httpx2.SSEError():
            return unreadable(address)
        case httpx2.TransportError():
            return RemoteError(f"{who} ended the connection before its answer was whole", "See its log, and try again")
        case _:
            return unreadable(address)


def of_status(status: int, body: Any, address: Address, key_env: str) -> RemoteError:
    """The error for an answer that is not 200."""
    who = f"the model server at {address.place}"
    if 300 <= status < 400:
        return RemoteError(f"{who} sends to another address, which is not followed", "Set model to the right address")
    if status in {401, 403}:
        if not key_env:
            return RemoteError(f"{who} wants a key", "Name the environment variable that holds it: --api-key-env NAME")
        return RemoteError(f"{who} refuses the key in {key_env}", f"Check the value of {key_env}")
    if status == 404:
        return RemoteError(f"{who} has no such endpoint or model", "Check the address, and its model after #")
    if status == 429:
        return RemoteError(f"{who} has too many requests", "Wait a little, or raise its limit")
    reason = _message_of(body)
    told = f"{who} answers {status}{f': {reason}' if reason else ''}"
    return RemoteError(told, "Wait until it is ready, or see its log" if status >= 500 else "See its log")


def unreadable(address: Address) -> RemoteError:
    """The error for an answer of another form than its kind of server gives."""
    return RemoteError(f"the model server at {address.place} gave an answer that cannot be read", "Check the address")


def _message_of(body: Any) -> str:
    """What a server says about its error, shortened and printable."""
    found = body.get("error", body.get("message", body.get("detail"))) if isinstance(body, dict) else None
    text = found.get("message") if isinstance(found, dict) else found
    if not isinstance(text, str):
        return ""
    words = " ".join(text.split())
    shown = "".join(letter for letter in words if letter.isprintable()).rstrip(".")
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
