"""The cost of masks."""

from guiderail.benchmarks.monitors import Plan, rows


def test_every_pair_of_sizes_is_measured() -> None:
    """Each vocabulary is measured with each number of names, over as many masks as the names have letters."""
    plan = Plan(vocabularies=(400, 900), identifiers=(1, 20), rounds=2, files=5)
    found = list(rows(plan))
    assert [(row["vocabulary"], row["identifiers"]) for row in found] == [(400, 1), (400, 20), (900, 1), (900, 20)]
    assert all(0 < row["mask_us_p50"] <= row["mask_us_p99"] and row["masks"] >= 8 for row in found)
