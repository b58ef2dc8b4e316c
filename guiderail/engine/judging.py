"""Decides which of the decoded suggestions are shown, and in which order."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from guiderail.engine.faults import change_of, fault_of, last_right, right_beginnings, without_choice
from guiderail.engine.whole_statements import with_whole_statements
from guiderail.monitors.error_kinds import is_sure
from guiderail.monitors.verdict import Inspector, Verdict

if TYPE_CHECKING:
    from guiderail.choices import VerdictUse
    from guiderail.engine.suggestion import Suggestion
    from guiderail.text.document import Document

MENDED = 2  # beginnings of a text with an error that an analyser is asked about, the longest first

Cancelled = Callable[[], bool]


class Judge:
    """Judges the suggestions of one request.

    A text that does not fit its place, or has a syntax error, is never shown: its longest beginning without a fault
    takes its place. What an analyser finds new errors in is left out or put last, as the setting says. For what is left
    out its longest beginning before the first error is shown, if the analyser finds nothing wrong with that.

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
    wanted
        How many suggestions are shown at most; others that were written take the places of those left out.
    """

    def __init__(
        self,
        document: Document,
        root: Path | None,
        use: VerdictUse,
        inspector: Inspector | None,
        cut_s: float = math.inf,
        wanted: int | None = None,
    ) -> None:
        self._document = document
        self._root = root
        self._use = use
        self._inspector = inspector
        self._cut_s = cut_s
        self._wanted = wanted

    def judge(
        self, found: Sequence[Suggestion], cancelled: Cancelled = lambda: False
    ) -> tuple[list[Suggestion], list[Suggestion]]:
        """The suggestions to show, the best first, and those dropped, each with its verdict if there is one."""
        if self._use == "off" or not found or cancelled():
            return list(found)[: self._wanted], []
        kept, broken = (list(found)[: self._wanted], []) if self._use == "mark" else self._fitting(found, cancelled)
        judged = self._judged(kept, cancelled)
        wrong = [one for one in judged if self._drops(one.verdict)]
        right = [one for one in judged if not _has_errors(one)]
        doubtful = [one for one in judged if _has_errors(one) and one not in wrong]
        if len(right) < (self._wanted or len(found)):
            right += self._mended(wrong, [one.text for one in right], cancelled)
        return [*right, *doubtful][: self._wanted], [*broken, *wrong]

    def _fitting(self, found: Sequence[Suggestion], cancelled: Cancelled) -> tuple[list[Suggestion], list[Suggestion]]:
        """The texts without a fault, or their beginnings without one; and those of which nothing is left."""
        kept: dict[str, Suggestion] = {}
        broken: list[Suggestion] = []
        ended = self._clock(cancelled)
        for one in (with_whole_statements(self._document, one) for one in found):
            one = one if one.text.strip() else without_choice(self._document, one) or one  # noqa: PLW2901
            fault = one.verdict or fault_of(self._document, one)
            last = last_right(self._document, one, fault) if fault else 0
            others = self._beginnings(one, last, ended, 1) if fault else [one]
            if not others:
                broken.append(replace(one, text=one.text or one.written, verdict=fault))
            for other in others:
                kept.setdefault(other.text, other)  # two that are cut may be the same
        return list(kept.values()), broken

    def _mended(self, wrong: Sequence[Suggestion], shown: Sequence[str], cancelled: Cancelled) -> list[Suggestion]:
        """The longest beginning of each text with errors that comes before the first, and is found to be clean."""
        ended = self._clock(cancelled)
        tried = [self._beginnings(one, one.verdict.at if one.verdict else 0, ended, MENDED) for one in wrong]
        texts = {one.text: one for each in tried for one in each if one.text not in shown}
        clean = {one.text: one for one in self._judged(list(texts.values()), cancelled) if _is_clean(one)}
        longest = [next((one.text for one in each if one.text in clean), None) for each in tried]
        return [clean[text] for text in dict.fromkeys(longest) if text is not None]

    def _beginnings(self, one: Suggestion, last: int, ended: Callable[[], bool], most: int) -> list[Suggestion]:
        """The longest right beginnings of a text; else what alone is legal of it."""
        only = without_choice(self._document, one)
        return right_beginnings(self._document, one, last, ended, most) or ([only] if only else [])

    def _clock(self, cancelled: Cancelled) -> Callable[[], bool]:
        """Whether the time is over in which beginnings are looked for, counted from now."""
        until = time.monotonic() + self._cut_s
        return lambda: cancelled() or time.monotonic() > until

    def _judged(self, found: list[Suggestion], cancelled: Cancelled) -> list[Suggestion]:
        """The suggestions with an analyser's verdicts."""
        if self._inspector is None or not found:
            return found
        verdicts = self._inspector.inspect(self._document, [change_of(one) for one in found], self._root, cancelled)
        return [replace(one, verdict=verdict) for one, verdict in zip(found, verdicts, strict=True)]

    def _drops(self, verdict: Verdict | None) -> bool:
        if verdict is None or verdict.state != "errors" or self._use == "mark":
            return False
        return self._use == "drop" or any(is_sure(kind) for kind in verdict.kinds)


def _has_errors(one: Suggestion) -> bool:
    return one.verdict is not None and one.verdict.state == "errors"


def _is_clean(one: Suggestion) -> bool:
    return one.verdict is not None and one.verdict.state == "clean"
