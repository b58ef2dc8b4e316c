"""The benchmark of following edits: what its rows claim."""

import pytest

from guiderail.benchmarks.cache import Plan, cases, run
from tests.helpers.models import tiny_model

PLAN = Plan(tokens=(300, 400, 5000), edit_at=(0.0, 0.9), changed=(2,), runs=1)


@pytest.mark.usefixtures("own_cache_folder")
def test_rows_hold_every_way_of_following_an_edit() -> None:
    """Each length that fits and each place has a row; a patch runs fewer tokens than there are, PIE the fewest."""
    model = tiny_model("qwen3")
    rows = run(model, PLAN)
    assert [(r["tokens"], r["edit_at"]) for r in rows] == [(300, 0.0), (300, 0.9), (400, 0.0), (400, 0.9)]
    assert len(cases(model, PLAN)) == len(rows)
    for row in rows:
        assert all(row[f"{way}_s"] > 0 for way in ("full", "truncate", "pie", "patch"))
        assert row["pie_encoded"] == 3 <= row["encoded"] < row["tokens"]
        assert row["policy"] in {"exact", "patch"}
    assert rows[0]["rotated"] > 0


@pytest.fixture
def own_cache_folder(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the measured costs of a tiny model out of the user's folder."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path)
