"""Requests for suggestions, as ghost text and in the menu, and their acceptance."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

from lsprotocol import types

from guiderail.engine.engine import NotLoadedError
from guiderail.engine.request import CompletionRequest
from guiderail.errors import GuiderailError, UsageError
from guiderail.lsp import items, requests
from guiderail.lsp.buffer import path_of
from guiderail.lsp.client import ClientState
from guiderail.lsp.connection import Connection
from guiderail.lsp.cursor import Cursor, cursor_at
from guiderail.lsp.status_publisher import StatusPublisher
from guiderail.lsp.suggestion_log import ShownItem
from guiderail.lsp.trigger import TriggerKinds
from guiderail.lsp.why import Inquiry, place_of

log = logging.getLogger(__name__)

PREFETCH_DELAY_S = 0.3  # that a suggestion is shown before work on the one after it starts
TRIGGERS = (".", "(", "[")


@dataclass(eq=False)
class CompletionHandlers:
    """Answers one client's requests for suggestions.

    Parameters
    ----------
    client, connection, status
        The client's state, the way to it, and its status.
    warn
        Shows the person a problem of the settings.
    prefetch_delay_s
        Seconds from a suggestion to work on the one after it.
    """

    client: ClientState
    connection: Connection
    status: StatusPublisher
    _: KW_ONLY
    warn: Callable[[str], None]
    prefetch_delay_s: float = PREFETCH_DELAY_S
    _trigger_kinds: TriggerKinds = field(default_factory=TriggerKinds, init=False)

    def register(self) -> None:
        """Register the handlers."""
        connection, options = self.connection, types.CompletionOptions(trigger_characters=TRIGGERS)
        connection.on(types.TEXT_DOCUMENT_INLINE_COMPLETION, self.inline_completion, types.InlineCompletionOptions())
        connection.on(types.TEXT_DOCUMENT_COMPLETION, self.completion, options)
        connection.on("textDocument/didShowCompletion", self.client.suggestions.did_show)
        connection.on("textDocument/didPartiallyAcceptCompletion", self.client.suggestions.did_partially_accept)
        connection.on_command(items.ACCEPT, self.accept)

    async def inline_completion(self, params: types.InlineCompletionParams) -> types.InlineCompletionList:
        """Answer with ghost text: one suggestion, several when asked by hand."""
        client, uri = self.client, params.text_document.uri
        client.shows_ghost_text = True
        kind, selected = int(params.context.trigger_kind), params.context.selected_completion_info
        by_hand = self._trigger_kinds.is_by_hand(kind, client.scheduler.debouncer.since_change())
        cursor = self._cursor(uri, params.position, selected, by_hand=by_hand)
        if cursor is None:
            return types.InlineCompletionList([])
        wanted = client.policy.preferences_for(cursor.document.path).max_suggestions if by_hand else 1
        is_certain = by_hand and self._trigger_kinds.is_certain(kind)
        request = requests.at_cursor(client, uri, cursor, wanted, by_hand=is_certain)
        found = await self._suggestions("inline", request, cursor, wait=not by_hand)
        return types.InlineCompletionList([items.ghost(cursor, shown) for shown in found[:wanted]])

    async def completion(self, params: types.CompletionParams) -> types.CompletionList:
        """Answer with a menu item, where the menu is wanted."""
        client, uri = self.client, params.text_document.uri
        menu = client.policy.preferences_for(path_of(uri)).menu
        if menu is False or (menu is None and client.shows_ghost_text):
            return types.CompletionList(is_incomplete=False, items=[])
        cursor = self._cursor(uri, params.position)
        # A menu waits for all who fill it: nobody should wait for a model to load.
        if cursor is not None and client.worker.health.state in {"off", "loading"}:
            cursor = self._refused("the model is not loaded yet, and a menu does not wait for it")
        if cursor is None:
            return types.CompletionList(is_incomplete=True, items=[])
        found = await self._suggestions("menu", requests.at_cursor(client, uri, cursor, 1), cursor, wait=True)
        return types.CompletionList(is_incomplete=True, items=[items.menu_item(cursor, shown) for shown in found[:1]])

    def accept(self, *arguments: Any) -> None:
        """Record that a suggestion was accepted, and start on the next one."""
        named = arguments[0].get("id") if arguments and isinstance(arguments[0], dict) else None
        shown = self.client.suggestions.accepted(named)
        if shown is not None:
            self._prefetch_after(shown, 0.0)

    def _cursor(
        self,
        uri: str,
        position: types.Position,
        selected: types.SelectedCompletionInfo | None = None,
        *,
        by_hand: bool = False,
    ) -> Cursor | None:
        """The cursor of a request; None where nothing is suggested."""
        client, buffer = self.client, self.client.buffers.get(uri)
        self.status.set_active(uri if buffer else None)
        place = place_of(path_of(uri), uri, position.line)
        client.inquiry = Inquiry(place, (buffer.language if buffer else "") or "", by_hand)
        if buffer is None:
            return self._refused("the document is not open")
        reason = client.policy.disabled_reason(buffer)
        if reason:
            return self._refused(reason)
        cursor = cursor_at(buffer, position, selected)
        if cursor is None:
            return self._refused("the menu's selected item does not stand on the cursor's line")
        document, offset = client.placed(buffer, cursor.document, cursor.offset)
        cursor = replace(cursor, document=document, offset=offset)
        reason = "" if by_hand else client.policy.place_reason(cursor.document, cursor.offset)
        return self._refused(reason) if reason else cursor

    def _refused(self, reason: str) -> None:
        """Note why the model is not asked."""
        assert self.client.inquiry is not None, "the cursor of a request makes one"
        self.client.inquiry.reason = reason

    async def _suggestions(
        self, lane: str, request: CompletionRequest, cursor: Cursor, *, wait: bool
    ) -> list[ShownItem]:
        """Suggestions that fit in at the cursor; nothing when the model cannot answer.

        A request that may `wait` for the next key does so, as long as the settings say at most.
        """
        known = None if cursor.selected else self.client.followed.typed(request)  # who selects has not typed
        if known is not None:
            self.client.learn(known[0], right=known[1])
        preferences, began = self.client.policy.preferences_for(request.document.path), time.monotonic()
        inquiry = self.client.inquiry
        assert inquiry is not None, "the cursor of a request makes one"
        try:
            await self.client.configured.wait()
            if request.uri not in self.client.buffers:  # closed meanwhile
                return []
            debounce = preferences.debounce_ms / 1000 if wait else 0.0
            reply = await self.client.scheduler.ask(lane, request, debounce=debounce)
        except NotLoadedError as error:  # why, was logged when it was to be loaded; this comes at every key
            inquiry.failure = error.message
            self.client.worker.retry()
            return []
        except GuiderailError as error:
            inquiry.failure = str(error)
            self._log_failure(error)
            return []
        finally:
            inquiry.is_over = True
        inquiry.answer = reply.answer
        inquiry.made = made = self.client.suggestions.add(reply.candidates, cursor, request, time.monotonic() - began)
        if made and preferences.speculate:
            self._prefetch_after(made[0], self.prefetch_delay_s)
        return made

    def _log_failure(self, error: GuiderailError) -> None:
        log.warning("no suggestion: %s", error.message)
        if isinstance(error, UsageError):  # settings that do not go together: known only when they are used
            self.warn(str(error))

    def _prefetch_after(self, shown: ShownItem, seconds: float) -> None:
        """Start on the suggestion that follows one, unless its document was closed meanwhile."""
        if shown.request.uri in self.client.buffers:
            self.client.scheduler.prefetch(requests.after_suggestion(shown.request, shown.shaped), seconds)
