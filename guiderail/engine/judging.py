"""Decides which of the suggestions that were written are shown, and in which order."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from guiderail.monitors.error_kinds import is_sure
from guiderail.monitors.verdict import SYNTAX_ERROR, Change, Inspector, Verdict, completed, syntax_of

if TYPE_CHECKING:
    from guiderail.choices import VerdictUse
    from guiderail.engine.suggestion import Suggestion
    from guiderail.text.document import Document

UNFINISHED = frozenset({"length", "cancelled"})  # ends of a text that was cut: it may be right and look wrong
TRIED = 24  # beginnings of a text with a syntax error that are looked at, the longest first
BROKEN = Verdict("errors", ("syntax error",), kinds=(SYNTAX_ERROR,))
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
    """

    def __init__(self, document: Document, root: Path | None, use: VerdictUse, inspector: Inspector | None) -> None:
        self._document = document
        self._root = root
        self._use = use
        self._inspector = inspector

    def judge(
        self, found: Sequence[Suggestion], cancelled: Cancelled = lambda: False
    ) -> tuple[list[Suggestion], list[Suggestion]]:
        """What is shown, the best first, and what is dropped; each with its verdict as far as there is one."""
        if self._use == "off" or not found or cancelled():
            return list(found), []
        if self._use == "mark":
            return self._inspected(list(found), cancelled)
        faults = [self._fault(one) for one in found]
        whole = [self._right_beginning(one) if fault else one for one, fault in zip(found, faults, strict=True)]
        kept = [other for other in whole if other is not None]
        broken = [
            replace(one, verdict=fault) for one, fault, other in zip(found, faults, whole, strict=True) if not other
        ]
        shown, wrong = self._inspected(kept, cancelled)
        return shown, [*broken, *wrong]

    def _fault(self, one: Suggestion) -> Verdict | None:
        """What is wrong with a text by itself: its syntax, or a loop that was ended in the midst of brackets."""
        if one.finish in UNFINISHED:
            return None
        if one.finish == "loop" and completed(self._document, _change(one)) is None:
            return LOOP
        return BROKEN if syntax_of(self._document, _change(one)) == "wrong" else None

    def _right_beginning(self, one: Suggestion) -> Suggestion | None:
        """The longest beginning of a text that the syntax allows; None if there is none with a word in it."""
        ends = [word.end() for word in _WORD_OR_SIGN.finditer(one.text)][:-1]
        for end in reversed(ends[-TRIED:]):
            other = replace(one, text=one.text[:end], end=one.start)  # the text after the cursor stays
            if syntax_of(self._document, _change(other)) == "right":
                return other if re.search(r"\w", other.text) else None
        return None

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
        return self._use == "drop" or any(map(is_sure, verdict.kinds))


def _change(one: Suggestion) -> Change:
    return Change(one.start, one.end, one.text, one.finish not in UNFINISHED)
