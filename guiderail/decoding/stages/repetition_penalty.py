"""The repetition penalty of CTRL (Keskar et al. 2019, arXiv 1909.05858, section 4.1): what was seen is discounted.

It is here for comparison: on code it also discounts the names, brackets and keywords that have to come again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.decoding.spec import BuildContext, Metadata, StageSpec, parameter

if TYPE_CHECKING:
    from guiderail.decoding.stages.stage import StepState


@dataclass(frozen=True, kw_only=True)
class RepetitionPenaltySpec(StageSpec):
    """The repetition penalty of CTRL."""

    theta: float = parameter(1.2, "What the score of a token that was seen is divided by.", low=1, high=10)
    metadata = Metadata(
        summary="discounts every token that is in the text already; for comparison, since code needs its names again",
        paper="CTRL: arXiv 1909.05858, section 4.1",
        cost="none",
        use="for comparison only: ordinary lines get worse; against loops use rpg",
    )

    def build(self, context: BuildContext) -> RepetitionPenalty:
        """See `StageSpec.build`."""
        return RepetitionPenalty(self.theta)


class RepetitionPenalty:
    """Divide the positive scores, and multiply the negative ones, of every token in the text by `theta`.

    Parameters
    ----------
    theta
        1 changes nothing; the paper's value is 1.2.
    """

    def __init__(self, theta: float = 1.2) -> None:
        self.theta = theta

    def __call__(self, logits: torch.Tensor, state: StepState) -> torch.Tensor:
        """Scores float32 [vocabulary]."""
        seen = torch.tensor(sorted(i for i in set(state.ids) if i < len(logits)), device=logits.device)
        if not len(seen):
            return logits
        own = logits[seen]
        return logits.index_put((seen,), torch.where(own > 0, own / self.theta, own * self.theta))
