"""How an answer is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95


def truncate(text: str) -> str:
    """The frozen truncation rule of every line task: up to the first line end, without spaces at its end."""
    return text.split("\n", 1)[0].rstrip()


def exact_match(answer: str, truth: str) -> bool:
    """Whether the truncated answer is the truth, spaces at the ends of both aside."""
    return truncate(answer) == truncate(truth)


def edit_similarity(answer: str, truth: str) -> float:
    """1 - Levenshtein distance / longer length, of the truncated texts; 1 for two empty ones."""
    return similarity(truncate(answer), truncate(truth))


def similarity(a: str, b: str) -> float:
    """1 - Levenshtein distance / longer length; 1 for two empty texts."""
    longer = max(len(a), len(b))
    return 1 - levenshtein(a, b) / longer if longer else 1.0


def levenshtein(a: str, b: str) -> int:
    """Insertions, deletions and replacements of one character that turn `a` into `b`."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def score_at(k: int, values: Sequence[float]) -> float:
    """score@k: the expected best of `k` of the values, drawn without putting back; pass@k for values of 0 and 1.

    "Guiding Language Models of Code with Global Context using Monitors" (NeurIPS 2023), section 4.

    Raises
    ------
    ValueError
        There are fewer than `k` values, or `k` is none.
    """
    if not 1 <= k <= len(values):
        raise ValueError(f"score@{k} of {len(values)} values")
    ranked = sorted(values, reverse=True)
    ways = (value * comb(len(ranked) - place, k - 1) for place, value in enumerate(ranked, start=1))
    return sum(ways) / comb(len(ranked), k)


def ratio(parts: Mapping[str, tuple[float, float]]) -> float:
    """Sum of the numerators over sum of the denominators; NaN without any."""
    below = sum(b for _, b in parts.values())
    return sum(a for a, _ in parts.values()) / below if below else float("nan")


def interval(parts: Mapping[str, tuple[float, float]], *, seed: int) -> tuple[float, float]:
    """Bootstrap interval (95 %, percentiles) of `ratio`, drawing whole packages.

    Files of one package resemble each other, so drawing single samples would make the interval too narrow.

    Parameters
    ----------
    parts
        Numerator and denominator of each package.
    seed
        Of the draws.
    """
    return _percentiles(_resampled(_matrix(parts, sorted(parts)), seed))


def paired_interval(
    one: Mapping[str, tuple[float, float]], other: Mapping[str, tuple[float, float]], *, seed: int
) -> tuple[float, float]:
    """Interval of `ratio(one) - ratio(other)`, drawing the same packages for both.

    Raises
    ------
    ValueError
        The two are not over the same packages.
    """
    if one.keys() != other.keys():
        raise ValueError("a paired difference needs the same packages on both sides")
    names = sorted(one)
    return _percentiles(_resampled(_matrix(one, names), seed) - _resampled(_matrix(other, names), seed))


def _matrix(parts: Mapping[str, tuple[float, float]], names: Sequence[str]) -> np.ndarray:
    return np.array([parts[name] for name in names], dtype=np.float64).reshape(-1, 2)


def _resampled(matrix: np.ndarray, seed: int) -> np.ndarray:
    """The ratio of each resample, [RESAMPLES]."""
    draws = np.random.default_rng(seed).integers(0, len(matrix), (RESAMPLES, len(matrix)))
    sums = matrix[draws].sum(axis=1)
    return sums[:, 0] / sums[:, 1]


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)
