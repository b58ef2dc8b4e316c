"""Greedy choice and sampling: temperature, top-k, top-p, min-p.

The order is temperature first, then the three truncations, each over what the one before left: the order of
transformers' own processors, so that the same settings mean the same distribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from guiderail.errors import UsageError

LEAST_TEMPERATURE = 1e-6  # by less scores cannot be divided


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How one token is chosen from the scores.

    Parameters
    ----------
    temperature
        0, and less than a millionth, takes the most probable token (greedy); the rest of the settings then has no
        effect.
    top_k
        Keep the k most probable tokens; 0 keeps all.
    top_p
        Keep the most probable tokens that together reach this mass (nucleus sampling, arXiv 1904.09751); 1 keeps all.
    min_p
        Keep tokens at least this share as probable as the most probable one (arXiv 2407.01082); 0 keeps all.
    seed
        Two runs with one seed draw the same tokens on one machine.

    Raises
    ------
    UsageError
        If a number is outside its range.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        ranges = {
            "temperature": (self.temperature >= 0, "0 or more"),
            "top_k": (self.top_k >= 0, "0 or more"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "min_p": (0 <= self.min_p <= 1, "between 0 and 1"),
        }
        for name, (valid, allowed) in ranges.items():
            if not valid:
                raise UsageError(f"{name} is {getattr(self, name)}", f"It must be {allowed}")

    @property
    def greedy(self) -> bool:
        """Whether the most probable token is always taken."""
        return self.temperature < LEAST_TEMPERATURE


def truncate(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Scores (float32 [vocabulary]) divided by the temperature, -inf outside top-k, top-p and min-p."""
    logits = logits / sampling.temperature
    if 0 < sampling.top_k < logits.shape[-1]:
        threshold = logits.topk(sampling.top_k).values[-1]
        logits = logits.masked_fill(logits < threshold, float("-inf"))
    if sampling.top_p < 1:
        ranked, order = logits.sort(descending=True)
        before = ranked.softmax(-1).cumsum(-1) - ranked.softmax(-1)
        logits = logits.index_fill(0, order[before >= sampling.top_p], float("-inf"))
    if sampling.min_p > 0:
        bound = logits.max() + torch.log(torch.tensor(sampling.min_p))
        logits = logits.masked_fill(logits < bound, float("-inf"))
    return logits


class Sampler:
    """Draws tokens for one request.

    Parameters
    ----------
    sampling
        The settings.
    index
        Which of several suggestions this is: each draws from a stream of its own.
    """

    def __init__(self, sampling: Sampling, index: int = 0) -> None:
        self.sampling = sampling
        # On the CPU whatever the device, so that a seed means one thing on one machine.
        self.generator = torch.Generator().manual_seed(sampling.seed * 1_000_003 + index)

    def __call__(self, logits: torch.Tensor) -> int:
        """The id chosen from float32 [vocabulary]."""
        return int(logits.argmax()) if self.sampling.greedy else self.draw(self.probabilities(logits))

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """The probabilities that a token is drawn with, float32 [vocabulary] on the CPU; not for greedy settings."""
        return truncate(logits, self.sampling).softmax(-1).cpu()

    def draw(self, probabilities: torch.Tensor) -> int:
        """An id with these probabilities, which need not sum to one."""
        return int(torch.multinomial(probabilities, 1, generator=self.generator))

    def accepts(self, probability: float) -> bool:
        """True with this probability; one above 1 counts as 1."""
        return float(torch.rand((), generator=self.generator)) < probability
