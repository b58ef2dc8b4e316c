"""Every outcome of a random program, with its exact probability."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

import pytest
import torch

from guiderail.decoding.sampling import Sampler


class Fork:
    """Takes the choices of a script, then the first possible one at each; remembers what else was possible."""

    def __init__(self, script: Sequence[int]) -> None:
        self.script = script
        self.taken: list[int] = []
        self.others: list[list[int]] = []  # scripts that were not taken
        self.probability = 1.0

    def choose(self, probabilities: Sequence[float]) -> int:
        possible = [index for index, probability in enumerate(probabilities) if probability > 0]
        if len(self.taken) < len(self.script):
            index = self.script[len(self.taken)]
        else:
            index = possible[0]
            self.others += [[*self.taken, other] for other in possible[1:]]
        self.taken.append(index)
        self.probability *= probabilities[index]
        return index


def outcomes(monkeypatch: pytest.MonkeyPatch, program: Callable[[], Hashable]) -> dict[Hashable, float]:
    """The probability of each result of `program`, all of whose randomness comes from samplers."""
    fork = Fork([])

    def draw(self: Sampler, probabilities: torch.Tensor) -> int:
        shares = probabilities.double() / probabilities.double().sum()
        return fork.choose(shares.tolist())

    def accepts(self: Sampler, probability: float) -> bool:
        probability = min(probability, 1.0)
        return fork.choose([1 - probability, probability]) == 1

    monkeypatch.setattr(Sampler, "draw", draw)
    monkeypatch.setattr(Sampler, "accepts", accepts)
    found: dict[Hashable, float] = defaultdict(float)
    scripts: list[Sequence[int]] = [[]]
    while scripts:
        fork = Fork(scripts.pop())
        result = program()
        found[result] += fork.probability
        scripts += fork.others
    return dict(found)
