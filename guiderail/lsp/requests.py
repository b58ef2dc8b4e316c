"""Makes the requests for the engine: at a cursor, after an edit, and after a suggestion."""

from __future__ import annotations

from dataclasses import replace

from guiderail.engine.request import CompletionRequest
from guiderail.lsp.buffer import Buffer
from guiderail.lsp.client import ClientState
from guiderail.lsp.cursor import Cursor
from guiderail.text.edit import Edit
from guiderail.text.fitting import FittedText


def at_cursor(
    client: ClientState, uri: str, cursor: Cursor, wanted: int, *, by_hand: bool = False
) -> CompletionRequest:
    """The request of a client at its cursor."""
    path = cursor.document.path
    return CompletionRequest(
        uri=uri,
        document=cursor.document,
        offset=cursor.offset,
        root=client.policy.root_of(path),
        settings=client.policy.preferences_for(path).settings,
        n=wanted,
        client=client.scheduler.client,
        by_hand=by_hand,
        odds=client.odds,
    )


def after_edit(client: ClientState, buffer: Buffer) -> CompletionRequest:
    """The request that is likely to come after the last edit of a document."""
    document, offset = client.placed(buffer, buffer.document, min(buffer.cursor, len(buffer.text)))
    return CompletionRequest(
        uri=buffer.uri,
        document=document,
        offset=offset,
        root=client.policy.root_of(buffer.path),
        settings=client.policy.preferences_for(buffer.path).settings,
        client=client.scheduler.client,
        odds=client.odds,
    )


def after_suggestion(request: CompletionRequest, shaped: FittedText) -> CompletionRequest:
    """The request that will come once a suggestion is accepted."""
    accepted = Edit(request.offset, request.offset + shaped.covers, shaped.text)
    document = replace(request.document, text=accepted.apply(request.document.text))
    return replace(request, document=document, offset=request.offset + len(shaped.text), n=1, by_hand=False)
