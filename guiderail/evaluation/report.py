"""From samples to rows: one row a system, with intervals over packages and differences to the plain model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from guiderail.evaluation.metrics import interval, paired_interval, ratio
from guiderail.evaluation.suite import LineSample, Sample, TextSample

# What is measured: the samples it needs, and numerator and denominator of one of them.
_Measure = Callable[[Sample], tuple[float, float] | None]


def _bits(sample: Sample) -> tuple[float, float] | None:
    return (sample.bits, sample.bytes) if isinstance(sample, TextSample) else None


def _share(kind: str, field: str) -> _Measure:
    def measure(sample: Sample) -> tuple[float, float] | None:
        if isinstance(sample, LineSample) and sample.kind == kind:
            return float(getattr(sample, field)), 1.0
        return None

    return measure


MEASURES: Mapping[str, _Measure] = {
    "bits_per_byte": _bits,
    "next_line_em": _share("next_line", "exact"),
    "next_line_es": _share("next_line", "similarity"),
    "fim_line_em": _share("fim_line", "exact"),
    "parse_rate": _share("fim_line", "parses"),
}


def rows(samples: Iterable[Sample], *, seed: int, bases: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row for each system, in the order of its first sample.

    Parameters
    ----------
    samples
        Of all systems over the same texts and tasks.
    seed
        Of the bootstrap.
    bases
        By system, the one whose paired differences its row states.
    """
    grouped: dict[str, list[Sample]] = {}
    for sample in samples:
        grouped.setdefault(sample.system, []).append(sample)
    return [_row(system, grouped, seed, bases.get(system)) for system in grouped]


def _row(system: str, grouped: Mapping[str, list[Sample]], seed: int, base: str | None) -> dict[str, Any]:
    own = grouped[system]
    lines = [s for s in own if isinstance(s, LineSample)]
    row: dict[str, Any] = {"model": system}
    for name, measure in MEASURES.items():
        row[name] = _number(ratio(_parts(own, measure)))
    row["n"] = len(lines)
    row["n_text_bytes"] = sum(s.bytes for s in own if isinstance(s, TextSample))
    row["packages"] = len({s.package for s in own})
    # A first token needs no decode step: its scores come with the prompt.
    row["tokens_per_s"] = _number(ratio({"all": _speed(lines)}))
    row["intervals"] = {
        name: interval(parts, seed=seed) for name, measure in MEASURES.items() if (parts := _parts(own, measure))
    }
    if base is not None and base in grouped:
        row["against"] = {"model": base, **_differences(own, grouped[base], seed)}
    return row


def _speed(lines: Sequence[LineSample]) -> tuple[float, float]:
    return sum(max(s.tokens - 1, 0) for s in lines), sum(s.decode_s for s in lines)


def _differences(own: Sequence[Sample], base: Sequence[Sample], seed: int) -> dict[str, Any]:
    found = {}
    for name, measure in MEASURES.items():
        mine, theirs = _parts(own, measure), _parts(base, measure)
        if mine:
            low, high = paired_interval(mine, theirs, seed=seed)
            found[name] = {"difference": ratio(mine) - ratio(theirs), "interval": (low, high)}
    return found


def _parts(samples: Iterable[Sample], measure: _Measure) -> dict[str, tuple[float, float]]:
    """Numerator and denominator by package."""
    parts: dict[str, tuple[float, float]] = {}
    for sample in samples:
        value = measure(sample)
        if value is not None:
            above, below = parts.get(sample.package, (0.0, 0.0))
            parts[sample.package] = (above + value[0], below + value[1])
    return parts


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
