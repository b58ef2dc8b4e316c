"""From samples to rows."""

from __future__ import annotations

import pytest

from guiderail.evaluation.report import MEASURES, rows
from guiderail.evaluation.suite import LineSample, TextSample


def line(system: str, package: str, kind: str, *, exact: bool, similarity: float = 0.5) -> LineSample:
    return LineSample(system, package, "a.py", kind, 3, "truth", "answer", exact, similarity, exact, 5, 0.5)


def samples(system: str, gain: float = 0.0) -> list:
    found: list = []
    for number, package in enumerate(("a", "b", "c", "d")):
        found.append(TextSample(system, package, "a.py", 100.0 * (number + 1) - 50 * gain, 50))
        found.append(line(system, package, "next_line", exact=number < 1 + 2 * gain))
        found.append(line(system, package, "fim_line", exact=number < 2))
    return found


def test_a_row_has_every_figure_and_its_interval() -> None:
    [row] = rows(samples("m"), seed=0, bases={})
    assert row["model"] == "m"
    assert row["bits_per_byte"] == pytest.approx(1000 / 200)
    assert (row["next_line_em"], row["next_line_es"], row["fim_line_em"], row["parse_rate"]) == (0.25, 0.5, 0.5, 0.5)
    assert (row["n"], row["n_text_bytes"], row["packages"]) == (8, 200, 4)
    assert row["tokens_per_s"] == pytest.approx(8.0)
    for name in MEASURES:
        low, high = row["intervals"][name]
        assert low <= row[name] <= high
    assert "against" not in row


def test_differences_are_paired_with_the_base() -> None:
    _, better = rows([*samples("m"), *samples("m2", gain=1.0)], seed=0, bases={"m2": "m"})
    against = better["against"]
    assert against["model"] == "m"
    assert against["bits_per_byte"]["difference"] == pytest.approx(-1.0)
    # every package gains the same, so the paired interval has no width although the packages differ
    assert against["bits_per_byte"]["interval"] == pytest.approx((-1.0, -1.0))
    assert against["next_line_em"]["difference"] == pytest.approx(0.5)


def test_what_was_not_measured_has_no_figure() -> None:
    [row] = rows([line("m", "a", "next_line", exact=True)], seed=0, bases={})
    assert row["bits_per_byte"] is None and row["fim_line_em"] is None
    assert set(row["intervals"]) == {"next_line_em", "next_line_es"}
