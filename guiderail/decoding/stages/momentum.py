"""Momentum decoding: greedy, with resistance to walking where the text has been (Lan et al. 2022, arXiv 2212.02175).

    next token = argmax over the k most probable of  p(v) - alpha f(r(v))        (section 3.2, equations 2 and 3)

r(v) is the length, at most 5, of the longest n-gram ending in v that is in the text already; f is the paper's
table for English. It subtracts from probabilities, and most tokens of code have been seen: names, brackets, keywords.
`prompt=False` counts what was decoded alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from guiderail.decoding.spec import BuildContext, Metadata, StageSpec, parameter

if TYPE_CHECKING:
    from guiderail.decoding.stages.stage import StepState

RESISTANCE = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)  # by length of the n-gram


@dataclass(frozen=True, kw_only=True)
class MomentumSpec(StageSpec):
    """Momentum decoding."""

    alpha: float = parameter(0.2, "Weight of the resistance, in probability.", low=0, high=1)
    top_k: int = parameter(5, "Candidates.", low=1, high=1000)
    prompt: bool = parameter(True, "Count the prompt as text that has been walked.")
    metadata = Metadata(
        summary="greedy, with resistance to n-grams that are in the text already",
        paper="momentum decoding: arXiv 2212.02175, section 3.2",
        cost="a search for each of the candidates",
        use="for comparison only: with it half as many lines of code are exact",
        sampling="greedy",
        order=95,  # its scores are no logarithms, which others could still change
    )

    def build(self, context: BuildContext) -> Momentum:
        """See `StageSpec.build`."""
        return Momentum(self.alpha, self.top_k, self.prompt)


class Momentum:
    """The stage of momentum decoding; for greedy choice alone, since its scores are no logarithms.

    Parameters
    ----------
    alpha
        Weight of the resistance, in probability.
    top_k
        Candidates.
    prompt
        Whether the prompt counts as text that has been walked.
    """

    def __init__(self, alpha: float = 0.2, top_k: int = 5, prompt: bool = True) -> None:
        self.alpha, self.top_k, self.prompt = alpha, top_k, prompt

    def __call__(self, logits: torch.Tensor, state: StepState) -> torch.Tensor:
        """Scores float32 [vocabulary]: the resisted probabilities of the candidates, -inf for the others."""
        walked = state.ids if self.prompt else state.ids[len(state.ids) - state.step :]
        kept = logits.topk(min(self.top_k, len(logits)))
        lengths = walked_lengths(walked, kept.indices.tolist())
        resisted = logits.softmax(-1)[kept.indices] - self.alpha * logits.new_tensor([RESISTANCE[r] for r in lengths])
        resisted = resisted.masked_fill(kept.values == float("-inf"), float("-inf"))
        return torch.full_like(logits, float("-inf")).index_put((kept.indices,), resisted)


def walked_lengths(walked: Sequence[int], candidates: Sequence[int]) -> list[int]:
    """By candidate, the length of the longest n-gram of `walked + [candidate]` at its end that is in `walked`."""
    ids = np.asarray(walked, dtype=np.int64)
    longest = []
    for candidate in candidates:
        places, length = np.flatnonzero(ids == candidate), 0
        while len(places) and length < len(RESISTANCE) - 1:
            length += 1
            places = places[places >= length]
            places = places[ids[places - length] == ids[len(ids) - length]] if length <= len(ids) else places[:0]
        longest.append(length)
    return longest
