"""Decides of each suggestion whether it is shown, shortened, or better left out: whether it is likely to be right."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from guiderail.engine.faults import change_of, ends_something, fault_of, without_choice
from guiderail.engine.likelihood import Facts, likelihood_of, word_ends
from guiderail.engine.whole_statements import ends_whole, has_lines, with_whole_statements
from guiderail.monitors.lex_cache import lex_cache
from guiderail.monitors.verdict import Verdict, opens
from guiderail.text.languages.table import LEXICONS

if TYPE_CHECKING:
    from guiderail.choices import Confidence
    from guiderail.engine.likelihood import Likelihood
    from guiderail.engine.request import CompletionRequest
    from guiderail.engine.suggestion import Suggestion
    from guiderail.model.model import Model
    from guiderail.remote.model import RemoteModel
    from guiderail.text.document import Document

# The probability to be right to its end that a text must have. Of all that is shown more is right than this.
LEAST: Mapping[Confidence, float] = {"quiet": 0.55, "balanced": 0.45, "eager": 0.3, "off": 0.0}
LOOKED_AT = 24  # beginnings of a text, the first ones: beyond them hardly any is likely
_CLOSING = frozenset(")]}")
UNSURE = Verdict("errors", reason="it is not likely enough to be what you write next", kinds=("unsure",))


def sift(
    request: CompletionRequest, document: Document, found: Sequence[Suggestion], model: Model | RemoteModel
) -> tuple[Sequence[Suggestion], Sequence[Suggestion]]:
    """The suggestions for a request that are likely to be right, by its settings, and the others.

    Independent draws are all of them an answer.
    """
    likelihood = likelihood_of(model.info.name, model.info.parameters)
    if likelihood is None or request.settings.confidence == "off" or not request.distinct:
        return found, []
    return Gate(likelihood.shifted(request.odds), request.settings.confidence).sift(document, found)


class Gate:
    """Keeps of each suggestion the longest beginning that is likely enough.

    Parameters
    ----------
    likelihood
        What is known of the model's texts.
    confidence
        The setting.
    """

    def __init__(self, likelihood: Likelihood, confidence: Confidence) -> None:
        self._likelihood = likelihood
        self._least = LEAST[confidence]

    def sift(self, document: Document, found: Sequence[Suggestion]) -> tuple[list[Suggestion], list[Suggestion]]:
        """The suggestions that are likely, as they are or shortened; and those of which nothing is.

        What has a verdict already is not looked at.
        """
        kept: dict[str, Suggestion] = {}
        unsure: list[Suggestion] = []
        for one in (with_whole_statements(document, one) for one in found):
            other = self._likely(document, one) if one.steps and one.text.strip() and one.verdict is None else one
            other = other or without_choice(document, one)
            if other is None:
                unsure.append(replace(one, verdict=UNSURE))
            else:
                kept.setdefault(other.text, other)  # two that are shortened may be the same
        return list(kept.values()), unsure

    def _likely(self, document: Document, one: Suggestion) -> Suggestion | None:
        """The longest beginning that is likely; all of it if that is."""
        facts = Facts(document, one)
        chance = self._likelihood(facts.of(len(one.text)))
        if chance >= self._least:
            return replace(one, chance=chance)
        ends = [end for end in word_ends(one.text) if end < len(one.text) and _may_stand(one.text, end)][:LOOKED_AT]
        for end in reversed(ends):
            chance = self._likelihood(facts.of(end))
            if chance < self._least:
                continue
            other = replace(_closed(document, one, end), chance=chance)
            if _may_end(document, other) and fault_of(document, other) is None:
                return other
        return None


def _may_stand(text: str, end: int) -> bool:
    """Whether a beginning is in the first line of a text, or ends with a line."""
    return not has_lines(text[:end]) or not text[end:].partition("\n")[0].strip()


def _closed(document: Document, one: Suggestion, end: int) -> Suggestion:
    """The first `end` characters of a text, and the closing brackets after them of what they open themselves."""
    other = replace(one, text=one.text[:end], end=one.start, finish="line")
    while one.text[end : end + 1] in _CLOSING and opens(document, change_of(other)):
        end += 1
        other = replace(other, text=one.text[:end])
    return other


def _may_end(document: Document, one: Suggestion) -> bool:
    """Whether a beginning has a word, ends with one or with an operand, and closes what it opens."""
    if not re.search(r"\w", one.text) or not ends_something(one.text) or opens(document, change_of(one)):
        return False
    if not ends_whole(document, one):
        return False
    language = document.language or ""
    if language not in LEXICONS:
        return True
    before = document.text[: one.start]
    cache = lex_cache(document.path, language)
    inside = cache.state(before + one.text).in_string_or_comment
    return inside == cache.state(before).in_string_or_comment
