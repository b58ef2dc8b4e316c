"""What patching costs, on a tiny model: the laws that hold whatever the weights are."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guiderail.cache.selection import Effort
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.revisions import TASKS
from guiderail.evaluation.row_file import RowFile
from guiderail.evaluation.studies import repeated_edits
from guiderail.evaluation.studies.pie import (
    EFFORTS,
    PREFIX,
    Plan,
    by_distance,
    chains,
    evaluate,
    revisions,
    rows,
)
from tests.helpers.models import tiny_model
from tests.helpers.tiny import training_text

PLAN = Plan(samples=1, contexts=(400,), chains=1, chain_tokens=300, edits=6, max_tokens=4)
FILES = {"stdlib": [SourceFile("stdlib", "a.py", training_text())]}


@pytest.fixture(scope="module")
def samples() -> list[dict[str, Any]]:
    model = tiny_model("qwen3")
    drawn = revisions(model, FILES, [], PLAN)
    return list(evaluate(model, drawn, PLAN))


def test_every_method_answers_every_task(samples: list[dict[str, Any]]) -> None:
    """Each revision is followed in every way; the full encoding is its own reference, the prefix cache equals it."""
    methods = ["full", PREFIX, "conflict", *EFFORTS]
    assert [s["method"] for s in samples] == methods * (len(samples) // len(methods))
    assert {s["kind"] for s in samples} <= set(TASKS)
    full = [s for s in samples if s["method"] == "full"]
    assert full
    assert all(
        s["kl"] == 0 and s["agrees"] and s["same_line"] and s["stale"] == 0 and s["encoded"] == s["tokens"]
        for s in full
    )
    assert all(s["kl"] < 1e-9 and s["same_line"] and s["stale"] == 0 for s in samples if s["method"] == PREFIX)
    assert all(s["kl"] > -1e-12 for s in samples)


def test_the_published_method_encodes_the_least(samples: list[dict[str, Any]]) -> None:
    """PIE and the same without rotation run the same tokens; every other way runs as many or more."""
    for start in range(0, len(samples), len(EFFORTS) + 3):
        _, prefix, conflict, pie, *others = samples[start : start + len(EFFORTS) + 3]
        assert conflict["encoded"] == pie["encoded"] <= min(s["encoded"] for s in [*others, prefix])


def test_what_is_done_is_not_done_again(samples: list[dict[str, Any]], tmp_path: Path) -> None:
    """Revisions whose rows are in the log are not followed again; a run that was ended in the midst gives the same."""
    model = tiny_model("qwen3")
    drawn = revisions(model, FILES, [], PLAN)
    with closing(RowFile(tmp_path / "rows.jsonl", {"seed": 0})) as log:
        next(evaluate(model, drawn, PLAN, log))
        assert len(log.done) == 1
        again = list(evaluate(model, drawn, PLAN, log))
        assert len({row["task"] for row in again}) == len(log.done)
        kept = list(evaluate(model, drawn, PLAN, log))
    assert [(s["method"], s["kl"]) for s in again] == [(s["method"], s["kl"]) for s in samples]
    assert [s["seconds"] for s in kept] == [s["seconds"] for s in again]  # nothing was measured a second time


def test_revisions_are_found_again_by_their_texts(samples: list[dict[str, Any]], tmp_path: Path) -> None:
    """In another order each has its own rows; with another truth it is followed anew."""
    model = tiny_model("qwen3")
    drawn = revisions(model, FILES, [], PLAN)
    with closing(RowFile(tmp_path / "rows.jsonl", {"seed": 0})) as log:
        one = list(evaluate(model, drawn[:2], PLAN, log))
        turned = list(evaluate(model, drawn[1::-1], PLAN, log))
        assert [row["truth"] for row in turned] == [row["truth"] for row in one[::-1]]
        known = len(log.done)
        other = replace(drawn[0], truth=drawn[0].truth + "0")
        assert {row["truth"] for row in evaluate(model, [other], PLAN, log)} == {other.truth}
        assert len(log.done) == known + 1


def test_rows_are_means_of_samples(samples: list[dict[str, Any]]) -> None:
    """A row has its samples' numbers, and "all" the samples of every task."""
    table = rows(samples)
    row = next(r for r in table if r["task"] == "all" and r["method"] == "pie")
    mine = [s for s in samples if s["method"] == "pie"]
    assert row["n"] == len(mine)
    assert row["kl_mean"] == pytest.approx(sum(s["kl"] for s in mine) / len(mine))
    assert (row["halo"], row["uses"]) == (0, 0)
    assert {r["method"] for r in table if r["task"] == "all"} == {"full", PREFIX, "conflict", *EFFORTS}


def test_every_sample_has_a_distance(samples: list[dict[str, Any]]) -> None:
    """The classes of distance hold each sample once."""
    classes = by_distance(samples)
    assert sum(row["n"] for row in classes) == len(samples)


def test_the_default_is_measured() -> None:
    """What a cache does by default is one of the methods of the tables."""
    assert Effort() in EFFORTS.values()


def test_chains_are_followed_to_their_end() -> None:
    """A chain compares every way of healing; where all is healed between two edits, nothing is stale after."""
    model = tiny_model("qwen3")
    links = list(repeated_edits.evaluate(model, chains(model, FILES, PLAN), PLAN))
    assert {link["method"] for link in links} == {*repeated_edits.HEALING, repeated_edits.PIE_METHOD}
    assert max(link["edits"] for link in links) == PLAN.edits
    table = repeated_edits.rows(links)
    assert len(table) == len({(link["method"], link["edits"]) for link in links})


def test_chained_texts_are_edits_of_lines() -> None:
    """Every text of a chain has the lines of the first one, but for some that are taken out for a while."""
    (chain,) = chains(tiny_model("qwen3"), FILES, PLAN)
    first, *others = repeated_edits.texts(chain, 20, seed=3)
    assert len(others) == 20
    for before, after in zip([first, *others], others, strict=False):
        assert before != after or before.count("\n") > 1
        assert set(after.splitlines()) <= set(first.splitlines())
