"""Decides which of the decoded suggestions are shown, and in which order."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from guiderail.monitors.error_kinds import is_sure
from guiderail.monitors.verdict import (
    SYNTAX_ERROR,
    Change,
    Inspector,
    Verdict,
    first_error,
    lacks_member,
    leaves_open,
    syntax_of,
)

if TYPE_CHECKING:
    from guiderail.choices import VerdictUse
    from guiderail.engine.suggestion import Suggestion
    from guiderail.text.document import Document

UNFINISHED = frozenset({"length", "cancelled"})  # ends of a text that was cut: it may be right and look wrong
TRIED = 6  # beginnings of a text with a syntax error that are looked at, the longest first
BROKEN = Verdict("errors", ("syntax error",), kinds=(SYNTAX_ERROR,))
BARE = Verdict("errors", ("it ends before a member's name",), kinds=("member",))
LOOP = Verdict("errors", ("it repeats itself and ends in the middle",), kinds=("loop",))
_WORD_OR_SIGN = re.compile(r"\w+|[^\w\s]")

Cancelled = Callable[[], bool]


class Judge:
    """Judges the suggestions of one request.

    A text with a syntax error is never shown: its longest beginning without one takes its place. So it is with a
    loop that was ended in the midst of brackets. What an analyser finds new errors in is left out or put last, as the
    setting says.

    Parameters
    ----------
    document, root
        Where the suggestions are to be inserted.
    use
        The setting `verdict`.
    inspector
        Asks an analyser; None where nobody is to be asked.
    cut_s
        Seconds in which right beginnings are looked for; what is not found by then is dropped.
    """

    def __init__(
        self,
        document: Document,
        root: Path | None,
        use: VerdictUse,
        inspector: Inspector | None,
        cut_s: float = math.inf,
    ) -> None:
        self._document = document
        self._root = root
        self._use = use
        self._inspector = inspector
        self._cut_s = cut_s

    def judge(
        self, found: Sequence[Suggestion], cancelled: Cancelled = lambda: False
    ) -> tuple[list[Suggestion], list[Suggestion]]:
        """The suggestions to show, the best first, and those dropped, each with its verdict if there is one."""
        if self._use == "off" or not found or cancelled():
            return list(found), []
        if self._use == "mark":
            return self._inspected(list(found), cancelled)
        kept: dict[str, Suggestion] = {}
        broken: list[Suggestion] = []
        until = time.monotonic() + self._cut_s
        for one in found:
            fault = self._fault(one)
            other = self._right_beginning(one, fault, lambda: cancelled() or time.monotonic() > until) if fault else one
            if other is None:
                broken.append(replace(one, verdict=fault))
            else:
                kept.setdefault(other.text, other)  # two that are cut may be the same
        shown, wrong = self._inspected(list(kept.values()), cancelled)
        return shown, [*broken, *wrong]

    def _fault(self, one: Suggestion) -> Verdict | None:
        """What is wrong with a text in itself: its end, its syntax, or a loop that was cut inside brackets."""
        if one.finish in UNFINISHED:
            return None
        if lacks_member(self._document, _change(one)):
            return BARE
        if one.finish == "loop" and leaves_open(self._document, _change(one)):
            return LOOP
        is_sure_of = is_sure(SYNTAX_ERROR, self._document.language)
        return BROKEN if is_sure_of and syntax_of(self._document, _change(one)) == "wrong" else None

    def _right_beginning(self, one: Suggestion, fault: Verdict, ended: Callable[[], bool]) -> Suggestion | None:
        """The longest beginning up to the fault that the syntax allows; None if none with a word in it is found."""
        last = min(self._fault_at(one, fault), len(one.text) - 1)
        ends = [end for word in _WORD_OR_SIGN.finditer(one.text) if (end := word.end()) <= last]
        for end in reversed(ends[-TRIED:]):
            other = replace(one, text=one.text[:end], end=one.start)  # the text after the cursor stays
            if ended():
                return None
            if syntax_of(self._document, _change(other)) == "right":
                return other if re.search(r"\w", other.text) else None
        return None

    def _fault_at(self, one: Suggestion, fault: Verdict) -> int:
        """Up to where a text may be right."""
        if fault is BROKEN:
            return first_error(self._document, _change(one))
        opened = re.search(r"[(\[{]", one.text) if fault is LOOP else None
        return opened.start() if opened else len(one.text)

    def _inspected(self, found: list[Suggestion], cancelled: Cancelled) -> tuple[list[Suggestion], list[Suggestion]]:
        """The suggestions with an analyser's verdicts, those that bring errors last; and those that are left out."""
        if self._inspector is None or not found:
            return found, []
        changes = [_change(one) for one in found]
        verdicts = self._inspector.inspect(self._document, changes, self._root, cancelled)
        judged = [replace(one, verdict=verdict) for one, verdict in zip(found, verdicts, strict=True)]
        dropped = [one for one, verdict in zip(judged, verdicts, strict=True) if self._drops(verdict)]
        last = [one for one, verdict in zip(judged, verdicts, strict=True) if verdict.state == "errors"]
        return [*(one for one in judged if one not in last), *(one for one in last if one not in dropped)], dropped

    def _drops(self, verdict: Verdict) -> bool:
        if verdict.state != "errors" or self._use == "mark":
            return False
        return self._use == "drop" or any(is_sure(kind, self._document.language) for kind in verdict.kinds)


def _change(one: Suggestion) -> Change:
    return Change(one.start, one.end, one.text, one.finish not in UNFINISHED)
