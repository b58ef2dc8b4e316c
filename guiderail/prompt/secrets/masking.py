"""Finds tokens and keys in a text, and masks them: other files' text passes here before anything else sees it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from guiderail.prompt.secrets.keywords import Keywords
from guiderail.prompt.secrets.literal import is_literal
from guiderail.prompt.secrets.rules import GENERIC, Rule, rules

MASK = "***"

_REST = re.compile(r"[\w+/=~-]*", re.ASCII)  # of a token that is longer than its rule says
_WIDE = "\u0130"  # the only character whose small letter is two: a capital I with a dot
_LINES = 2  # after a keyword's line in which its secret may begin: an assignment may be broken


def masked(text: str, language: str | None = None) -> str:
    """The text with `MASK` in place of each token or key; the language tells names from texts (`secrets`)."""
    parts, begin = [], 0
    for start, end in secrets(text, language=language):
        parts += [text[begin:start], MASK]
        begin = end
    return "".join([*parts, text[begin:]]) if parts else text


def secrets(text: str, *, generic: bool = True, language: str | None = None) -> list[tuple[int, int]]:
    """The tokens and keys in a text: begin and end of each, in order, apart from each other.

    Parameters
    ----------
    generic
        Whether what has no known form counts, but is random and assigned to a name like ``api_key``.
    language
        The text's, if it is known: in a program a text has quotes.
    """
    lower = text.replace(_WIDE, "i").lower()  # offsets in it are those of the text
    hits = set(_keywords().of(lower))
    chosen = [rule for rule in rules() if not hits.isdisjoint(rule.keywords) and (generic or rule.name != GENERIC)]
    found = sorted(span for rule in chosen for span in _found(rule, text, lower, hits, language))
    return _apart(text, found)


def _found(rule: Rule, text: str, lower: str, hits: set[str], language: str | None = None) -> Iterator[tuple[int, int]]:
    for begin, end in [(0, len(text))] if rule.is_everywhere else _regions(lower, hits.intersection(rule.keywords)):
        at = begin
        while match := rule.pattern.search(text, at, end):
            span = rule.span(match)
            if rule.is_secret(text, match) and (rule.name != GENERIC or is_literal(text, match, *span, language)):
                yield span
            at = max(match.end(), match.start() + 1)


def _regions(lower: str, keywords: Iterable[str]) -> list[tuple[int, int]]:
    """The lines with one of the keywords, and those after that may belong to them; apart from each other."""
    found = sorted(place for keyword in keywords for place in _places(lower, keyword))
    regions: list[tuple[int, int]] = []
    for place in found:
        if regions and place < regions[-1][1]:
            continue
        begin, end = max(lower.rfind("\n", 0, place), 0), place  # some begin with the character before them
        for _ in range(_LINES + 1):
            end = lower.find("\n", end) + 1 or len(lower)
        if regions and begin <= regions[-1][1]:
            regions[-1] = regions[-1][0], end
        else:
            regions.append((begin, end))
    return regions


def _places(lower: str, keyword: str) -> Iterator[int]:
    """The first place of a keyword in each line."""
    place = lower.find(keyword)
    while place >= 0:
        yield place
        line_end = lower.find("\n", place)
        place = lower.find(keyword, line_end) if line_end >= 0 else -1


def _apart(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that overlap as one, each with the rest of its token."""
    found: list[tuple[int, int]] = []
    for begin, end in spans:
        if found and end <= found[-1][1]:
            continue
        rest = _REST.match(text, end)
        end = rest.end() if rest else end  # noqa: PLW2901  the token's own end
        if found and begin < found[-1][1]:
            found[-1] = found[-1][0], end
        else:
            found.append((begin, end))
    return found


@cache
def _keywords() -> Keywords:
    return Keywords(word for rule in rules() for word in rule.keywords)
