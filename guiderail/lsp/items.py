"""The items that editors show: ghost text and completion menu."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from guiderail.lsp.cursor import Cursor
from guiderail.lsp.suggestion_log import ShownItem
from guiderail.text.backwards import word_start

if TYPE_CHECKING:
    from guiderail.engine.suggestion import Suggestion

ACCEPT = "guiderail.accept"
LABEL = 80  # characters of a menu item's label
LAST = "\uffff"  # sorts after every name


def ghost(cursor: Cursor, shown: ShownItem) -> types.InlineCompletionItem:
    """An item of `textDocument/inlineCompletion`."""
    text = cursor.selected + shown.shaped.text
    return types.InlineCompletionItem(
        insert_text=text,
        filter_text=text,
        range=cursor.range(cursor.replaced, shown.shaped.covers),
        command=_accepted(shown.name),
    )


def menu_item(cursor: Cursor, shown: ShownItem) -> types.CompletionItem:
    """An item of `textDocument/completion`; it replaces the half-typed word, so that the client's filter finds it."""
    word = cursor.before[word_start(cursor.before, len(cursor.before)) :]
    text, note = word + shown.shaped.text, _note_of(shown.candidate.suggestion)
    first = text.strip().split("\n", 1)[0].rstrip()
    return types.CompletionItem(
        label=first if len(first) <= LABEL else f"{first[: LABEL - 1]}…",
        kind=types.CompletionItemKind.Text,
        detail=f"guiderail: {note}" if note else "guiderail",
        documentation=text if text.strip() != first else None,
        sort_text=LAST,
        filter_text=text.split("\n", 1)[0].strip() or word,
        insert_text_format=types.InsertTextFormat.PlainText,
        insert_text_mode=types.InsertTextMode.AsIs,
        text_edit=types.TextEdit(range=cursor.range(len(word), shown.shaped.covers), new_text=text),
        command=_accepted(shown.name),
    )


def _note_of(suggestion: Suggestion) -> str:
    """The verdict of static analysis on a suggestion, and the tokens that it forbade, in one line."""
    watches = suggestion.monitored.watches if suggestion.monitored else []
    forbidden = dict.fromkeys(repr(token) for watch in watches for token in watch.forbidden)
    said = [str(suggestion.verdict)] if suggestion.verdict else []
    return ", ".join([*said, "forbidden " + " ".join(forbidden)] if forbidden else said)


def _accepted(name: str) -> types.Command:
    return types.Command(title="guiderail: accepted", command=ACCEPT, arguments=[{"id": name}])
