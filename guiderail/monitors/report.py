"""A report of what the monitors did for one suggestion."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class TriggerOutcome:
    """One trigger while decoding, and its outcome.

    Parameters
    ----------
    monitor
        Which monitor it was.
    receiver
        The code that it is about, such as the last characters before a dot.
    legal
        How many names or choices the analyser knows; None if the monitor abstained.
    soft
        Whether what is not among them was made less likely instead of being forbidden.
    abstained
        Why the monitor abstained; None if it did not.
    forbidden
        The tokens that the model would have written and that lead to nothing legal.
    at
        For each of these, how many tokens had been decoded before it, the half-typed word's included.
    only
        The one text that was legal at the cursor, where there was no choice.
    wait_s
        How long decoding waited for the analyser.
    """

    monitor: str
    receiver: str
    legal: int | None = None
    soft: bool = False
    abstained: str | None = None
    forbidden: list[str] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    wait_s: float = 0.0
    only: str = ""


@dataclass(slots=True)
class MonitorReport:
    """What the monitors did for one suggestion, by trigger."""

    analyser: str
    watches: list[TriggerOutcome] = field(default_factory=list)
