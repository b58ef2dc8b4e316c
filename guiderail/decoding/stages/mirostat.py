"""Mirostat: sampling whose surprise is steered to a target (Basu et al. 2021, arXiv 2007.14966).

The surprise of a token is S = -log2 p, in bits, under the scores that the stage is given. A bound mu on it begins at
twice the target and follows what was chosen: mu <- mu - rate (S - target) (section 4, equation 9). Version 1 turns
mu into a top-k by an estimate of Zipf's exponent (algorithm 1); version 2 keeps what surprises by at most mu.

Code has long runs of certain tokens; left alone they would wind mu up, and the next uncertain token would be drawn
from nearly everything. `clamped` holds mu between half the target and twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.decoding.spec import BuildContext, Metadata, StageSpec, parameter

if TYPE_CHECKING:
    from guiderail.decoding.stages.stage import StepState

RANKS = 100  # of the most probable tokens, by which Zipf's exponent is estimated
REMEMBERED = 64  # continuations whose next step may still be asked for


@dataclass(frozen=True, kw_only=True)
class _MirostatSpec(StageSpec):
    target: float = parameter(3.0, "Surprise to aim for, bits.", above=0, high=20)
    rate: float = parameter(0.1, "Share of an error that the bound moves by.", above=0, high=1)
    clamped: bool = parameter(True, "Keep the bound between half the target and twice.")


@dataclass(frozen=True, kw_only=True)
class MirostatV1Spec(_MirostatSpec):
    """Mirostat, version 1."""

    metadata = Metadata(
        summary="draws with a steady surprise: top-k, k from Zipf's law",
        paper="Mirostat: arXiv 2007.14966, algorithm 1",
        cost="none",
        use="for long drawn texts of steady variety; mirostat2 does the same faster",
        sampling="sampled",
        refuses=("mirostat2",),
        order=90,
    )

    def build(self, context: BuildContext) -> MirostatV1:
        """See `StageSpec.build`."""
        return MirostatV1(self.target, self.rate, self.clamped)


@dataclass(frozen=True, kw_only=True)
class MirostatV2Spec(_MirostatSpec):
    """Mirostat, version 2."""

    metadata = Metadata(
        summary="draws with a steady surprise: drops what surprises more than a bound",
        paper="Mirostat: arXiv 2007.14966, section 4; version 2 by its authors' code",
        cost="none",
        use="for long drawn texts of steady variety; not for single lines",
        sampling="sampled",
        refuses=("mirostat1",),
        order=90,
    )

    def build(self, context: BuildContext) -> MirostatV2:
        """See `StageSpec.build`."""
        return MirostatV2(self.target, self.rate, self.clamped)


class _Feedback:
    """The bound mu after every continuation that was asked about.

    A stage is told no choices, but the next call's ids end with the last one.

    Parameters
    ----------
    target
        Surprise to aim for, bits.
    rate
        Share of the error that mu moves by.
    clamped
        Whether mu stays in [target / 2, 2 target].
    """

    def __init__(self, target: float = 3.0, rate: float = 0.1, clamped: bool = True) -> None:
        self.target, self.rate, self.clamped = target, rate, clamped
        # By what was decoded: mu, and every token's surprise.
        self._steps: dict[tuple[int, ...], tuple[float, torch.Tensor]] = {}

    def judge(self, logits: torch.Tensor, state: StepState) -> tuple[float, torch.Tensor]:
        """Mu at this step, and the surprise of every token, bits [vocabulary]."""
        decoded = tuple(state.ids[len(state.ids) - state.step :]) if state.step else ()
        found = self._bound(decoded), logits.log_softmax(-1) / -math.log(2)
        self._steps.pop(decoded, None)
        self._steps[decoded] = found
        if len(self._steps) > REMEMBERED:
            del self._steps[next(iter(self._steps))]
        return found

    def _bound(self, decoded: tuple[int, ...]) -> float:
        if decoded[:-1] not in self._steps or not decoded:
            return 2 * self.target
        before, bits = self._steps[decoded[:-1]]
        # A token that another stage raised from nothing is infinitely surprising; mu only has to fall.
        after = before - self.rate * (min(float(bits[decoded[-1]]), 4 * self.target) - self.target)
        return min(max(after, self.target / 2), 2 * self.target) if self.clamped else after


class MirostatV2(_Feedback):
    """Keep the tokens that surprise by at most mu; at least the most probable one."""

    def __call__(self, logits: torch.Tensor, state: StepState) -> torch.Tensor:
        """Scores float32 [vocabulary], -inf for what is dropped."""
        mu, bits = self.judge(logits, state)
        drop = bits > mu
        drop[int(logits.argmax())] = False
        return logits.masked_fill(drop, float("-inf"))


class MirostatV1(_Feedback):
    """Keep the k most probable tokens, k from mu and Zipf's law."""

    def __call__(self, logits: torch.Tensor, state: StepState) -> torch.Tensor:
        """Scores float32 [vocabulary], -inf for what is dropped."""
        mu, bits = self.judge(logits, state)
        ranked = -bits.sort().values[: RANKS + 1] * math.log(2)
        k = top_k_for(mu, zipf_exponent(ranked[ranked.isfinite()]), len(logits))
        threshold = logits.topk(k).values[-1]
        return logits.masked_fill(logits < threshold, float("-inf"))


def zipf_exponent(ranked: torch.Tensor) -> float:
    """Least-squares estimate of Zipf's exponent (algorithm 1, line 3): s = sum t b / sum t^2.

    Parameters
    ----------
    ranked
        Natural logarithms of the largest probabilities, descending; b and t are the differences of neighbours and of
        their ranks' logarithms.
    """
    if len(ranked) < 2:
        return math.inf
    ranks = torch.arange(1, len(ranked) + 1, dtype=torch.float64).log()
    t = ranks[1:] - ranks[:-1]
    b = (ranked[:-1] - ranked[1:]).double().cpu()
    return float((t * b).sum() / (t * t).sum())


def top_k_for(mu: float, exponent: float, vocabulary: int) -> int:
    """How many tokens are kept (equation 7): k = ((e 2^mu) / (1 - N^-e))^(1/s), e = s - 1; in [1, N].

    At s = 1 the quotient e / (1 - N^-e) is taken at its limit, 1 / ln N.
    """
    if math.isinf(exponent) or exponent <= 0:
        return 1 if exponent > 0 else vocabulary
    epsilon = exponent - 1
    growth = math.log(vocabulary)
    # log of e / (1 - N^-e), whose two factors change sign together
    ratio = -math.log(growth) if abs(epsilon) < 1e-9 else math.log(epsilon / -math.expm1(-epsilon * growth))
    log_k = (ratio + mu * math.log(2)) / exponent
    return vocabulary if log_k >= growth else max(1, round(math.exp(log_k)))
