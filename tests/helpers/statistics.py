"""Whether drawn things follow a distribution that was enumerated."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any


def follows(counts: Counter[Any], expected: Mapping[Any, float]) -> bool:
    """Whether what was drawn may come from these probabilities: chi-square, refused by chance less than once in 1,000.

    What was drawn though it has no probability is refused always; what is expected less than five times is pooled.
    """
    draws = counts.total()
    if any(not expected.get(thing, 0.0) for thing in counts):
        return False
    common = [thing for thing, p in expected.items() if p * draws >= 5]
    rare = [thing for thing in expected if thing not in common]
    cells = [(counts[thing], expected[thing] * draws) for thing in common]
    if rare:
        cells.append((sum(counts[thing] for thing in rare), sum(expected[thing] for thing in rare) * draws))
    statistic = sum((seen - want) ** 2 / want for seen, want in cells if want > 1e-9)
    freedom = len(cells) - 1
    return statistic < freedom + 3.1 * math.sqrt(2 * freedom) + 5  # above the 0.999 quantile
