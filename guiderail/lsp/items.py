"""From a client's cursor to a wish, and from offers to the items that editors show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lsprotocol import types

from guiderail.engine.request import CompletionRequest
from guiderail.lsp.buffer import Buffer
from guiderail.lsp.memory import Offer
from guiderail.lsp.positions import Encoding, to_units
from guiderail.text.backwards import word_start
from guiderail.text.document import Document
from guiderail.text.edit import Edit
from guiderail.text.fitting import Shaped, shape

if TYPE_CHECKING:
    from guiderail.engine.suggestion import Suggestion

ACCEPT = "guiderail.accept"
LABEL = 80  # characters of a menu item's label
LAST = "\uffff"  # sorts after every name
LINE = 20_000  # characters before the cursor in which a quote may have been opened
BLANKS = 1000  # characters, between the cursor and the text after it that a suggestion might repeat


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor as the client sees it, taken down when the request came: the document may change while it is answered.

    Parameters
    ----------
    document, offset
        The text, with the selected menu item in it if there is one, and the cursor.
    line
        The cursor's line number.
    before, rest
        The cursor's line on both sides of it, in the client's own text.
    replaced
        How many characters of `before` a suggestion begins by replacing: the half of the selected item that is typed.
    selected
        The selected item's text, which every suggestion must begin with.
    encoding
        What columns count.
    line_ending
        What ends the document's lines.
    """

    document: Document
    offset: int
    line: int
    before: str
    rest: str
    encoding: Encoding
    line_ending: str
    replaced: int = 0
    selected: str = ""

    def range(self, back: int, forward: int) -> types.Range:
        """So many characters before and after the cursor."""
        whole = self.before + self.rest
        start, end = (
            types.Position(self.line, to_units(whole, len(self.before) + by, self.encoding)) for by in (-back, forward)
        )
        return types.Range(start, end)


def place_of(
    buffer: Buffer, position: types.Position, selected: types.SelectedCompletionInfo | None = None
) -> Place | None:
    """The place of a request; None for a selected item whose range is not one line around the cursor."""
    offset = buffer.offset(position)
    start, end = offset, offset
    if selected is not None:
        start, end = buffer.offset(selected.range.start), buffer.offset(selected.range.end)
        if not start <= offset <= end or selected.range.start.line != selected.range.end.line:
            return None
    document = buffer.document
    line, column = document.position_at(end)
    text = document.line_text(line)
    place = Place(document, offset, line, text[:column], text[column:], buffer.encoding, buffer.line_ending)
    if selected is None:
        return place
    new = document.text[:start] + selected.text + document.text[end:]
    return replace(
        place,
        document=replace(document, text=new),
        offset=start + len(selected.text),
        replaced=end - start,
        selected=selected.text,
    )


def next_wish(wish: CompletionRequest, shaped: Shaped) -> CompletionRequest:
    """What will be asked once a suggestion is accepted."""
    accepted = Edit(wish.offset, wish.offset + shaped.covers, shaped.text)
    document = replace(wish.document, text=accepted.apply(wish.document.text))
    return replace(wish, document=document, offset=wish.offset + len(shaped.text), n=1, by_hand=False)


def fitted(place: Place, offer: Offer) -> Shaped | None:
    """The offer as it fits into its place."""
    line, column = place.document.position_at(place.offset)
    start = place.offset - min(column, LINE)
    # Not all that stands after the cursor: of a long file that would be copied for each suggestion.
    reach = max(place.document.line_end(line), place.offset + len(offer.text)) + BLANKS
    shaped = shape(offer.text, place.document.text[start : place.offset], place.document.text[place.offset : reach])
    if shaped is None or (place.selected and shaped.covers):
        return None  # a client shows nothing whose range is not the selected item's
    return shaped


def ghost(place: Place, shaped: Shaped, name: str) -> types.InlineCompletionItem:
    """An item of `textDocument/inlineCompletion`."""
    text = place.selected + shaped.text
    return types.InlineCompletionItem(
        insert_text=text,
        filter_text=text,
        range=place.range(place.replaced, shaped.covers),
        command=_accepted(name),
    )


def menu_item(place: Place, shaped: Shaped, name: str, note: str = "") -> types.CompletionItem:
    """An item of `textDocument/completion`; it replaces the half-typed word, so that the client's filter finds it."""
    word = place.before[word_start(place.before, len(place.before)) :]
    text = word + shaped.text
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
        text_edit=types.TextEdit(range=place.range(len(word), shaped.covers), new_text=text),
        command=_accepted(name),
    )


def note_of(suggestion: Suggestion) -> str:
    """What static analysis has to say of a suggestion, in a line: the verdict, and what was forbidden."""
    watches = suggestion.monitored.watches if suggestion.monitored else []
    forbidden = dict.fromkeys(repr(token) for watch in watches for token in watch.forbidden)
    said = [str(suggestion.verdict)] if suggestion.verdict else []
    return ", ".join([*said, "forbidden " + " ".join(forbidden)] if forbidden else said)


def _accepted(name: str) -> types.Command:
    return types.Command(title="guiderail: accepted", command=ACCEPT, arguments=[{"id": name}])
