"""Next edits: `textDocument/copilotInlineEdit`, which several editors' plug-ins send, and a request of our own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from guiderail.lsp.client import ClientState
from guiderail.lsp.connection import Connection
from guiderail.lsp.next_edits import NextEdits, Offer

REQUEST = "guiderail/nextEdit"
CHANGED = "guiderail/didChangeNextEdit"
INLINE_EDIT = "textDocument/copilotInlineEdit"
DISMISS = "guiderail.dismissNextEdit"


@dataclass(eq=False)
class NextEditHandlers:
    """Proposes one client the edits that follow from its changes."""

    client: ClientState
    connection: Connection
    edits: NextEdits = field(init=False)

    def __post_init__(self) -> None:
        self.edits = NextEdits(self.client, self._changed)

    def register(self) -> None:
        """Register the handlers."""
        self.connection.on(INLINE_EDIT, self.inline_edit)
        self.connection.on(REQUEST, self.next_edit)
        self.connection.on("textDocument/didShowInlineEdit", lambda _: None)
        self.connection.on("textDocument/didFocus", lambda _: None)
        self.connection.on_command(DISMISS, self.dismiss)

    async def inline_edit(self, params: Any) -> dict[str, Any]:
        """The next edit of the document that is asked about; clients of this request look at no other."""
        uri, line = _place(params)
        await self.edits.settled(is_patient=True)
        own = [offer for offer in self.edits.offers() if offer.uri == uri]
        return {"edits": [_as_edit(offer) for offer in _from(own, line)[:1]]}

    async def next_edit(self, params: Any) -> dict[str, Any]:
        """The next edit in any file, and how many there are: those of the document below the cursor come first."""
        uri, line = _place(params)
        await self.edits.settled()
        every = self.edits.offers()
        own = [offer for offer in every if offer.uri == uri]
        ordered = [*_from(own, line), *(offer for offer in every if offer.uri != uri)]
        return {"edit": _as_edit(ordered[0]) if ordered else None, "count": len(ordered)}

    def dismiss(self, *_: Any) -> None:
        """Propose no more of what follows from the last change."""
        self.edits.dismiss()

    def _changed(self) -> None:
        if self.connection.is_open:
            self.connection.notify(CHANGED, {"count": len(self.edits.offers())})


def _place(params: Any) -> tuple[str, int]:
    """The document and the line that a request names."""
    given = params if isinstance(params, dict) else {}
    document, position = given.get("textDocument"), given.get("position")
    uri = document.get("uri") if isinstance(document, dict) else None
    line = position.get("line") if isinstance(position, dict) else None
    return str(uri or ""), line if isinstance(line, int) else 0


def _from(offers: list[Offer], line: int) -> list[Offer]:
    """Offers of one document, those below a line first."""
    return sorted(offers, key=lambda one: (one.proposal.line < line, one.proposal.line))


def _as_edit(offer: Offer) -> dict[str, Any]:
    start, end = offer.range.start, offer.range.end
    return {
        "text": offer.proposal.edit.text,
        "textDocument": {"uri": offer.uri, "version": offer.version},
        "range": {
            "start": {"line": start.line, "character": start.character},
            "end": {"line": end.line, "character": end.character},
        },
        "kind": offer.proposal.kind,
        "reason": offer.proposal.reason,
    }
