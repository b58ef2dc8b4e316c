"""What patching costs, on a tiny model: the laws that hold whatever the weights are."""

import pytest

from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.pie import EFFORTS, Plan, Sample, evaluate, revisions, rows
from guiderail.evaluation.revisions import TASKS
from tests.helpers.models import tiny_model
from tests.helpers.tiny import training_text

PLAN = Plan(samples=1, contexts=(900,), max_tokens=4)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    drawn = revisions({"stdlib": [SourceFile("stdlib", "a.py", training_text())]}, PLAN)
    return list(evaluate(tiny_model("qwen3"), drawn, PLAN))


def test_every_method_answers_every_task(samples: list[Sample]) -> None:
    """Each revision is followed in every way; the full encoding is its own reference."""
    methods = ["full", "conflict", *EFFORTS]
    assert [s.method for s in samples] == methods * (len(samples) // len(methods))
    assert {s.task for s in samples} <= set(TASKS)
    full = [s for s in samples if s.method == "full"]
    assert all(s.kl == 0 and s.agrees and s.stale == 0 and s.encoded == s.tokens for s in full)
    assert all(s.kl >= 0 for s in samples)


def test_the_published_method_encodes_the_least(samples: list[Sample]) -> None:
    """PIE and the same without rotation run the same tokens; every other way runs as many or more."""
    for start in range(0, len(samples), len(EFFORTS) + 2):
        _, conflict, pie, *others = samples[start : start + len(EFFORTS) + 2]
        assert conflict.encoded == pie.encoded <= min(s.encoded for s in others)


def test_rows_are_means_of_samples(samples: list[Sample]) -> None:
    """A row has its samples' numbers, and "all" the samples of every task."""
    table = rows(samples)
    row = next(r for r in table if r["task"] == "all" and r["method"] == "pie")
    mine = [s for s in samples if s.method == "pie"]
    assert row["n"] == len(mine)
    assert row["kl_mean"] == pytest.approx(sum(s.kl for s in mine) / len(mine))
    assert (row["halo"], row["uses"]) == (0, 0)
    assert {r["method"] for r in table if r["task"] == "all"} == {"full", "conflict", *EFFORTS}
