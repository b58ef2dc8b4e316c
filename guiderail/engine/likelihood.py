"""How likely each beginning of a suggestion is to be what the person writes next.

A logistic model of facts that are at hand when a text has been decoded. Its weights are learned by replaying true code
(`training/gate.py`), and shipped as small tables: one for the embedded model, and one for all others.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal

from guiderail.monitors.lex_cache import lex_cache
from guiderail.text.languages.table import LEXICONS
from guiderail.text.statements import keywords
from guiderail.text.syntax import has_grammar

if TYPE_CHECKING:
    from guiderail.engine.suggestion import Suggestion
    from guiderail.text.document import Document

Situation = Literal["comment", "string", "import", "line start", "member", "word", "code"]

NEAR = 50_000  # characters before the cursor and after it in which words are looked for
LEAST = -1e3  # of a log-probability
QUOTED = 4  # characters in which a string's opening quote stands: rb"
LONGEST_WORD = 200  # characters of the half-typed word that are looked at
SHORTEST = 8  # characters of the beginning of a line that another line has too
SMALLEST = 10_000_000  # parameters of a model that something is known of: those of the embedded one
EMBEDDED, GENERAL = "embedded", "general"  # the tables: of a model, and for all others
_IMPORT = re.compile(r"\s*(?:import|from|use|using|package)\b")
_MEMBER = re.compile(r"(?:\.|->|::)\w*$")
_NAME = re.compile(r"[^\W\d]\w*")
_STEP = re.compile(r"\w+|[^\w\s]")


def situation_at(document: Document, offset: int) -> Situation:
    """What a cursor is in, as far as the lexer and the line before it say."""
    language, text = document.language or "", document.text
    if language in LEXICONS:
        state = lex_cache(document.path, language).state(text[:offset])
        if state.in_string_or_comment:
            quotes = {string.quote[0] for string in LEXICONS[language].strings}
            return "comment" if quotes.isdisjoint(text[state.opened : state.opened + QUOTED]) else "string"
    line = _line_before(text, offset)
    if _IMPORT.match(line):
        return "import"
    if not line.strip():
        return "line start"
    return "member" if _MEMBER.search(line) else "word" if re.search(r"\w$", line) else "code"


def _line_before(text: str, offset: int) -> str:
    return text[text.rfind("\n", 0, offset) + 1 : offset]


def half_word(line: str) -> str:
    """The word that a line ends in, its last `LONGEST_WORD` characters at most."""
    end = line[-LONGEST_WORD:]  # a search from each character of a long line would take minutes
    found = re.search(r"\w*$", end)
    return found[0] if found else ""


class Facts:
    """The facts about the beginnings of one suggestion.

    Parameters
    ----------
    document
        Where it is to be inserted.
    one
        The suggestion.
    """

    def __init__(self, document: Document, one: Suggestion) -> None:
        self._one = one
        self._line = _line_before(document.text, one.start).lstrip()
        self._near = document.text[max(0, one.start - NEAR) : one.start], document.text[one.end : one.end + NEAR]
        language = document.language
        words = keywords(language) if language and has_grammar(language) else ()
        self._known = dict.fromkeys(words, True)
        self._situation = situation_at(document, one.start)
        self._half = half_word(self._line)
        self._offset = max(0, one.written.find(one.text))  # blanks before it may have been left out

    def of(self, end: int) -> dict[str, float]:
        """The facts about the first `end` characters of the text, by name."""
        one, text = self._one, self._one.text[:end]
        scores = self._scores(end)
        whole = end == len(one.text)
        names = _NAME.findall(self._half + text)
        total = sum(scores)
        return {
            "total": total,
            "root": math.sqrt(-total),
            "chance": math.exp(total),
            "least": min(scores, default=0.0),
            "steps": math.log1p(len(_STEP.findall(text))),
            "characters": math.log1p(end),
            "whole": float(whole),
            "ended": float(whole and one.finish in {"line", "block", "eos"}),
            "new names": float(min(3, sum(not self._is_known(name) for name in names))),
            "written before": self._written_before(text),
            "signs alone": float(not names),
            "half typed": math.log1p(len(self._half)),
            f"in {self._situation}": 1.0,
        }

    def _is_known(self, name: str) -> bool:
        """Whether a name is a keyword, or stands near the cursor."""
        if name not in self._known:
            whole = re.compile(rf"(?<!\w){name}(?!\w)")
            self._known[name] = any(name in part and whole.search(part) is not None for part in self._near)
        return self._known[name]

    def _scores(self, end: int) -> list[float]:
        """The log-probabilities of the tokens that begin in the first so many characters of the text."""
        begins = [0, *(step.end for step in self._one.steps)]
        reach = self._offset + end
        found = zip(begins, self._one.steps, strict=False)
        return [min(0.0, max(LEAST, step.logprob)) for begin, step in found if begin < reach]

    def _written_before(self, text: str) -> float:
        """Whether the line as it would be begins like another one near it, or, in a longer text, with its last line."""
        line = (self._line + text).rpartition("\n")[2].strip()
        return float(len(line) >= SHORTEST and any(line in part for part in self._near))


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The logistic model: log odds are the sum of the facts, each times its weight."""

    bias: float
    weights: Mapping[str, float]

    def __call__(self, facts: Mapping[str, float]) -> float:
        """The probability that a text with these facts is right to its end."""
        odds = self.bias + sum(self.weights.get(name, 0.0) * value for name, value in facts.items())
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))

    def shifted(self, odds: float) -> Likelihood:
        """The same with something added to all log odds."""
        return replace(self, bias=self.bias + odds)


@cache
def learned(name: str) -> Likelihood:
    """What was learned with a model, by the table's name."""
    table = json.loads(resources.files("guiderail.engine").joinpath("gates", f"{name}.json").read_text("utf-8"))
    return Likelihood(table["bias"], table["weights"])


def likelihood_of(model: str, parameters: int) -> Likelihood | None:
    """What is known of the texts of a model, by its name and size: what was learned with it, or with several others.

    None for a model that is smaller than any of those.
    """
    if model == EMBEDDED:
        return learned(EMBEDDED)
    return learned(GENERAL) if parameters >= SMALLEST else None


def word_ends(text: str) -> Sequence[int]:
    """Where the words and signs of a text end."""
    return [found.end() for found in _STEP.finditer(text)]
