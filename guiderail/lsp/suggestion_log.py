"""A log of the last suggestions sent to one client and what became of them; in memory only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from guiderail.engine.request import CompletionRequest
from guiderail.lsp.cursor import Cursor
from guiderail.lsp.suggestion_cache import Candidate
from guiderail.text.document import Document
from guiderail.text.fitting import FittedText

KEPT = 16  # that can still be reported accepted; each holds its document's text


@dataclass
class ShownItem:
    """A suggestion that was sent to the client.

    Parameters
    ----------
    name
        The identifier under which the client reports it accepted.
    candidate, shaped
        What the model wrote, and how it was fitted in at the cursor.
    request
        The request that it answers.
    waited_s
        Seconds from the request to the answer.

    Attributes
    ----------
    displayed
        Whether the client says that it was displayed.
    accepted
        How much of it was accepted, as the client counts.
    """

    name: str
    candidate: Candidate
    shaped: FittedText
    request: CompletionRequest
    waited_s: float
    displayed: bool = False
    accepted: int = 0


class SuggestionLog:
    """Names the suggestions that a client is sent, and records which of them are displayed and accepted.

    Attributes
    ----------
    last
        The first suggestion of the last answer that had any.
    """

    def __init__(self) -> None:
        self.last: ShownItem | None = None
        self._shown: OrderedDict[str, ShownItem] = OrderedDict()
        self._count = 0

    def __iter__(self) -> Iterator[ShownItem]:
        """The suggestions that are still kept, the oldest first."""
        return iter(self._shown.values())

    def __len__(self) -> int:
        return len(self._shown)

    def add(
        self, candidates: Iterable[Candidate], cursor: Cursor, request: CompletionRequest, waited_s: float
    ) -> list[ShownItem]:
        """Fit candidates in at the cursor and name them; each text once."""
        made: dict[str, ShownItem] = {}
        for candidate in candidates:
            shaped = cursor.fit(candidate)
            if shaped is not None and shaped.text not in made:
                self._count += 1
                made[shaped.text] = ShownItem(f"g{self._count}", candidate, shaped, request, waited_s)
        self._shown.update((shown.name, shown) for shown in made.values())
        while len(self._shown) > KEPT:
            self._shown.popitem(last=False)
        self.last = next(iter(made.values()), self.last)
        return list(made.values())

    def forget_text(self, uri: str) -> None:
        """Drop the text of a document that was closed; its suggestions stay."""
        for shown in (*self._shown.values(), *((self.last,) if self.last else ())):
            if shown.request.uri == uri:
                shown.request = replace(shown.request, document=Document(""), offset=0)

    def clear(self) -> None:
        """Forget all suggestions."""
        self.last = None
        self._shown.clear()

    def accepted(self, name: Any) -> ShownItem | None:
        """Record that a suggestion was accepted; return it if it is still known."""
        shown = self._shown.get(str(name))
        if shown is not None:
            shown.accepted = len(shown.shaped.text)
        return shown

    def did_partially_accept(self, params: Any) -> None:
        """Handle `textDocument/didPartiallyAcceptCompletion`, whose parameters may be anything."""
        shown = self._item_of(params)
        length = params.get("acceptedLength") if isinstance(params, dict) else None
        if shown is not None and isinstance(length, int):
            shown.accepted = length

    def did_show(self, params: Any) -> None:
        """Handle `textDocument/didShowCompletion`, whose parameters may be anything."""
        shown = self._item_of(params)
        if shown is not None:
            shown.displayed = True

    def _item_of(self, params: Any) -> ShownItem | None:
        """The suggestion that a notification's item is about: its command carries the name."""
        try:
            return self._shown.get(params["item"]["command"]["arguments"][0]["id"])
        except (TypeError, KeyError, IndexError):
            return None
