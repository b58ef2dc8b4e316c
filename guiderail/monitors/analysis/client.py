"""One running language server, spoken to over its standard input and output.

Everything here runs on one event loop (`guiderail.monitors.analysis.loop`), and every wait has a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp

from guiderail import __version__, private, programs
from guiderail.monitors.analysis import confinement, launcher, memory
from guiderail.monitors.analysis.capabilities import CAPABILITIES
from guiderail.monitors.analysis.inbox import Inbox
from guiderail.monitors.analysis.server import Server, Told, Workspace, whole
from guiderail.monitors.analysis.synced_document import SyncedDocument
from guiderail.monitors.analysis.unsaved import Unsaved
from guiderail.monitors.analysis.wire import Rpc, TrafficError, Writer, message_from
from guiderail.text.positions import Encoding, encoding_named

log = logging.getLogger(__name__)
START_S = 30.0  # a server that has not answered `initialize` by then is hung
STOP_S = 1.0
REAP_S, REAP_PAUSE_S = 1.0, 0.005  # how long a killed process may take to be gone, and how often that is looked at
MEMORY_EVERY_S = 5.0  # how often its memory is looked at


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
    python
        The interpreter or environment that a person named for the project.
    """

    def __init__(self, server: Server, root: Path, *, trusted: bool = True, python: str = "") -> None:
        self.server = server
        self.root = whole(root)
        self.is_warm = not server.retries  # whether an empty answer can be believed
        self.has_found = False  # the uses of a name, at least once
        self.ending = ""  # why it was ended from here
        self._trusted = trusted
        self._python = python
        self._told = Told()
        self._notes = ""  # a folder for files that it is to read
        self._settings = server.settings
        self._inbox = Inbox()
        self._rpc = Rpc(lambda: self._settings, self._inbox.receive)
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._shadow: SyncedDocument | None = None
        self._beside: dict[str, tuple[int, SyncedDocument]] = {}  # other open documents, with their editions
        self._lost = False
        self._killed = False  # perhaps before the process was started
        self._scratch = ""  # a folder for its temporary files, if it may write nowhere else
        self.encoding: Encoding = "utf-16"
        self._offers: dict[str, Any] = {}  # the server's capabilities

    @property
    def alive(self) -> bool:
        """Whether the process runs and can be understood."""
        return self._process is not None and self._process.returncode is None and not self._lost

    @property
    def pid(self) -> int | None:
        """The process's id."""
        return self._process.pid if self._process else None

    @property
    def received(self) -> int:
        """How many bytes the server has sent."""
        return self._rpc.received

    async def start(self) -> None:
        """Start the process and initialize the server.

        Raises
        ------
        OSError
            The program cannot be started.
        TimeoutError
            It does not answer.
        Exception
            It answers something else than LSP, or dies.
        """
        untrusted = None if self._trusted else self.root
        program = self.server.find(untrusted)
        if program is None:
            raise FileNotFoundError(f"{self.server.command[0]} is not installed")
        if self.server.executes and not self._trusted:
            assert self.server.confined is not None, "no such server is chosen for this workspace"
            self._settings = self.server.confined(self.root)
        if self.server.told is not None:
            self._notes = tempfile.mkdtemp(prefix="guiderail-")
            workspace = Workspace(self.root, self._trusted, self._python, Path(self._notes))
            try:
                self._told = await asyncio.to_thread(self.server.told, workspace)
            except Exception:  # it depends on the project's files: without it the server knows less
                if self._killed:
                    raise
                log.warning("%s is told nothing of %s", self.server.name, self.root, exc_info=True)
            self._settings = {**self._settings, **self._told.settings}
        limits = self._limits()
        arguments = self.server.arguments(self.root, unguarded=not self._trusted and limits is None)
        scratch = {"TMPDIR": str(self._scratch)} if limits is not None else {}
        # In the project's folder its files could steer who executes none of it: a shim, the JVM, node.
        own = self._trusted and self.server.executes
        self._process = await asyncio.create_subprocess_exec(
            *_command([str(program), *arguments], 0 if self._trusted else self.server.memory_mb, limits),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self.root if own else programs.working_directory(),
            env=self.server.environment(self.root, trusted=self._trusted, python=self._python) | scratch,
        )
        assert self._process.stdin is not None
        self._rpc.protocol.set_writer(Writer(self._process.stdin, self._overflow))
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._watch())]
        result: Any = await asyncio.wait_for(self._rpc.initialize_async(self._introduction(program)), START_S)
        self._offers = result.get("capabilities") or {}
        self.encoding = encoding_named(self._offers.get("positionEncoding"))
        self._rpc.initialized(lsp.InitializedParams())

    def _limits(self) -> dict[str, Any] | None:
        """The limits that the kernel enforces on the server; None if it is not confined."""
        if self._trusted or not confinement.is_possible():
            return None
        self._scratch = tempfile.mkdtemp(prefix="guiderail-")
        private.folder(self.server.cache)
        # What executes is not started where it cannot be alone (`servers.may_start`).
        alone = (self.server.executes or self.server.alone) and confinement.is_possible(alone=True)
        return {"alone": alone, "writable": [self._scratch, str(self.server.cache)]}

    def _introduction(self, program: Path) -> lsp.InitializeParams:
        uri = self.root.as_uri()
        return lsp.InitializeParams(
            process_id=os.getpid(),
            client_info=lsp.ClientInfo("guiderail", __version__),
            root_uri=uri,
            workspace_folders=[lsp.WorkspaceFolder(uri, self.root.name or "root")],
            initialization_options=self.server.introduction(self.root, program) | dict(self._told.options),
            capabilities=CAPABILITIES,
        )

    def show(self, path: Path, language: str, text: str, others: Mapping[Path, Unsaved] | None = None) -> None:
        """Make the server see `text` as the content of the file, and every other file as it is on disk.

        A shadow left open would lie to the server about its file: half of it may be missing where another imports it.

        Parameters
        ----------
        others
            The files of which it is to see something else; None leaves those as they were.
        """
        if others is not None:
            self._close_but(others)
        self._show(path, language, text)
        for other, unsaved in (others or {}).items():
            self._show_beside(other.as_uri(), unsaved)

    def _close_but(self, others: Mapping[Path, Unsaved]) -> None:
        """Let the server see other files as they are on disk again."""
        for uri in self._beside.keys() - {path.as_uri() for path in others}:
            del self._beside[uri]
            self._rpc.text_document_did_close(lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(uri)))

    def _show_beside(self, uri: str, unsaved: Unsaved) -> None:
        """Make the server see what an open document holds beside the one that it is asked about."""
        edition, known = self._beside.get(uri, (-1, None))
        if edition == unsaved.edition:
            return
        text = unsaved.document.text
        if known is not None:
            change = known.change(text)
            if change:
                self._rpc.text_document_did_change(change)
        else:
            known = SyncedDocument(uri, text, self.encoding)
            item = lsp.TextDocumentItem(uri, unsaved.document.language or "", known.version, text)
            self._rpc.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        self._beside[uri] = unsaved.edition, known

    def _show(self, path: Path, language: str, text: str) -> None:
        uri, shadow = whole(path).as_uri(), self._shadow
        if shadow is not None and shadow.uri == uri:
            if change := shadow.change(text):
                self._inbox.show(uri, shadow.version)
                self._rpc.text_document_did_change(change)
            return
        if shadow is not None:
            closed = lsp.TextDocumentIdentifier(shadow.uri)
            self._rpc.text_document_did_close(lsp.DidCloseTextDocumentParams(closed))
        shadow = self._shadow = SyncedDocument(uri, text, self.encoding)
        self._inbox.show(uri, shadow.version)
        item = lsp.TextDocumentItem(uri, language, shadow.version, text)
        self._rpc.text_document_did_open(lsp.DidOpenTextDocumentParams(item))

    async def completion(self, offset: int) -> Any:
        """What may be written at `offset` (code points) of the shown file: LSP's plain answer, as all of these."""
        typed = self._text[offset - 1 : offset]
        triggers = (self._offers.get("completionProvider") or {}).get("triggerCharacters") or ()
        context = lsp.CompletionContext(lsp.CompletionTriggerKind.Invoked)
        if typed.strip() and typed in triggers:  # after a blank tsc tells of imports alone
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

    async def references(self, offset: int) -> Any:
        """Where the name at `offset` is used, and declared."""
        params = lsp.ReferenceParams(lsp.ReferenceContext(True), self._document, self._position(offset))
        return await self._rpc.text_document_references_async(params)

    @property
    def finds_overrides(self) -> bool:
        """Whether the server can be asked what overrides a method."""
        return bool(self._offers.get("implementationProvider"))

    async def implementations(self, offset: int) -> Any:
        """Where what is named at `offset` is implemented, in subclasses too."""
        params = lsp.ImplementationParams(self._document, self._position(offset))
        return await self._rpc.text_document_implementation_async(params)

    async def rename(self, offset: int, name: str) -> Any:
        """What the server would change for another name of what is at `offset`."""
        params = lsp.RenameParams(self._document, self._position(offset), name)
        return await self._rpc.text_document_rename_async(params)

    @property
    def locates_types(self) -> bool:
        """Whether the server can be asked where a type is defined."""
        return bool(self._offers.get("typeDefinitionProvider"))

    async def type_definition(self, offset: int) -> Any:
        """Where the type of the expression at `offset` is defined."""
        params = lsp.TypeDefinitionParams(self._document, self._position(offset))
        return await self._rpc.text_document_type_definition_async(params)

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
        """Tell the server that files were written or deleted by another program."""
        written = (lsp.FileChangeType.Created, lsp.FileChangeType.Changed)  # it is not known which
        gone = (lsp.FileChangeType.Deleted,)
        changes = [
            lsp.FileEvent(whole(path).as_uri(), kind) for path in paths for kind in (written if path.exists() else gone)
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
                self._rpc.receive(await message_from(self._process.stdout))
                await asyncio.sleep(0)  # others want their turn, also while there is always more to read
        except TrafficError as error:
            self.ending = str(error)
        except asyncio.IncompleteReadError:
            self._lost = True
            await self._reaped()  # the code that it ends with says more
        except (ValueError, ConnectionError) as error:
            log.debug("%s: the conversation ended: %s", self.server.name, error)
        finally:
            code = self._process.returncode
            # A stream that is not read any more would hide the process's end from asyncio, and never be closed.
            self._lost = True
            self.kill()
            await self._reaped()
            self._process._transport.close()  # type: ignore[attr-defined]  # asyncio has no other way to close a pipe
            reason = "cannot be understood any more" if code is None else f"ended with code {code}"
            self._rpc.abandon(f"{self.server.name} {reason}")

    async def _reaped(self) -> None:
        """Wait for a killed process's exit code: asyncio loses it, and logs so, if the pipes are closed before."""
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

    def _overflow(self) -> None:
        self.ending = "does not read what it is told"
        self.kill()

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
        self._killed = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.name == "posix":
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:
                    self._process.kill()
        for folder in filter(None, (self._scratch, self._notes)):
            shutil.rmtree(folder, ignore_errors=True)


def _command(command: list[str], memory_mb: int, limits: dict[str, Any] | None) -> list[str]:
    if os.name != "posix":
        return command
    words = (str(os.getpid()), str(memory_mb), json.dumps(limits))
    return [sys.executable, "-I", "-S", launcher.__file__, *words, *command]
