"""A log of the last suggestions sent to one client and what became of them; in memory only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from guiderail.engine.request import CompletionRequest
from guiderail.lsp.cursor import Cursor
from guiderail.lsp.suggestion_cache import Candidate
from guiderail.text.document import Document
from guiderail.text.fitting import FittedText

KEPT = 16  # that can still be reported accepted; each holds its document's text
# What an editor writes by itself when the first of the two is typed.
_PAIRS = frozenset({"()", "[]", "{}", '""', "''", "``", "<>"})


@dataclass(eq=False)
class Outcome:
    """What became of a suggestion, which may have been sent several times while a person typed its beginning.

    Attributes
    ----------
    shown
        Whether it was shown.
    accepted, partly
        Whether all of what was sent was accepted, or only a part.
    """

    shown: bool = False
    accepted: bool = False
    partly: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """By how much the counts of outcomes changed."""

    shown: int = 0
    accepted: int = 0
    partly: int = 0


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
    outcome
        That of the suggestion which it is, or the rest of.
    """

    name: str
    candidate: Candidate
    shaped: FittedText
    request: CompletionRequest
    waited_s: float
    displayed: bool = False
    accepted: int = 0
    outcome: Outcome = field(default_factory=Outcome)


class SuggestionLog:
    """Names the suggestions that a client is sent, and records which of them are displayed and accepted.

    Attributes
    ----------
    last
        The first suggestion of the last answer that had any.
    on_change
        Called with a suggestion when its outcome changes.
    """

    def __init__(self) -> None:
        self.last: ShownItem | None = None
        self.on_change: Callable[[ShownItem, Change], None] = lambda *_: None
        self._client_tells_shown = False
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
                outcome = self._outcome_of(candidate)
                made[shaped.text] = ShownItem(f"g{self._count}", candidate, shaped, request, waited_s, outcome=outcome)
        self._shown.update((shown.name, shown) for shown in made.values())
        while len(self._shown) > KEPT:
            self._shown.popitem(last=False)
        self.last = next(iter(made.values()), self.last)
        if made and self.last and not self._client_tells_shown:
            self._show(self.last)
        return list(made.values())

    def _outcome_of(self, candidate: Candidate) -> Outcome:
        """The outcome of a candidate's suggestion; a new one unless a part of it was sent before."""
        earlier = (one for one in reversed(self._shown.values()) if one.candidate.suggestion is candidate.suggestion)
        return next((one.outcome for one in earlier), Outcome())

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
            self._accept(shown, whole=True)
        return shown

    def inserted(self, uri: str, offset: int, text: str) -> None:
        """Take a text that came into a document at once: a suggestion's beginning is a part of it that was accepted.

        No editor's protocol tells that; keys come one by one. Blanks alone are what an editor indents with.
        """
        if len(text) < 2 or text in _PAIRS or not text.strip():
            return
        for shown in reversed(self._shown.values()):
            whole = shown.shaped.text
            is_there = shown.request.uri == uri and shown.request.offset == offset
            if is_there and whole.startswith(text) and whole != text:
                shown.accepted = len(text)
                self._accept(shown, whole=False)
                return

    def did_partially_accept(self, params: Any) -> None:
        """Handle `textDocument/didPartiallyAcceptCompletion`, whose parameters may be anything."""
        shown = self._item_of(params)
        length = params.get("acceptedLength") if isinstance(params, dict) else None
        if shown is not None and isinstance(length, int):
            shown.accepted = length
            self._accept(shown, whole=False)

    def did_show(self, params: Any) -> None:
        """Handle `textDocument/didShowCompletion`, whose parameters may be anything."""
        shown = self._item_of(params)
        if shown is not None:
            self._client_tells_shown = shown.displayed = True
            self._show(shown)

    def _show(self, shown: ShownItem) -> None:
        if not shown.outcome.shown:
            shown.outcome.shown = True
            self.on_change(shown, Change(shown=1))

    def _accept(self, shown: ShownItem, *, whole: bool) -> None:
        """Count a suggestion as accepted in part, or whole, which takes the place of that."""
        self._show(shown)
        outcome = shown.outcome
        if outcome.accepted or (outcome.partly and not whole):
            return
        self.on_change(shown, Change(accepted=int(whole), partly=int(not whole) - int(outcome.partly)))
        outcome.accepted, outcome.partly = whole, not whole

    def _item_of(self, params: Any) -> ShownItem | None:
        """The suggestion that a notification's item is about: its command carries the name."""
        try:
            return self._shown.get(params["item"]["command"]["arguments"][0]["id"])
        except (TypeError, KeyError, IndexError):
            return None
