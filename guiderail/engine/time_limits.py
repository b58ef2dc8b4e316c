"""Limits on how long a completion waits for disks and analysers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from guiderail.choices import CachePolicy

CUT_S = 0.1  # at a key stroke


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Limits on waiting during a completion, in seconds.

    With infinite times for files, an answer does not depend on how busy the machine is.

    Parameters
    ----------
    context_s
        For the search for context in the project's other files.
    ngrams_s
        For counting their n-grams.
    analyser_s
        For one answer of an analyser.
    waits_for_drafters
        Whether models that draft are loaded before the first completion, which has none else.
    """

    context_s: float
    ngrams_s: float
    analyser_s: float
    waits_for_drafters: bool = True

    @property
    def cut_s(self) -> float:
        """For cutting a text with a syntax error: in a large file each look at it takes as long as parsing the file."""
        return math.inf if math.isinf(self.context_s) else max(CUT_S, self.analyser_s / 2)

    def cache_policy(self, chosen: CachePolicy) -> CachePolicy:
        """The setting; "auto", which patches where that is measured to be faster, is exact where there is time."""
        return "exact" if chosen == "auto" and math.isinf(self.context_s) else chosen


# N-grams are counted in idle time alone.
TYPING = TimeLimits(context_s=0.15, ngrams_s=0.0, analyser_s=0.05, waits_for_drafters=False)
WAITING = TimeLimits(context_s=0.5, ngrams_s=0.5, analyser_s=2.0)
BATCH = TimeLimits(context_s=math.inf, ngrams_s=math.inf, analyser_s=2.0)
