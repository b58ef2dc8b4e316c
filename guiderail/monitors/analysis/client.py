"""One running language server, spoken to over its standard input and output.

Everything here runs on one event loop (`guiderail.monitors.analysis.loop`); nothing waits without an end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient
from pygls.protocol import JsonRPCResponseMessage, LanguageServerProtocol

from guiderail import __version__
from guiderail.monitors.analysis import launcher, memory
from guiderail.monitors.analysis.inbox import Inbox
from guiderail.monitors.analysis.server import Server
from guiderail.monitors.analysis.shadow import Shadow

log = logging.getLogger(__name__)
START_S = 30.0  # a server that has not answered `initialize` by then is hung
STOP_S = 1.0
REAP_S, REAP_PAUSE_S = 1.0, 0.005  # how long a killed process may take to be gone, and how often that is looked at
MEMORY_EVERY_S = 5.0  # how often its memory is looked at
# pygls reports with a traceback what a server sends amiss; here that is expected, and counted by the analyser.
logging.getLogger("pygls").setLevel(logging.CRITICAL)
_PLAIN = [lsp.MarkupKind.PlainText]
CAPABILITIES = lsp.ClientCapabilities(
    general=lsp.GeneralClientCapabilities(
        position_encodings=[
            lsp.PositionEncodingKind.Utf32,
            lsp.PositionEncodingKind.Utf16,
            lsp.PositionEncodingKind.Utf8,
        ]
    ),
    workspace=lsp.WorkspaceClientCapabilities(configuration=True, workspace_folders=True),
    text_document=lsp.TextDocumentClientCapabilities(
        synchronization=lsp.TextDocumentSyncClientCapabilities(dynamic_registration=False),
        completion=lsp.CompletionClientCapabilities(
            completion_item=lsp.ClientCompletionItemOptions(snippet_support=False)
        ),
        signature_help=lsp.SignatureHelpClientCapabilities(
            signature_information=lsp.ClientSignatureInformationOptions(
                documentation_format=_PLAIN,
                parameter_information=lsp.ClientSignatureParameterInformationOptions(label_offset_support=True),
                active_parameter_support=True,
            )
        ),
        hover=lsp.HoverClientCapabilities(content_format=_PLAIN),
        definition=lsp.DefinitionClientCapabilities(),
        document_symbol=lsp.DocumentSymbolClientCapabilities(hierarchical_document_symbol_support=True),
        publish_diagnostics=lsp.PublishDiagnosticsClientCapabilities(version_support=True),
        diagnostic=lsp.DiagnosticClientCapabilities(),
    ),
)


class Client:
    """A started server.

    Parameters
    ----------
    server
        Which one.
    root
        The folder it works on.
    trusted
        Whether it may run programs of the project; if not, and it would, the kernel keeps it from that.
    """

    def __init__(self, server: Server, root: Path, *, trusted: bool = True) -> None:
        self.server = server
        self.root = root
        self.is_warm = not server.retries  # whether an empty answer can be believed
        self.ending = ""  # why it was ended from here
        self._trusted = trusted
        self._settings = server.settings
        self.garbage = 0  # messages that were no LSP
        self._rpc = _Rpc(self)
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._shadow: Shadow | None = None
        self._lost = False
        self._units: str = lsp.PositionEncodingKind.Utf16
        self._offers: dict[str, Any] = {}  # the server's capabilities
        self._inbox = Inbox()

    @property
    def alive(self) -> bool:
        """Whether the process runs and can be understood."""
        return self._process is not None and self._process.returncode is None and not self._lost

    @property
    def pid(self) -> int | None:
        """The process's id."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and shake hands.

        Raises
        ------
        OSError
            The program cannot be started.
        TimeoutError
            It does not answer.
        Exception
            It answers something else than LSP, or dies.
        """
        program = self.server.find()
        if program is None:
            raise FileNotFoundError(f"{self.server.command[0]} is not installed")
        confined = self.server.executes and not self._trusted
        if confined:
            assert self.server.confined is not None, "no such server is chosen for this workspace"
            self._settings = self.server.confined(self.root)
        self._process = await asyncio.create_subprocess_exec(
            *_command([str(program), *self.server.arguments(self.root)], confined=confined),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self.root,
            env=environment(self.root, trusted=self._trusted) | dict(self.server.variables),
        )
        assert self._process.stdin is not None
        self._rpc.protocol.set_writer(_Writer(self._process.stdin))
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._watch())]
        result: Any = await asyncio.wait_for(self._rpc.initialize_async(self._introduction()), START_S)
        self._offers = result.get("capabilities") or {}
        self._units = self._offers.get("positionEncoding") or lsp.PositionEncodingKind.Utf16
        self._rpc.initialized(lsp.InitializedParams())

    def _introduction(self) -> lsp.InitializeParams:
        uri = self.root.as_uri()
        return lsp.InitializeParams(
            process_id=os.getpid(),
            client_info=lsp.ClientInfo("guiderail", __version__),
            root_uri=uri,
            workspace_folders=[lsp.WorkspaceFolder(uri, self.root.name or "root")],
            initialization_options=self.server.introduction(self.root),
            capabilities=CAPABILITIES,
        )

    def show(self, path: Path, language: str, text: str) -> None:
        """Make the server see `text` as the content of the file, and every other file as it is on disk.

        A shadow left open would lie to the server about its file: half of it may be missing where another imports it.
        """
        uri, shadow = path.as_uri(), self._shadow
        if shadow is not None and shadow.uri == uri:
            if change := shadow.change(text):
                self._inbox.show(uri, shadow.version)
                self._rpc.text_document_did_change(change)
            return
        if shadow is not None:
            closed = lsp.TextDocumentIdentifier(shadow.uri)
            self._rpc.text_document_did_close(lsp.DidCloseTextDocumentParams(closed))
        shadow = self._shadow = Shadow(uri, text, self._units)
        self._inbox.show(uri, shadow.version)
        item = lsp.TextDocumentItem(uri, language, shadow.version, text)
        self._rpc.text_document_did_open(lsp.DidOpenTextDocumentParams(item))

    async def completion(self, offset: int) -> Any:
        """What may be written at `offset` (code points) of the shown file: LSP's plain answer, as all of these."""
        typed = self._text[offset - 1 : offset]
        triggers = (self._offers.get("completionProvider") or {}).get("triggerCharacters") or ()
        context = lsp.CompletionContext(lsp.CompletionTriggerKind.Invoked)
        if typed.strip() and typed in triggers:  # behind a blank tsc tells of imports alone
            context = lsp.CompletionContext(lsp.CompletionTriggerKind.TriggerCharacter, typed)
        params = lsp.CompletionParams(self._document, self._position(offset), context)
        return await self._rpc.text_document_completion_async(params)

    async def signature_help(self, offset: int) -> Any:
        """The overloads of the call around `offset`."""
        params = lsp.SignatureHelpParams(self._document, self._position(offset))
        return await self._rpc.text_document_signature_help_async(params)

    async def hover(self, offset: int) -> Any:
        """What is known of the name at `offset`."""
        return await self._rpc.text_document_hover_async(lsp.HoverParams(self._document, self._position(offset)))

    async def definition(self, offset: int) -> Any:
        """Where the name at `offset` is defined."""
        params = lsp.DefinitionParams(self._document, self._position(offset))
        return await self._rpc.text_document_definition_async(params)

    async def symbols(self) -> Any:
        """What the file declares."""
        return await self._rpc.text_document_document_symbol_async(lsp.DocumentSymbolParams(self._document))

    async def diagnostics(self) -> list[dict[str, Any]]:
        """What is wrong with the file: asked for where the server can be asked, else waited for.

        Raises
        ------
        NoAnswer
            The server says nothing.
        """
        if not self._offers.get("diagnosticProvider"):
            return await self._inbox.wait(self._document.uri)
        report: Any = await self._rpc.text_document_diagnostic_async(lsp.DocumentDiagnosticParams(self._document))
        return report.get("items") or []

    def offset(self, position: dict[str, Any]) -> int:
        """The offset (code points) of a position in the shown file."""
        assert self._shadow is not None
        return self._shadow.offset(position["line"], position["character"])

    def files_changed(self, paths: Sequence[Path]) -> None:
        """Tell the server that files were written or deleted by somebody else."""
        written = (lsp.FileChangeType.Created, lsp.FileChangeType.Changed)  # it is not known which
        gone = (lsp.FileChangeType.Deleted,)
        changes = [
            lsp.FileEvent(path.as_uri(), kind) for path in paths for kind in (written if path.exists() else gone)
        ]
        self._rpc.workspace_did_change_watched_files(lsp.DidChangeWatchedFilesParams(changes))

    @property
    def _document(self) -> lsp.TextDocumentIdentifier:
        assert self._shadow is not None
        return lsp.TextDocumentIdentifier(self._shadow.uri)

    @property
    def _text(self) -> str:
        assert self._shadow is not None
        return self._shadow.text

    def _position(self, offset: int) -> lsp.Position:
        assert self._shadow is not None
        return self._shadow.position(offset)

    async def _read(self) -> None:
        """Read messages until the stream ends; what is no message ends the conversation."""
        assert self._process is not None and self._process.stdout is not None
        try:
            while True:
                body = await _message(self._process.stdout)
                self._rpc.receive(body)
        except (asyncio.IncompleteReadError, ValueError, ConnectionError) as error:
            log.debug("%s: the conversation ended: %s", self.server.name, error)
        finally:
            # A stream that nobody empties any more would hide the process's end from asyncio, and never be closed.
            self._lost = True
            self.kill()
            await self._reaped()
            self._process._transport.close()  # type: ignore[attr-defined]  # asyncio has no other way to close a pipe
            self._rpc.abandon(f"{self.server.name} cannot be understood any more")

    async def _reaped(self) -> None:
        """Wait for the code of a killed process: to close its pipes before takes the code from asyncio, which tells."""
        assert self._process is not None
        for _ in range(round(REAP_S / REAP_PAUSE_S)):
            if self._process.returncode is not None:
                return
            await asyncio.sleep(REAP_PAUSE_S)

    async def _watch(self) -> None:
        """Wait for the process's end; bring it about if the process leaks."""
        assert self._process is not None
        while self._process.returncode is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), MEMORY_EVERY_S)
            if memory.group_mb(self._process.pid) > self.server.memory_mb:
                self.ending = f"held more than {self.server.memory_mb} MB"
                self.kill()
        self._rpc.abandon(f"{self.server.name} ended with code {self._process.returncode}")

    async def stop(self) -> None:
        """Ask the server to end; end it if it does not."""
        if self.alive:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._rpc.shutdown_async(None), STOP_S)
                self._rpc.exit(None)
                assert self._process is not None
                await asyncio.wait_for(self._process.wait(), STOP_S)
        self.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def kill(self) -> None:
        """End the process and all that it started, at once."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()


class _Rpc(LanguageClient):
    """pygls' typed requests over a stream of our own: its own reader dies of an odd header and never empties stderr."""

    def __init__(self, owner: Client) -> None:
        super().__init__("guiderail", __version__, protocol_cls=_Protocol)
        self._owner = owner
        for request in (
            lsp.CLIENT_REGISTER_CAPABILITY,
            lsp.CLIENT_UNREGISTER_CAPABILITY,
            lsp.WINDOW_WORK_DONE_PROGRESS_CREATE,
        ):
            self.feature(request)(lambda params: None)

        @self.feature(lsp.WORKSPACE_CONFIGURATION)
        def configuration(params: lsp.ConfigurationParams) -> list[Any]:
            return [owner._settings.get(item.section or "") for item in params.items]

    def receive(self, body: bytes) -> None:
        """Handle one message; count it if it is none."""
        try:
            message = json.loads(body)
            if message.get("method") == lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS:
                self._owner._inbox.receive(message["params"])
                return
            hook = self.protocol.structure_message
            # A list of completions is long: it is read once.
            plain = "method" not in message and "result" in message
            structured: Any = hook(message) if plain else json.loads(body, object_hook=hook)
            self.protocol.handle_message(structured)
        except Exception as error:
            self._owner.garbage += 1
            log.debug("%s: not a message: %r", self._owner.server.name, error)

    def abandon(self, reason: str) -> None:
        """Fail all requests that wait."""
        for future in self.protocol._request_futures.values():
            if not future.done():
                future.set_exception(ConnectionError(reason))


class _Protocol(LanguageServerProtocol):
    """Typed requests, plain answers: a server that strays from the letter of LSP somewhere (ty's capabilities do) must
    not make everything else that it says unreadable."""

    def structure_message(self, data: dict[str, Any]) -> Any:
        """A message from JSON; called for every object inside it too."""
        if "jsonrpc" in data and "id" in data and "result" in data and "method" not in data:
            self._result_types.pop(data["id"], None)
            return JsonRPCResponseMessage(id=data["id"], jsonrpc=data["jsonrpc"], result=data["result"])
        return super().structure_message(data)


class _Writer:
    """A stream that may have closed: writing to a dead server is no error here, waiting for its answer is."""

    def __init__(self, stream: asyncio.StreamWriter) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        if not self._stream.is_closing():
            self._stream.write(data)

    def close(self) -> None:
        self._stream.close()


async def _message(stream: asyncio.StreamReader) -> bytes:
    """The body of the next message.

    Raises
    ------
    ValueError
        What comes is no LSP.
    asyncio.IncompleteReadError
        The stream ended.
    """
    try:
        header = await stream.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise ValueError("no header") from error
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return await stream.readexactly(int(value))
    raise ValueError("a header without a length")


def _command(command: list[str], *, confined: bool) -> list[str]:
    if os.name != "posix":
        return command
    freedom = "confined" if confined else "free"
    return [sys.executable, "-I", "-S", launcher.__file__, str(os.getpid()), freedom, *command]


def environment(root: Path, *, trusted: bool = True) -> dict[str, str]:
    """The environment a server starts in: with the project's virtual environment, or the one guiderail runs in.

    The project's programs are on its search path only in a workspace that is trusted.
    """
    variables = dict(os.environ)
    own = [root / ".venv", root / "venv"] if trusted else []
    candidates = [*own, Path(variables.get("VIRTUAL_ENV", "")), Path(sys.prefix)]
    venv = next((path for path in candidates if (path / "pyvenv.cfg").is_file()), None)
    if venv is not None:
        folder = venv / ("Scripts" if os.name == "nt" else "bin")
        variables["VIRTUAL_ENV"] = str(venv)
        variables["PATH"] = os.pathsep.join([str(folder), variables.get("PATH", os.defpath)])
    return variables
