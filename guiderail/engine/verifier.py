"""Verifies texts while a method searches: as the suggestions that they would be, by syntax, place and analyser."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from guiderail.decoding.method import Finish, FinishedEvent
from guiderail.engine.faults import UNFINISHED, change_of, fault_of
from guiderail.engine.suggestion import NOTHING, Suggestion
from guiderail.monitors.lex_cache import lex_cache
from guiderail.monitors.lex_state import tokens
from guiderail.monitors.verdict import LATE, Inspector, Verdict
from guiderail.text.languages.table import LEXICONS

if TYPE_CHECKING:
    from guiderail.engine.plan import CompletionPlan
    from guiderail.engine.surroundings import Surroundings

LITERAL = "\0"  # stands for a string or comment, whose blanks are content
LONG = 2000  # characters of the cursor's line; of a longer one nothing is normalised
_LINE_END = re.compile(r"(?<![^\S\n])[^\S\n]*\n(?:[^\S\n]*\n)*")
_BLANKS = re.compile(r"(?<=[^\s])[^\S\n]+")


class Verifier:
    """Judges the texts of one plan as what they would be in its document.

    Parameters
    ----------
    plan
        The request; where it has monitors, their analysers are asked, for as long as the monitors may wait. An analyser
        that was late once is not asked again: a search has many texts, and would wait as long for each.
    place
        Fits texts into the line.
    cancelled
        Whether the request is given up, so that no answer is waited for.
    """

    def __init__(
        self, plan: CompletionPlan, place: Surroundings, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        self._plan = plan
        self._place = place
        self._cancelled = cancelled
        self._is_late = False
        monitors = plan.monitors
        self._inspector = Inspector(monitors.analysers, monitors.deadline_s) if monitors else None

    def faults(self, texts: Sequence[tuple[str, Finish]]) -> list[float]:
        """See `TextVerifier.faults`: 1 for a text with a fault of its own or new errors, 0 for others."""
        found = [self._suggestion(FinishedEvent(finish, text)) for text, finish in texts]
        faults = [fault_of(self._plan.document, one) for one in found]
        asked = [
            one for one, fault in zip(found, faults, strict=True) if fault is None and one.finish not in UNFINISHED
        ]
        verdicts = dict(zip(map(id, asked), self._verdicts(asked), strict=True))
        judged = [fault or verdicts.get(id(one)) for one, fault in zip(found, faults, strict=True)]
        return [float(one is not None and one.state == "errors") for one in judged]

    def _verdicts(self, found: Sequence[Suggestion]) -> list[Verdict | None]:
        if self._inspector is None or not found or self._is_late:
            return [None] * len(found)
        changes = list(map(change_of, found))
        verdicts = self._inspector.inspect(self._plan.document, changes, self._plan.root, self._cancelled)
        self._is_late = any(one.reason == LATE for one in verdicts)
        return [*verdicts]

    def _suggestion(self, end: FinishedEvent) -> Suggestion:
        fitted, offset = self._place.fitted(end), self._plan.offset
        texts = {"text": fitted.text, "written": end.text}
        return replace(NOTHING, start=offset, end=offset + fitted.covers, finish=end.reason, **texts)

    def normal_form(self, text: str) -> Hashable:
        """See `TextVerifier.normal_form`; a text in a language without a lexicon, or in a string, is its own."""
        return normal_form(self._place.before + text, self._language) if self._language else text

    @cached_property
    def _language(self) -> str:
        """The language whose formatting is known at the cursor; "" for none."""
        document, before = self._plan.document, self._place.before
        language, start = document.language or "", self._plan.offset - len(before)
        if language not in LEXICONS or len(before) > LONG:
            return ""
        lexer = lex_cache(document.path, language)
        inside = any(lexer.state(document.text[:at]).in_string_or_comment for at in (start, self._plan.offset))
        return "" if inside else language


def normal_form(code: str, language: str) -> tuple[str, tuple[str, ...]]:
    """Code without blanks that separate nothing, blank lines and blanks at line ends; its strings and comments.

    Indentation stays, and so does a blank that keeps two words, two operators, or a number and a dot apart. At the end
    one stays after a word, which is then known to be whole.
    """
    parts, literals, at = [], [], 0
    for found, end, _ in tokens(code, language):
        if found["comment"] or found["quote"]:
            parts.append(code[at : found.start()])
            literals.append(code[found.start() : end])
            at = end
    parts.append(code[at:])
    lines = _LINE_END.sub("\n", LITERAL.join(parts))
    return _BLANKS.sub(lambda found: _kept(lines, found), lines), tuple(literals)


def _kept(code: str, blanks: re.Match[str]) -> str:
    """What is kept of blanks between two characters."""
    before, after = code[blanks.start() - 1], code[blanks.end() : blanks.end() + 1]
    if _is_word(before):
        return " " if not after or _is_word(after) or (after == "." and before.isdigit()) else ""
    return " " if _is_operator(before) and _is_operator(after) else ""


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _is_operator(character: str) -> bool:
    return bool(character) and not _is_word(character) and character not in "()[]{},;\"'`" + LITERAL
