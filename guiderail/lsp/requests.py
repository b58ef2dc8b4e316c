"""What is asked of the engine: at a cursor, after an edit, and after a suggestion."""

from __future__ import annotations

from dataclasses import replace

from guiderail.lsp.buffer import Buffer
from guiderail.lsp.client import ClientState
from guiderail.lsp.cursor import Cursor
from guiderail.lsp.engine import Wish
from guiderail.text.edit import Edit
from guiderail.text.fitting import Shaped


def at_cursor(client: ClientState, uri: str, cursor: Cursor, wanted: int, *, by_hand: bool = False) -> Wish:
    """The request of a client at its cursor."""
    path = cursor.document.path
    return Wish(
        uri=uri,
        document=cursor.document,
        offset=cursor.offset,
        root=client.policy.root_of(path),
        settings=client.policy.preferences_for(path).settings,
        wanted=wanted,
        line_ending=cursor.line_ending,
        client=client.scheduler.client,
        by_hand=by_hand,
    )


def after_edit(client: ClientState, buffer: Buffer) -> Wish:
    """The request that is likely to come after the last edit of a document."""
    return Wish(
        uri=buffer.uri,
        document=buffer.document,
        offset=min(buffer.cursor, len(buffer.text)),
        root=client.policy.root_of(buffer.path),
        settings=client.policy.preferences_for(buffer.path).settings,
        line_ending=buffer.line_ending,
        client=client.scheduler.client,
    )


def after_suggestion(wish: Wish, shaped: Shaped) -> Wish:
    """The request that will come once a suggestion is accepted."""
    accepted = Edit(wish.offset, wish.offset + shaped.covers, shaped.text)
    document = replace(wish.document, text=accepted.apply(wish.document.text))
    return replace(wish, document=document, offset=wish.offset + len(shaped.text), wanted=1, by_hand=False)
