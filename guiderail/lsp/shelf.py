"""The suggestions that a client was sent of late, and what became of them; kept in memory, told to nobody."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from guiderail.engine.request import CompletionRequest
from guiderail.lsp import items
from guiderail.lsp.items import Place
from guiderail.lsp.memory import Offer
from guiderail.text.document import Document
from guiderail.text.fitting import Shaped

KEPT = 16  # that can still be reported accepted; each holds its document's text


@dataclass
class Shown:
    """A suggestion that was sent to the client.

    Parameters
    ----------
    name
        By which its command reports it.
    offer, shaped
        What the model wrote, and what was made of it.
    wish
        The question it answers.
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
    offer: Offer
    shaped: Shaped
    wish: CompletionRequest
    waited_s: float
    displayed: bool = False
    accepted: int = 0


class Shelf:
    """One client's.

    Attributes
    ----------
    last
        The first suggestion of the last answer that had any.
    """

    def __init__(self) -> None:
        self.last: Shown | None = None
        self._shown: OrderedDict[str, Shown] = OrderedDict()
        self._count = 0

    def __iter__(self) -> Iterator[Shown]:
        """Those of late, the oldest first."""
        return iter(self._shown.values())

    def __len__(self) -> int:
        return len(self._shown)

    def put(self, offers: Iterable[Offer], place: Place, wish: CompletionRequest, waited_s: float) -> list[Shown]:
        """The offers fitted into their place, each text once, under names by which they can be reported accepted."""
        made: dict[str, Shown] = {}
        for offer in offers:
            shaped = items.fitted(place, offer)
            if shaped is not None and shaped.text not in made:
                self._count += 1
                made[shaped.text] = Shown(f"g{self._count}", offer, shaped, wish, waited_s)
        self._shown.update((shown.name, shown) for shown in made.values())
        while len(self._shown) > KEPT:
            self._shown.popitem(last=False)
        self.last = next(iter(made.values()), self.last)
        return list(made.values())

    def forget(self, uri: str) -> None:
        """A document was closed: keep its suggestions, and not its texts."""
        for shown in (*self._shown.values(), *((self.last,) if self.last else ())):
            if shown.wish.uri == uri:
                shown.wish = replace(shown.wish, document=Document(""), offset=0)

    def accepted(self, name: Any) -> Shown | None:
        """A suggestion was accepted: which one, if it is still known."""
        shown = self._shown.get(str(name))
        if shown is not None:
            shown.accepted = len(shown.shaped.text)
        return shown

    def accepted_part(self, params: Any) -> None:
        """The parameters of `textDocument/didPartiallyAcceptCompletion`."""
        shown = self._of(params)
        length = params.get("acceptedLength") if isinstance(params, dict) else None
        if shown is not None and isinstance(length, int):
            shown.accepted = length

    def displayed(self, params: Any) -> None:
        """The parameters of `textDocument/didShowCompletion`."""
        shown = self._of(params)
        if shown is not None:
            shown.displayed = True

    def _of(self, params: Any) -> Shown | None:
        """The suggestion that a notification's item stands for: its command carries the name."""
        try:
            return self._shown.get(params["item"]["command"]["arguments"][0]["id"])
        except (TypeError, KeyError, IndexError):
            return None
