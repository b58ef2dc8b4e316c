"""One client's server: its documents, its settings, its requests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from guiderail import __version__
from guiderail.engine.engine import NotLoadedError
from guiderail.engine.request import CompletionRequest
from guiderail.errors import GuiderailError, UsageError
from guiderail.lsp import items, journal, status
from guiderail.lsp.buffer import Buffer, path_of
from guiderail.lsp.bulletin import Bulletin
from guiderail.lsp.configuration import SECTION, Said, camel, read, settle
from guiderail.lsp.explain import explanation
from guiderail.lsp.host import Host
from guiderail.lsp.items import Place
from guiderail.lsp.offer import ModelOffer
from guiderail.lsp.policy import Policy, canonical
from guiderail.lsp.positions import Encoding
from guiderail.lsp.progress import LoadProgress
from guiderail.lsp.returning import is_long
from guiderail.lsp.scheduler import Scheduler
from guiderail.lsp.shelf import Shelf, Shown
from guiderail.lsp.trigger import Numbering
from guiderail.lsp.watching import FOLDERS, matters, registrations
from guiderail.lsp.wire import Protocol, converter
from guiderail.lsp.worker import Health
from guiderail.text.edit import Edit

log = logging.getLogger(__name__)

START_PATIENCE = 3.0  # seconds from `initialize` in which a client's settings should have come
SLICE_S = 0.02  # for which a message with many changes has the event loop to itself
AHEAD = 0.3  # seconds that a suggestion stands before the one after it is made
TRIGGERS = (".", "(", "[")


# As a member of an object: within a text its quotes would be escaped.
_URI = re.compile(rb'"uri"\s*+:\s*+("(?:[^"\\]++|\\.)*+")', re.DOTALL)


def _uris_in(body: bytes) -> set[str]:
    """The URIs that a message names, which may not be JSON; characters and their escapes are read alike."""
    found: set[str] = set()
    for literal in _URI.findall(body):
        with contextlib.suppress(ValueError):
            found.add(json.loads(literal.decode("utf-8", "surrogateescape")))
    return found


class Server(LanguageServer):
    """The server of one client.

    Attributes
    ----------
    gone
        Set to the exit code when the client said `exit`, or is lost.
    """

    protocol: Protocol  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, host: Host) -> None:
        super().__init__(
            "guiderail",
            __version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            protocol_cls=Protocol,
            converter_factory=converter,
        )
        self.host = host
        self.worker = host.worker
        self.loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[int] = self.loop.create_future()
        self.buffers: dict[str, Buffer] = {}
        self.scheduler = Scheduler(self.worker)
        self.policy = Policy(read({}, host.flags, os.environ, None))
        self.shelf = Shelf()
        self.bulletin = Bulletin(self)
        self._encoding: Encoding = "utf-16"
        self._numbering = Numbering()
        self._progress = LoadProgress(self)
        self._offer = ModelOffer(self)
        self._given: dict[str, Any] = {}  # with `initialize`; counts for a client that says nothing later
        self._said = Said()
        self._uris: dict[Path, str] = {}  # of the workspace's folders, as the client writes them
        self._asks_for_ghost = False
        self._can_configure = False
        self._configured = asyncio.Event()  # the client's settings came, or will not come
        self._complained: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.worker.watchers.append(self._watch)
        self.protocol.on_unread = self._texts_missed
        self._register()

    def close(self) -> None:
        """End this client's work; the worker goes on for others."""
        self.host.clients.discard(self)
        if self._watch in self.worker.watchers:
            self.worker.watchers.remove(self._watch)
        had_long = is_long(buffer.text for buffer in self.buffers.values())
        self.buffers.clear()
        self._offer.stop()
        self.protocol.release()
        self._configured.set()  # who waits for it finds the documents closed
        self.scheduler.stop()
        self.shelf = Shelf()
        if had_long:
            self.worker.give_back()

    def leave(self, code: int) -> None:
        """Have the connection ended."""
        if not self.gone.done():
            self.gone.set_result(code)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log a handler's failure; a person can do nothing about it, and its message may quote source."""
        level = logging.INFO if isinstance(error, JsonRpcException) else logging.ERROR
        log.log(level, "failed: %s at %s", type(error).__name__, journal.where(error))

    # -- what the client may send

    def _register(self) -> None:
        features: dict[str, tuple[Callable[..., Any], Any]] = {
            types.INITIALIZE: (self._initialize, None),
            types.INITIALIZED: (self._initialized, None),
            types.SHUTDOWN: (self._shut_down, None),
            types.EXIT: (self._exit, None),
            types.TEXT_DOCUMENT_DID_OPEN: (self._did_open, None),
            types.TEXT_DOCUMENT_DID_CHANGE: (self._did_change, None),
            types.TEXT_DOCUMENT_DID_SAVE: (self._did_save, types.SaveOptions(include_text=False)),
            types.TEXT_DOCUMENT_DID_CLOSE: (self._did_close, None),
            types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: (self._folders_changed, None),
            types.WORKSPACE_DID_CHANGE_CONFIGURATION: (self._configuration_changed, None),
            types.WORKSPACE_DID_CHANGE_WATCHED_FILES: (self._watched_changed, None),
            types.WORKSPACE_DID_DELETE_FILES: (self._folders_deleted, FOLDERS),
            types.WORKSPACE_DID_RENAME_FILES: (self._folders_renamed, FOLDERS),
            types.TEXT_DOCUMENT_INLINE_COMPLETION: (self._inline_completion, types.InlineCompletionOptions()),
            types.TEXT_DOCUMENT_COMPLETION: (self._completion, types.CompletionOptions(trigger_characters=TRIGGERS)),
            status.REQUEST: (self._status, None),
            "guiderail/language": (self._language, None),
            "textDocument/didShowCompletion": (self.shelf.displayed, None),
            "textDocument/didPartiallyAcceptCompletion": (self.shelf.accepted_part, None),
        }
        for name, (handler, options) in features.items():
            self.protocol.fm.features[name] = handler
            if options is not None:
                self.protocol.fm.feature_options[name] = options
        self.protocol.fm.commands.update(
            {
                items.ACCEPT: self._accept,
                "guiderail.toggle": self._toggle,
                "guiderail.showLog": self._show_log,
                "guiderail.explain": self._explain,
                "guiderail.restart": self._restart,
            }
        )

    # -- life

    def _initialize(self, params: types.InitializeParams) -> None:
        self.host.clients.add(self)
        self._encoding = cast(Encoding, str(_encoding(params.capabilities)))
        workspace, window = params.capabilities.workspace, params.capabilities.window
        self._can_configure = bool(workspace and workspace.configuration)
        self._progress.wanted = bool(window and window.work_done_progress)
        folders = [folder.uri for folder in params.workspace_folders or ()]
        single = params.root_uri or (Path(params.root_path).absolute().as_uri() if params.root_path else None)
        self._uris = _folders(folders or [single or ""])
        self.policy.roots = list(self._uris)
        self._given = _section(params.initialization_options) or {}
        self._configure(Said(self._given), load=False)
        self.loop.call_later(START_PATIENCE, self._start_anyway)

    async def _initialized(self, _: types.InitializedParams) -> None:
        wanted = registrations(self.client_capabilities)
        if wanted:
            self._spawn(self.ask_client(types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams(wanted)))
        await self._pull_configuration()
        self._configured.set()
        self._offer.begin()

    def _start_anyway(self) -> None:
        """Serve a client that never says `initialized`: no request may wait for ever."""
        if not self._configured.is_set() and not self.gone.done():
            self._load()
            self._configured.set()

    def _shut_down(self, *_: Any) -> None:
        self.scheduler.stop()

    def _exit(self, *_: Any) -> None:
        self.leave(0 if self.protocol.is_ending else 1)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ask_client(self, method: str, params: Any) -> Any:
        """A client's answer, whenever it comes; None if it is an error."""
        answer = self.protocol.send_request_async(method, params)
        await asyncio.wait([answer])
        if answer.cancelled() or answer.exception() is not None:
            log.warning("the client refused %s", method)
            return None
        return answer.result()

    # -- settings

    async def _configuration_changed(self, params: types.DidChangeConfigurationParams) -> None:
        pushed = _section(params.settings, only=True)
        if pushed is not None:
            self._configure(Said(pushed or self._given))
        else:
            await self._pull_configuration()

    async def _pull_configuration(self) -> None:
        """Ask the client, folder by folder; what it says is all that is set, so that a setting can be taken back."""
        places = dict(self._uris)
        found: list[dict[str, Any]] = []
        if self._can_configure:
            items = [types.ConfigurationItem(scope_uri=uri, section=SECTION) for uri in places.values()]
            wanted = types.ConfigurationParams(items or [types.ConfigurationItem(section=SECTION)])
            answer = await self.ask_client(types.WORKSPACE_CONFIGURATION, wanted)
            given = answer if isinstance(answer, list | tuple) else ()
            found = [one if isinstance(one, dict) and one else self._given for one in given]
        self._configure(Said(found[0] if found else self._given, dict(zip(places, found, strict=False))))

    def _configure(self, said: Said, *, load: bool = True) -> None:
        """Take settings; what they change is changed at once."""
        self._said = said
        old = [one.settings for one in (self.policy.preferences, *self.policy.folders.values())]
        new, others = settle(said, self.policy.roots, self.host.flags, os.environ, self.host.settings)
        self.policy.configure(new, others)
        if not self.host.is_shared:
            journal.set_level(new.settings.log_level)
        for problem in (problem for one in (new, *others.values()) for problem in one.problems):
            self._complain(problem)
        if old != [one.settings for one in (new, *others.values())]:
            self.scheduler.forget_answers()
        if load:
            self._load()
        self.bulletin.publish()

    def settings_changed(self) -> None:
        """The person's settings file was changed: take what it says now; documents stay as they are."""
        self._configure(self._said)

    def _load(self) -> None:
        """Have the model there while suggestions are on, and its memory free while they are off."""
        if self.host.is_shared:
            return
        if self.policy.enabled:
            self.worker.load(self.policy.preferences.settings)
        elif self.worker.health.state != "off":
            self.worker.unload()

    def _complain(self, problem: str) -> None:
        if problem not in self._complained:
            self._complained.add(problem)
            log.warning("setting left out: %s", problem)
            # VS Code makes a link of Markdown's form, which may name a command, and a project's file may hold one.
            shown = problem.replace("](", "] (")
            self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, f"guiderail: {shown}"))

    # -- documents

    def _did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        self.scheduler.closed(item.uri)
        buffer = Buffer(item.uri, str(item.language_id), item.text, item.version, self._encoding)
        self.buffers[item.uri] = buffer
        self.bulletin.touched(item.uri)
        if not self.policy.verdict(buffer) and self.worker.health.state in {"loading", "ready"}:
            self.scheduler.opened(self._wish_behind_edit(buffer))

    def _did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        uri = params.text_document.uri
        buffer = self.buffers.get(uri)
        if buffer is None:
            log.warning("a change of a document that is not open")
            return
        was_lost = buffer.lost
        steps = buffer.applied(params.content_changes, params.text_document.version)
        if _taken(steps):
            self._changed(buffer, was_lost)
        else:
            self.protocol.hold(self._change_on(buffer, steps, was_lost))

    async def _change_on(self, buffer: Buffer, steps: Iterator[Edit], was_lost: bool) -> None:
        """Apply the rest of a message's changes, and let others have the event loop between them."""
        while not _taken(steps):
            await asyncio.sleep(0)
        self._changed(buffer, was_lost)

    def _changed(self, buffer: Buffer, was_lost: bool) -> None:
        """Act on a document's new text."""
        uri = buffer.uri
        if buffer.lost:
            if not was_lost:
                self._lose(buffer)
            return
        self.bulletin.touched(uri)
        self.scheduler.changed(uri, None if self.policy.verdict(buffer) else self._wish_behind_edit(buffer))

    def _texts_missed(self, method: str, body: bytes) -> None:
        """A message that was to bring a text cannot be read: the documents that it names are lost."""
        uris = _uris_in(body)
        named = [buffer for uri, buffer in self.buffers.items() if uri in uris]
        if not named and method == types.TEXT_DOCUMENT_DID_CHANGE:
            named = list(self.buffers.values())
        self._lose(*named)

    def _lose(self, *buffers: Buffer) -> None:
        """Suggest nothing in documents whose text is not the client's any more, until that comes whole."""
        for buffer in buffers:
            log.warning("a change of a document cannot be read: no suggestions there until it is opened again")
            buffer.lost = True
            self.scheduler.closed(buffer.uri)
        self.bulletin.touched(buffers[0].uri if len(buffers) == 1 else self.bulletin.front)

    def _did_save(self, params: types.DidSaveTextDocumentParams) -> None:
        self._files_changed(params.text_document.uri)
        self.bulletin.touched(params.text_document.uri)

    def _watched_changed(self, params: types.DidChangeWatchedFilesParams) -> None:
        knows, folder_of = self.worker.engine.knows, self.policy.folder_of
        changes = [(change.uri, path_of(change.uri), change.type) for change in params.changes]
        uris = [uri for uri, path, kind in changes if path and matters(path, folder_of(path), kind, knows)]
        if uris:
            self._files_changed(*uris)

    def _folders_deleted(self, params: types.DeleteFilesParams) -> None:
        self._files_changed(*(file.uri for file in params.files))

    def _folders_renamed(self, params: types.RenameFilesParams) -> None:
        self._files_changed(*(uri for file in params.files for uri in (file.old_uri, file.new_uri)))

    def _files_changed(self, *uris: str) -> None:
        """Files or folders were written or deleted: what is known of them, and was made of that, is out of date."""
        uris = tuple(dict.fromkeys(uris))  # two patterns match code that comes or goes, and each of them tells
        paths = [path for uri in uris if (path := path_of(uri)) is not None]
        self.worker.engine.files_changed(*paths)
        self.policy.refresh()
        around = {folder for root in self._uris for folder in (root, *root.parents)}
        if any(path.name == "pyproject.toml" or path in around for path in paths):
            self._configure(self._said)
        # Names may be gone that other files suggest; what is suggested in a file does not hang on its own copy on disk.
        self.scheduler.forget_answers(but=uris[0] if len(uris) == 1 else None)

    def _did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        buffer = self.buffers.pop(uri, None)
        self.policy.files.pop(uri, None)
        self.scheduler.closed(uri)
        self.shelf.forget(uri)
        if buffer and is_long([buffer.text]):
            self.worker.give_back()
        if self.bulletin.front == uri:
            self.bulletin.turn_to(None)

    def _folders_changed(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        gone = _folders(folder.uri for folder in params.event.removed)
        kept = {path: uri for path, uri in self._uris.items() if path not in gone}
        self._uris = kept | _folders(folder.uri for folder in params.event.added)
        self.policy.roots = list(self._uris)
        self._configure(self._said)  # now, by the projects' own settings and what is known of the editor's
        if self._can_configure:
            self._spawn(self._pull_configuration())

    # -- requests

    async def _inline_completion(self, params: types.InlineCompletionParams) -> types.InlineCompletionList:
        self._asks_for_ghost = True
        kind, selected = int(params.context.trigger_kind), params.context.selected_completion_info
        by_hand = self._numbering.is_by_hand(kind, self.scheduler.pace.since_change())
        place = self._place(params.text_document.uri, params.position, selected)
        if place is None:
            return types.InlineCompletionList([])
        wanted = self.policy.of(place.document.path).max_suggestions if by_hand else 1
        is_certain = by_hand and self._numbering.is_certain(kind)
        wish = self._wish(params.text_document.uri, place, wanted, by_hand=is_certain)
        found = await self._offered("inline", wish, place, by_hand=by_hand)
        return types.InlineCompletionList([items.ghost(place, shown.shaped, shown.name) for shown in found[:wanted]])

    async def _completion(self, params: types.CompletionParams) -> types.CompletionList:
        menu = self.policy.of(path_of(params.text_document.uri)).menu
        if menu is False or (menu is None and self._asks_for_ghost):
            return types.CompletionList(is_incomplete=False, items=[])
        place = self._place(params.text_document.uri, params.position)
        # A menu waits for all who fill it: nobody should wait for a model to load.
        if place is None or self.worker.health.state in {"off", "loading"}:
            return types.CompletionList(is_incomplete=True, items=[])
        found = await self._offered("menu", self._wish(params.text_document.uri, place, 1), place, by_hand=False)
        made = [
            items.menu_item(place, shown.shaped, shown.name, items.note_of(shown.offer.suggestion))
            for shown in found[:1]
        ]
        return types.CompletionList(is_incomplete=True, items=made)

    def _place(
        self, uri: str, position: types.Position, selected: types.SelectedCompletionInfo | None = None
    ) -> Place | None:
        """Where a request wants something; None where nothing is offered."""
        buffer = self.buffers.get(uri)
        self.bulletin.turn_to(uri if buffer else None)
        if buffer is None or self.policy.verdict(buffer):
            return None
        return items.place_of(buffer, position, selected)

    def _wish(self, uri: str, place: Place, wanted: int, *, by_hand: bool = False) -> CompletionRequest:
        return CompletionRequest(
            uri=uri,
            document=place.document,
            offset=place.offset,
            root=self.policy.root_of(place.document.path),
            settings=self.policy.of(place.document.path).settings,
            n=wanted,
            client=self.scheduler.client,
            by_hand=by_hand,
        )

    def _wish_behind_edit(self, buffer: Buffer) -> CompletionRequest:
        return CompletionRequest(
            uri=buffer.uri,
            document=buffer.document,
            offset=min(buffer.cursor, len(buffer.text)),
            root=self.policy.root_of(buffer.path),
            settings=self.policy.of(buffer.path).settings,
            client=self.scheduler.client,
        )

    async def _offered(self, lane: str, wish: CompletionRequest, place: Place, *, by_hand: bool) -> list[Shown]:
        """What is offered, fitted into its place, each under a name by which it can be reported accepted."""
        preferences, began = self.policy.of(wish.document.path), time.monotonic()
        debounce = 0.0 if by_hand else preferences.debounce_ms / 1000
        try:
            await self._configured.wait()
            if wish.uri not in self.buffers:  # closed meanwhile
                return []
            found = await self.scheduler.ask(lane, wish, debounce=debounce)
        except NotLoadedError:  # why, was logged when it was to be loaded; this comes at every key
            return []
        except GuiderailError as error:
            log.warning("no suggestion: %s", error.message)
            if isinstance(error, UsageError):  # settings that do not go together: known only when they are used
                self._complain(str(error))
            return []
        made = self.shelf.put(found, place, wish, time.monotonic() - began)
        if made and preferences.speculate:
            self._ask_ahead(made[0], AHEAD)
        return made

    def _ask_ahead(self, shown: Shown, seconds: float) -> None:
        """Have the suggestion made that follows one, unless its document was closed meanwhile."""
        if shown.wish.uri in self.buffers:
            self.scheduler.ahead(items.next_wish(shown.wish, shown.shaped), seconds)

    # -- what became of the suggestions

    def _accept(self, *arguments: Any) -> None:
        shown = self.shelf.accepted(_first(arguments).get("id"))
        if shown is not None:
            self._ask_ahead(shown, 0.0)

    # -- commands and status

    def _toggle(self, *arguments: Any) -> dict[str, Any]:
        wanted = _first(arguments)
        scope, uri = str(wanted.get("scope", "global")), wanted.get("uri") or self.bulletin.front
        buffer = self.buffers.get(str(uri))
        policy = self.policy
        reply: dict[str, Any] = {"scope": scope}
        if scope == "language":
            language = canonical(str(wanted.get("language") or (buffer.language if buffer else None) or "plaintext"))
            enabled = policy.languages[language] = not policy.allows_language(language, path_of(str(uri)))
            reply["language"] = language
        elif scope == "file":
            enabled = bool(buffer and policy.refuses(buffer))
            reply["uri"] = uri
            if buffer:
                policy.files[buffer.uri] = enabled
        else:
            enabled = policy.switch()
            reply["scope"] = "global"
            self._load()
        self.bulletin.touched(buffer.uri if buffer else self.bulletin.front)
        return reply | {"enabled": enabled, "status": self.bulletin.now().as_json()}

    def _show_log(self, *_: Any) -> dict[str, str]:
        return {"path": str(self.host.log_path)}

    def _explain(self, *_: Any) -> dict[str, Any]:
        return explanation(self.shelf, self.scheduler.counts)

    def _restart(self, *_: Any) -> dict[str, Any]:
        self.scheduler.forget_answers()
        if self.host.clients - {self} and self.worker.holds:
            message = "other clients use the model too: whoever runs the server can restart it"
            raise JsonRpcException(message, code=types.LSPErrorCodes.RequestFailed.value)
        if self.host.is_shared or self.policy.enabled:
            self.worker.load(self.host.settings or self.policy.preferences.settings, again=True)
        return self.bulletin.now().as_json()

    def _status(self, params: Any = None) -> dict[str, Any]:
        """The status; of one document if the request names its ``uri``, which is the one in front from then on."""
        uri = params.get("uri") if isinstance(params, dict) else None
        if isinstance(uri, str):
            self.bulletin.told(uri)
        return self.bulletin.now().as_json()

    def _language(self, params: Any = None) -> dict[str, Any]:
        """Whether the settings give a language suggestions, and what its editor must set to turn that round."""
        given = _first((params,))
        language, path = canonical(str(given.get("language") or "plaintext")), path_of(str(given.get("uri") or ""))
        wanted = {camel(key): names for key, names in self.policy.turned(language, path).items()}
        return {"language": language, "enabled": self.policy.sets_language(language, path), "turned": wanted}

    def _watch(self, health: Health) -> None:
        """The worker's health changed; called on any thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._health_changed, health)

    def _health_changed(self, health: Health) -> None:
        if health.state == "loading":
            self.scheduler.forget_answers()
        if self.protocol.is_open:
            self._progress.follow(health)
            self.bulletin.publish()


def _encoding(capabilities: types.ClientCapabilities) -> str:
    chosen = ServerCapabilitiesBuilder.choose_position_encoding(capabilities)
    return chosen.value if isinstance(chosen, types.PositionEncodingKind) else chosen


def _taken(steps: Iterator[Edit]) -> bool:
    """Take steps for `SLICE_S`; whether there are no more."""
    end = time.monotonic() + SLICE_S
    return all(time.monotonic() < end for _ in steps)


def _folders(uris: Iterable[str]) -> dict[Path, str]:
    """Those of the folders that are on this machine, with the names that the client has for them."""
    return {path: uri for uri in uris if (path := path_of(uri)) is not None}


def _section(options: object, *, only: bool = False) -> dict[str, Any] | None:
    """Our section of an object of settings; the object itself if it has none, unless `only` the section counts."""
    if not isinstance(options, dict):
        return None
    inner = options.get(SECTION)
    if isinstance(inner, dict):
        return inner
    return None if only else options


def _first(arguments: tuple[Any, ...]) -> dict[str, Any]:
    return arguments[0] if arguments and isinstance(arguments[0], dict) else {}
