"""A pause of all suggestions that ends by itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

MOST_MINUTES = 24 * 60


@dataclass
class Snooze:
    """No suggestions until a time of the day.

    Attributes
    ----------
    until
        Seconds since the epoch: a machine that sleeps meanwhile wakes to suggestions.
    """

    until: float = 0.0

    @property
    def left_s(self) -> float:
        """Seconds that are left; 0 when there is none."""
        return max(0.0, self.until - time.time())

    @property
    def clock(self) -> str:
        """When it ends, as a clock shows it; empty when there is none."""
        return datetime.fromtimestamp(self.until).strftime("%H:%M") if self.left_s else ""

    def begin(self, minutes: int) -> None:
        """Begin one of so many minutes in place of the last; 0 ends it."""
        self.until = time.time() + 60 * minutes if minutes else 0.0
