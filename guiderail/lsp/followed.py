"""Follows the suggestions that were shown until it is known whether the person wrote them."""

from __future__ import annotations

from guiderail.engine.request import CompletionRequest
from guiderail.lsp.suggestion_cache import same_after
from guiderail.lsp.suggestion_log import ShownItem

FOLLOWED = 16  # documents with a suggestion that the person may still be typing


class Followed:
    """The suggestions of one client that the person may still be typing, one for each document."""

    def __init__(self) -> None:
        self._shown: dict[str, ShownItem] = {}

    def follow(self, shown: ShownItem) -> None:
        """Begin with a suggestion that was shown, in place of an earlier one of its document."""
        self._shown.pop(shown.request.uri, None)
        if shown.candidate.suggestion.chance is not None:
            self._shown[shown.request.uri] = shown
        while len(self._shown) > FOLLOWED:
            self._shown.pop(next(iter(self._shown)))

    def accepted(self, shown: ShownItem) -> ShownItem | None:
        """The suggestion that was followed, if this is it or a part of it."""
        followed = self._shown.get(shown.request.uri)
        if followed is None or followed.outcome is not shown.outcome:
            return None
        return self._shown.pop(shown.request.uri)

    def typed(self, request: CompletionRequest) -> tuple[ShownItem, bool] | None:
        """The suggestion of which a cursor says whether it was written, and whether it was.

        It was not where something else was typed. Where the cursor moved away, or the text around it changed, nothing
        is known.
        """
        shown = self._shown.get(request.uri)
        if shown is None:
            return None
        typed, text = request.typed_since(shown.request), shown.shaped.text
        if typed is not None and text.startswith(typed) and (typed != text or _is_word(text[-1:])):
            return None  # the person is still on the way, perhaps to a longer word
        del self._shown[request.uri]
        if typed is None or not same_after(shown.request.after, request.after):
            return None
        goes_on = _is_word(text[-1:]) and _is_word(typed[len(text) : len(text) + 1])
        return shown, typed.startswith(text) and not goes_on

    def clear(self) -> None:
        """Forget all."""
        self._shown.clear()

    def forget(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._shown.pop(uri, None)


def _is_word(character: str) -> bool:
    return character != "" and f"_{character}".isidentifier()
