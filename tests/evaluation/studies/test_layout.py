"""Orders of a prompt, compared on a tiny model: the laws that hold whatever the weights are."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guiderail.errors import UsageError
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.row_file import RowFile
from guiderail.evaluation.studies.layout import Plan, evaluate, known, rows, traces
from tests.evaluation.runs import worker
from tests.evaluation.test_typing_traces import TEXT
from tests.helpers.models import tiny_model

PLAN = Plan(traces=1, prompt_tokens=400, max_tokens=4)


@pytest.fixture(scope="module")
def samples() -> list[dict[str, Any]]:
    drawn = traces({"stdlib": [SourceFile("stdlib", "a.py", TEXT)]}, PLAN)
    with worker("guiderail", PLAN) as (who, config):
        return list(evaluate(who, config, drawn))


def test_appending_layouts_encode_less(samples: list[dict[str, Any]]) -> None:
    """Typing shifts the suffix in psm; spm and efim append, and efim encodes the least again."""
    share = {row["layout"]: row["encoded_share"] for row in rows(samples) if row["policy"] == "exact"}
    assert share["efim"] <= share["spm"] < share["psm"]


def test_the_exact_policy_leaves_nothing_stale(samples: list[dict[str, Any]]) -> None:
    """Each state is there in every layout and policy; under the exact one no token is stale."""
    table = rows(samples)
    assert len(table) == 6
    assert len({(row["n"], row["judged"]) for row in table}) == 1
    for row in table:
        assert (row["stale"] == 0) or row["policy"] == "patch"
        assert 0 <= row["em"] <= row["es"] <= 1


def test_only_what_a_model_knows_is_compared() -> None:
    """A model's layouts are those that its format knows; one layout alone cannot be compared."""
    assert known(tiny_model("guiderail").info) == ["psm", "spm", "efim"]
    assert known(tiny_model("qwen2").info) == ["psm", "efim"]
    with pytest.raises(UsageError, match="one layout"):
        known(tiny_model("mistral").info)


def test_traces_are_found_again_by_what_is_typed(tmp_path: Path) -> None:
    """Another text at the same place is replayed, and its rows are its own; the first trace is not replayed again."""
    drawn = traces({"stdlib": [SourceFile("stdlib", "a.py", TEXT)]}, PLAN)
    other = [
        (name, [replace(state, text="\n" + state.text, offset=state.offset + 1) for state in trace])
        for name, trace in drawn
    ]
    with worker("guiderail", PLAN) as (who, config), closing(RowFile(tmp_path / "rows.jsonl", {})) as log:
        first = list(evaluate(who, config, drawn, log))
        units = len(log.done)
        assert len(list(evaluate(who, config, other, log))) == len(first)
        assert len(log.done) == 2 * units
        again = list(evaluate(who, config, drawn, log))
        assert len(log.done) == 2 * units
    assert again == first
