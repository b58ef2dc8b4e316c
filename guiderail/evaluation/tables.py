"""From scored answers to the figures of a table: ratios, their intervals over packages, and paired differences.

A figure is kept as parts: for each package a numerator and a denominator. Its value is the sum of the numerators over
the sum of the denominators.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from statistics import fmean
from typing import Any, TypeVar

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95

T = TypeVar("T")
Parts = Mapping[str, tuple[float, float]]
# Numerator and denominator of one sample; None where it does not count.
Measure = Callable[[T], tuple[float, float] | None]


def mean(field: str, **only: Any) -> Measure[Mapping[str, Any]]:
    """The mean of a field over the samples that have it and whose other fields are as `only` says."""

    def measure(sample: Mapping[str, Any]) -> tuple[float, float] | None:
        counts = sample.get(field) is not None and all(sample.get(name) == value for name, value in only.items())
        return (float(sample[field]), 1.0) if counts else None

    return measure


def means(samples: Collection[Mapping[str, Any]], *fields: str) -> dict[str, float]:
    """The plain mean of each field over all samples; there must be one."""
    return {field: fmean(sample[field] for sample in samples) for field in fields}


def parts(
    samples: Iterable[T], measure: Measure[T], package: Callable[[Any], str] = itemgetter("package")
) -> dict[str, tuple[float, float]]:
    """Numerator and denominator of each package that has a sample which counts."""
    found: dict[str, tuple[float, float]] = {}
    for sample in samples:
        value = measure(sample)
        if value is not None:
            above, below = found.get(package(sample), (0.0, 0.0))
            found[package(sample)] = (above + value[0], below + value[1])
    return found


def figures(samples: Iterable[T], measures: Mapping[str, Measure[T]]) -> dict[str, Parts]:
    """The parts of every measure."""
    own = list(samples)
    return {name: parts(own, measure) for name, measure in measures.items()}


def columns(found: Mapping[str, Parts], seed: int) -> dict[str, Any]:
    """The value of each figure, None where nothing counts, and under ``intervals`` the intervals of the others."""
    row: dict[str, Any] = {name: ratio(own) if own else None for name, own in found.items()}
    return row | {"intervals": {name: interval(own, seed=seed) for name, own in found.items() if own}}


def differences(own: Mapping[str, Parts], base: Mapping[str, Parts], seed: int) -> dict[str, dict[str, Any]]:
    """Each figure's difference to that of another system, over the packages that both have.

    Returns
    -------
    dict
        By figure ``difference``, its paired ``interval``, and ``relative``, the difference by the base's value (None
        where that is 0).
    """
    found = {}
    for name in own:
        shared = own[name].keys() & base.get(name, {}).keys()
        if shared:
            mine, theirs = ({package: side[name][package] for package in shared} for side in (own, base))
            before, after = ratio(theirs), ratio(mine)
            found[name] = {
                "difference": after - before,
                "interval": paired_interval(mine, theirs, seed=seed),
                "relative": after / before - 1 if before else None,
            }
    return found


def grouped(rows: Iterable[T], key: Callable[[T], Any]) -> dict[Any, list[T]]:
    """The rows by what a key gives of each, in the order of their first ones."""
    found: dict[Any, list[T]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def tokens_per_s(rows: Iterable[Mapping[str, Any]]) -> float | None:
    """Of many answers together; a first token needs no step, because its scores come with the prompt."""
    own = list(rows)
    steps, seconds = sum(max(row["tokens"] - 1, 0) for row in own), sum(row["decode_s"] for row in own)
    return steps / seconds if seconds else None


def ratio(own: Parts) -> float:
    """Sum of the numerators over sum of the denominators; NaN without any."""
    below = sum(b for _, b in own.values())
    return sum(a for a, _ in own.values()) / below if below else float("nan")


def interval(own: Parts, *, seed: int) -> tuple[float, float]:
    """Bootstrap interval (95 %, percentiles) of `ratio`, drawing whole packages.

    Files of one package resemble each other, so drawing single samples would make the interval too narrow.

    Parameters
    ----------
    own
        Numerator and denominator of each package.
    seed
        Of the draws.
    """
    return _percentiles(_resampled(_matrix(own, sorted(own)), seed))


def paired_interval(one: Parts, other: Parts, *, seed: int) -> tuple[float, float]:
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


def _matrix(own: Parts, names: Sequence[str]) -> np.ndarray:
    return np.array([own[name] for name in names], dtype=np.float64).reshape(-1, 2)


def _resampled(matrix: np.ndarray, seed: int) -> np.ndarray:
    """The ratio of each resample, [RESAMPLES]."""
    draws = np.random.default_rng(seed).integers(0, len(matrix), (RESAMPLES, len(matrix)))
    sums = matrix[draws].sum(axis=1)
    return sums[:, 0] / sums[:, 1]


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)
