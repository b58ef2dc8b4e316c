"""Where a run stands: learning-rate factor and context length as functions of one number, its progress.

Warm-up, stable, decay (Hu et al., MiniCPM, 2024), the decay linear to zero.  Progress is the larger of the
share of tokens and the share of seconds spent, so a run ends decayed whether the plan or the clock ends it; and
`cool_down` moves both totals so that the decay begins at once.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phase:
    """A context length, the rows of a micro-batch and the micro-batches of a step, up to some progress."""

    until: float
    context: int
    rows: int
    accumulate: int = 1


@dataclass(slots=True)
class Schedule:
    """Plan of one run; the totals may shrink, nothing else changes."""

    total_tokens: float
    total_seconds: float | None
    warmup_steps: int
    decay: float
    phases: tuple[Phase, ...]

    def progress(self, tokens: float, seconds: float) -> float:
        """From 0 to 1."""
        by_time = seconds / self.total_seconds if self.total_seconds else 0.0
        return min(1.0, max(tokens / self.total_tokens, by_time))

    def factor(self, step: int, progress: float) -> float:
        """What the peak learning rates are multiplied by."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        return warm * min(1.0, (1.0 - progress) / self.decay)

    def phase(self, progress: float) -> Phase:
        """The phase in force."""
        return next((phase for phase in self.phases if progress < phase.until), self.phases[-1])

    def cool_down(self, tokens: float, seconds: float) -> None:
        """Begin the decay now, unless it has begun."""
        if self.progress(tokens, seconds) < 1 - self.decay:
            self.total_tokens = tokens / (1 - self.decay)
            self.total_seconds = seconds / (1 - self.decay) if self.total_seconds else None
