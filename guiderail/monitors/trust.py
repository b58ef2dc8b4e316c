"""How far an analyser's answers are trusted in a situation: to forbid, to make less likely, or not at all.

The shipped table counts how often each analyser was right about true code of packages that are used for nothing else
(`guiderail eval soundness --trust`). Where it is nearly always right, what it does not know is forbidden; where it is
mostly right, the scores of what it does not know are lowered by the logarithm of its odds; elsewhere it is ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from guiderail.monitors.monitor import KNOWN

FORBID = 0.98  # the share of right answers from which on what is unknown is forbidden,
SURE = 0.9  # if its lower bound is this much;
HEED = 0.75  # the lower bound from which on it is made less likely
FEWEST = 50  # answers of a situation that must have been counted
UNMEASURED = 0.9  # the share that a soft monitor is taken to have where it was not measured
Z = 1.96  # of the lower bound: 95 % (Wilson 1927)

Situation = tuple[str, str, str, str]  # language, monitor, analyser, and KNOWN or the reason not to rely on an answer


@dataclass(frozen=True, slots=True)
class Trust:
    """How to treat the tokens that an answer rules out.

    Parameters
    ----------
    bias
        What its scores are changed by; minus infinity forbids it.
    reason
        Why nothing is made of it; None if something is.
    """

    bias: float
    reason: str | None = None

    @property
    def is_soft(self) -> bool:
        """Whether it stays possible."""
        return self.bias > -math.inf


@cache
def shipped() -> Mapping[Situation, tuple[int, int]]:
    """How often each analyser was right, of how many, in each situation that was measured."""
    text = resources.files("guiderail.monitors").joinpath("trust.json").read_text(encoding="utf-8")
    return {
        (row["language"], row["monitor"], row["analyser"], row["situation"]): (row["right"], row["of"])
        for row in json.loads(text)["rows"]
    }


def trust(situation: Situation, *, soft: bool, table: Mapping[Situation, tuple[int, int]] | None = None) -> Trust:
    """How far an answer is to be trusted.

    Parameters
    ----------
    situation
        Where it was given.
    soft
        Whether its monitor never forbids.
    table
        What was measured; by default the shipped table.
    """
    reason = situation[3]
    counted = (shipped() if table is None else table).get(situation)
    if counted is None or counted[1] < FEWEST:
        if reason != KNOWN:
            return Trust(0.0, reason)
        return Trust(_bias(UNMEASURED) if soft else -math.inf)
    bound = lower_bound(*counted)
    if reason == KNOWN and not soft and counted[0] / counted[1] >= FORBID and bound >= SURE:
        return Trust(-math.inf)
    if bound >= HEED:
        return Trust(_bias(bound))
    return Trust(0.0, "mostly wrong here" if reason == KNOWN else reason)


def lower_bound(right: int, of: int) -> float:
    """The lower end of Wilson's interval of a share (J. Am. Stat. Assoc. 22, 1927, equation 5)."""
    share, spread = right / of, Z * Z / of
    centre = share + spread / 2
    return (centre - Z * math.sqrt((share * (1 - share) + spread / 4) / of)) / (1 + spread)


def _bias(share: float) -> float:
    """The change of scores that an answer right in this share of cases is worth: the log odds that it is wrong."""
    return math.log((1 - share) / share)
