"""One client's connection: whatever a client sends, a request gets one reply.

Unlike pygls it answers messages that cannot be read, and requests before `initialize` and after `shutdown`. It keeps
the text of documents itself, never logs a message body, and on a network connection answers nothing before the right
token.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from lsprotocol import types
from pygls.protocol import LanguageServerProtocol

from guiderail.lsp.logfile import location_of

log = logging.getLogger(__name__)

UNAUTHORISED = -32001
# Documents, folders and the end are this server's own business; pygls would keep a second, wrong text.
_HANDLED_HERE = (
    types.TEXT_DOCUMENT_DID_OPEN,
    types.TEXT_DOCUMENT_DID_CHANGE,
    types.TEXT_DOCUMENT_DID_CLOSE,
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS,
    types.EXIT,
)
_NOT_JSON = object()
_TEXTS = (  # messages that bring a document's text
    types.TEXT_DOCUMENT_DID_CHANGE,
    types.TEXT_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
)


class Connection(LanguageServerProtocol):
    """Dispatches one client's messages to handlers, and sends it replies, notifications and requests.

    Attributes
    ----------
    token
        What the client must give in ``initializationOptions.token``; None on standard input and output.
    on_rejected
        Called when the client did not show the right token first.
    on_unread
        Called with a method and the body of its message when that was to bring a document's text, and cannot be read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.token: str | None = None
        self.on_rejected: Callable[[], None] = lambda: None
        self.on_unread: Callable[[str, bytes], None] = lambda *_: None
        self._exclusive: set[asyncio.Future[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._initialized = self._open = self._shutdown = self._rejected = (
            False  # before pygls looks through the attributes
        )
        super().__init__(*args, **kwargs)
        for method in _HANDLED_HERE:
            self.fm.builtin_features.pop(method, None)

    @property
    def is_ending(self) -> bool:
        """Whether `shutdown` came."""
        return self._shutdown

    @property
    def is_initialized(self) -> bool:
        """Whether `initialize` came, with the right token."""
        return self._initialized

    @property
    def is_open(self) -> bool:
        """Whether the client may be sent notifications and requests."""
        return self._open and not self._shutdown

    def on(self, method: str, handler: Callable[..., Any], options: Any = None) -> None:
        """Register the handler of a message; `options` go into the capabilities that `initialize` answers with."""
        self.fm.features[method] = handler
        if options is not None:
            self.fm.feature_options[method] = options

    def on_command(self, name: str, handler: Callable[..., Any]) -> None:
        """Register the handler of a `workspace/executeCommand` command."""
        self.fm.commands[name] = handler

    def show_message(self, kind: types.MessageType, text: str) -> None:
        """Show the person a message."""
        self.notify(types.WINDOW_SHOW_MESSAGE, types.ShowMessageParams(kind, text))

    async def ask(self, method: str, params: Any) -> Any:
        """The client's answer to a request, whenever it comes; None if it is an error."""
        answer = self.send_request_async(method, params)
        await asyncio.wait([answer])
        if answer.cancelled() or answer.exception() is not None:
            log.warning("the client refused %s", method)
            return None
        return answer.result()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work in the background, while messages go on being handled."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_log_failure)

    def run_exclusively(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the rest of a message's handling; the next message is received when it is done (`wait_for_exclusive`)."""
        task = asyncio.ensure_future(work)
        self._exclusive.add(task)
        task.add_done_callback(_log_failure)

    async def wait_for_exclusive(self) -> None:
        """Wait until the next message may be received, which may depend on the result of the last one."""
        if self._exclusive:  # a notebook's message may change several cells
            await asyncio.wait(self._exclusive)
            self._exclusive.clear()

    def cancel_exclusive(self) -> None:
        """Cancel the work that the next message waits for."""
        for task in self._exclusive:
            task.cancel()

    def receive(self, body: bytes) -> None:
        """Handle the body of one frame; never raises."""
        if self._rejected:
            return
        data = _read(body)
        if self.token is not None and not self._initialized and not self._is_authorised(data):
            asked = data.get("id") if isinstance(data, dict) and "method" in data else None
            self.reject(asked, "the token must come first, and be right")
        elif data is _NOT_JSON:
            self._refuse(None, types.ErrorCodes.ParseError, "this is not JSON")
            self._report_unread(next((name for name in _TEXTS if name.encode() in body), None), body)
        elif not isinstance(data, dict) or data.get("jsonrpc") != self.VERSION or not _is_message(data):
            asked = data.get("id") if isinstance(data, dict) else None
            self._refuse(asked, types.ErrorCodes.InvalidRequest, "this is not a JSON-RPC 2.0 object")
            for one in data if isinstance(data, list) else (data,):  # a batch, which the protocol does not have
                self._report_unread(one.get("method") if isinstance(one, dict) else None, body)
        else:
            self._dispatch(data, body)

    def reject(self, asked: Any, message: str) -> None:
        """Answer an unauthorised client, once, and end the connection."""
        if not self._rejected:
            self._rejected = True
            self._refuse(asked, UNAUTHORISED, message)
            self.on_rejected()

    def end_with(self, message: str) -> None:
        """Send the reason why the connection is ended."""
        if self.token is None or self._initialized:
            self._refuse(None, types.ErrorCodes.InvalidRequest, message)
        else:
            self.reject(None, "the token must come first, and be right")

    def _dispatch(self, data: dict[str, Any], body: bytes) -> None:
        method, asked = data.get("method"), data.get("id")
        if method is not None and asked is None:
            data.pop("id", None)  # null is no id: nobody could tell which request a reply belongs to
        _pop_token(data)  # where none is wanted, one may be given all the same
        refusal = self._refusal(method)
        if refusal is None:
            self._handle(data, asked if method is not None else None, body)
        elif method is not None and asked is not None:
            self._refuse(asked, *refusal)

    def _report_unread(self, method: Any, body: bytes) -> None:
        """Call `on_unread` for a message that was to bring a text."""
        if method in _TEXTS:
            self.on_unread(method, body)

    def _handle(self, data: dict[str, Any], asked: Any, body: bytes) -> None:
        method = data.get("method")
        try:
            message = self.structure_message(data)
        except Exception as error:
            log.warning("cannot read a %.100r message: %s", method, type(error).__name__)
            if asked is not None:
                self._refuse(asked, types.ErrorCodes.InvalidParams, f"the parameters of {method} cannot be read")
            self._report_unread(method, body)
            return
        self._initialized |= method == types.INITIALIZE
        self._open |= method == types.INITIALIZED
        try:
            self.handle_message(message)  # pyright: ignore[reportArgumentType]
        except Exception as error:
            log.error("failed at a %.100r message: %s at %s", method, type(error).__name__, location_of(error))

    def _refusal(self, method: str | None) -> tuple[int, str] | None:
        """Why a message is not taken, if so."""
        if not self._initialized:
            if method in {types.INITIALIZE, types.EXIT}:
                return None
            return types.ErrorCodes.ServerNotInitialized, "initialize must come first"
        if method == types.INITIALIZE:
            return types.ErrorCodes.InvalidRequest, "the server is initialized already"
        if self._shutdown and method not in {None, types.EXIT}:
            return types.ErrorCodes.InvalidRequest, "the server is shutting down"
        return None

    def _is_authorised(self, data: Any) -> bool:
        """Whether a message is an `initialize` request with the right token."""
        given = _pop_token(data)
        return isinstance(given, str) and hmac.compare_digest(
            given.encode("utf-8", "replace"), (self.token or "").encode()
        )

    def _refuse(self, asked: Any, code: int, message: str) -> None:
        asked = asked if _is_id(asked) else None
        self._send_data({"jsonrpc": self.VERSION, "id": asked, "error": {"code": int(code), "message": message}})

    def _send_data(self, data: Any) -> None:
        """Write one frame. Nothing is logged: bodies hold source."""
        if not data or self.writer is None:
            return
        body = json.dumps(data, default=self._serialize_message).encode()
        self.writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)


def _log_failure(done: asyncio.Future[None]) -> None:
    error = None if done.cancelled() else done.exception()
    if error is not None:
        log.error("failed: %s at %s", type(error).__name__, location_of(error))


def _read(body: bytes) -> Any:
    """A body as JSON; `_NOT_JSON` if it is not."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _is_id(value: Any) -> bool:
    """Whether a value is a valid id of a request."""
    return value is None or isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def _is_message(data: dict[str, Any]) -> bool:
    """Whether an object's name and id are of the kinds that the protocol has."""
    return isinstance(data.get("method", ""), str) and _is_id(data.get("id"))


def _pop_token(data: Any) -> Any:
    """The token of an `initialize` message, taken out of it: debugging logs the rest; None if it is another."""
    if not isinstance(data, dict) or data.get("method") != types.INITIALIZE:
        return None
    params = data.get("params")
    options = params.get("initializationOptions") if isinstance(params, dict) else None
    return options.pop("token", None) if isinstance(options, dict) else None
