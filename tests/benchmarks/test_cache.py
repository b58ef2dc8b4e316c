"""The benchmark of following edits: what its rows claim."""

import pytest

from guiderail.benchmarks.cache import Plan, cases, crossovers, lengths, run
from tests.helpers.models import tiny_model

PLAN = Plan(tokens=(300, 400, 5000), edit_at=(0.1, 0.9), changed=(2, -2), runs=1)


@pytest.fixture(autouse=True)
def own_cache_folder(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the measured costs of a tiny model out of the user's folder."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path)


def test_rows_hold_every_way_of_following_an_edit() -> None:
    """Each length that fits and each place has a row; a patch runs fewer tokens than there are, PIE the fewest."""
    model = tiny_model("qwen3")
    rows = run(model, PLAN)
    places = [(at, changed) for at in (0.1, 0.9) for changed in (2, -2)]
    assert [(r["tokens"], r["edit_at"], r["changed"]) for r in rows] == [(n, *p) for n in (300, 400) for p in places]
    for row in rows:
        assert all(row[f"{way}_s"] > 0 for way in ("full", "truncate", "pie", "patch"))
        assert row["pie_encoded"] == max(row["changed"], 0) + 1 <= row["encoded"] < row["tokens"]
        assert row["pie_encoded"] <= row["truncate_encoded"] <= row["tokens"]
        assert row["policy"] in {"exact", "patch"}
        assert row["llama_cpp_s"] is None
        assert row["memory_of_plain"] >= 1
    assert any(row["rotated"] for row in rows)


def test_all_edits_lead_to_the_same_text() -> None:
    """The sequence after the edit depends on the length alone; before it, as many tokens are more or fewer."""
    model = tiny_model("qwen3")
    assert lengths(model, PLAN) == [300, 400]
    found = cases(model, PLAN, 300)
    assert all(case.new == found[0].new for case in found)
    assert [len(case.new) - len(case.old) for case in found] == [2, -2, 2, -2]


def test_long_sequences_have_few_cases() -> None:
    """Beyond the plan's bound one size at three places is measured, below it that at seven and the others at three."""
    model = tiny_model("qwen3")
    assert len(cases(model, Plan(long=200), 300)) == 3
    assert len(cases(model, Plan(), 300)) == 7 + 3 * 3


def test_the_crossover_is_between_the_places_around_it() -> None:
    """Interpolated where a patch begins to save time for good; 0 and None where it always or never does."""

    def table(saved: list[float]) -> list[dict]:
        shape = {"model": "m", "tokens": 1000, "changed": 8, "patch_s": 1.0}
        return [{**shape, "edit_at": at, "truncate_s": 1.0 + s} for at, s in zip((0.1, 0.5, 0.9), saved, strict=True)]

    assert crossovers(table([3.0, 1.0, -1.0]))[0]["behind"] == 300
    assert crossovers(table([3.0, 1.0, 0.5]))[0]["behind"] == 0
    assert crossovers(table([-3.0, 1.0, 0.5]))[0]["behind"] is None


@pytest.mark.e2e
def test_llama_cpp_follows_the_same_edits() -> None:
    """On the same weights llama.cpp encodes what is after an insertion again, and finds a deletion's rest again."""
    pytest.importorskip("xllamacpp", reason="the extra bench is not installed")
    plan = Plan(tokens=(700,), edit_at=(0.1,), changed=(8, -8), runs=1, threads=1)
    inserted, deleted = run(tiny_model("qwen3"), plan)
    assert inserted["llama_cpp_encoded"] == inserted["truncate_encoded"]
    assert deleted["llama_cpp_encoded"] < 10
    assert inserted["llama_cpp_s"] > 0
