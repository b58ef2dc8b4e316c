"""Debounces automatic requests by how fast the person types and the model answers."""

import time

PAUSE = 1.0  # seconds; a longer gap is a pause, and says nothing about how fast a person types
_BURST = 1.5  # intervals between keys after which a burst is taken to be over
_WEIGHT = 0.3  # of the newest observation in the averages


class Debouncer:
    """Averages the intervals between keys and the times of answers, and derives how long a request should wait."""

    def __init__(self) -> None:
        self._changed = 0.0
        self._interval: float | None = None
        self._answer: float | None = None

    def changed(self, now: float | None = None) -> None:
        """Record that a key was typed."""
        now = time.monotonic() if now is None else now
        gap = now - self._changed
        if gap < PAUSE:
            self._interval = _smoothed(self._interval, gap)
        self._changed = now

    def answered(self, seconds: float) -> None:
        """Record how long a request took from its start on the worker."""
        self._answer = _smoothed(self._answer, seconds)

    def since_change(self, now: float | None = None) -> float:
        """Seconds since the last key."""
        return (time.monotonic() if now is None else now) - self._changed

    def delay(self, limit: float, now: float | None = None) -> float:
        """Seconds that a request should wait from now on; the time since the last key counts.

        Where answers come well before the next key, waiting gains nothing. Elsewhere a request waits somewhat longer
        than the next key takes to come, so that a burst of keys asks the model once; at most `limit`.
        """
        if self._answer is not None and self._interval is not None and self._answer < self._interval / 2:
            return 0.0
        wait = limit if self._interval is None else min(limit, _BURST * self._interval)
        return max(0.0, wait - self.since_change(now))


def _smoothed(average: float | None, value: float) -> float:
    return value if average is None else (1 - _WEIGHT) * average + _WEIGHT * value
