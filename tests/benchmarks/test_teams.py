"""The laws of the simulation of replicas."""

from dataclasses import replace

import pytest

from guiderail.benchmarks.teams import Plan, enough, simulate
from guiderail.errors import UsageError

ALONE = Plan(people=1, replicas=1, warm=[0.01], cold=[0.2], seconds=60)


def test_the_same_seed_gives_the_same_row() -> None:
    """And another one another row."""
    plan = replace(ALONE, people=20, replicas=2)
    assert simulate(plan) == simulate(plan)
    assert simulate(plan) != simulate(replace(plan, seed=1))


def test_one_person_waits_for_the_request_alone() -> None:
    """The keys and values are there but for the first time."""
    row = simulate(ALONE)
    assert row["p50_ms"] == row["p95_ms"] == 10.0
    assert row["warm"] == pytest.approx(1 - 1 / row["requests"], abs=1e-4)
    assert row["busy"] == pytest.approx((0.2 + 0.01 * (row["requests"] - 1)) / 60, abs=1e-3)


def test_no_replica_is_busier_than_always() -> None:
    """However many ask; most of what they ask is given up by their next key."""
    row = simulate(replace(ALONE, people=400, warm=[0.2], kept=400, seconds=20))
    assert 0.95 < row["busy"] <= 1
    assert row["answered"] < 0.1


def test_a_document_finds_its_cache_only_where_its_requests_stay() -> None:
    """With more replicas the chance that a random one has it is small while few requests have been made."""
    plan = replace(ALONE, people=60, replicas=20, kept=4, seconds=30)
    rows = {route: simulate(replace(plan, route=route)) for route in ("documents", "hash", "random")}
    assert rows["documents"]["warm"] > 0.95
    assert rows["documents"]["warm"] > rows["hash"]["warm"] > rows["random"]["warm"]
    assert rows["documents"]["p95_ms"] < rows["random"]["p95_ms"]


def test_enough_replicas_keep_the_promise_and_fewer_do_not() -> None:
    """The least number is found."""
    plan = replace(ALONE, people=60, warm=[0.08], seconds=20)
    row = enough(plan, 0.3)
    assert row["p95_ms"] <= 300
    fewer = simulate(replace(plan, replicas=row["replicas"] - 1))
    assert fewer["p95_ms"] > 300 or fewer["answered"] < 0.5


def test_a_request_that_is_too_slow_alone_needs_no_replicas_but_other_requests() -> None:
    with pytest.raises(UsageError, match="no number of replicas"):
        enough(replace(ALONE, people=2, warm=[1.0], seconds=20), 0.4)
