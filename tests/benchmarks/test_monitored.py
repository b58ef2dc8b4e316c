"""Tokens a second with monitors on and off."""

import pytest

from guiderail.benchmarks.monitored import Plan, run
from guiderail.monitors.analysis.servers import choose
from tests.helpers.models import tiny_model


@pytest.mark.e2e
def test_all_sides_write_at_the_same_places() -> None:
    """With each drafter a row with monitors off and two with monitors on, whose parts add up to the time of a token."""
    if choose("python") is None:
        pytest.skip("no analyser is installed")
    plan = Plan(models=("tiny",), device="cpu", positions=2, tokens=6)
    steps: list[str] = []
    rows = run(plan, lambda _: tiny_model("qwen3"), lambda name, count: lambda: steps.append(name))
    assert steps == ["tiny"] * 4
    sides = [("off", None), ("on", "new"), ("on", "open")]
    assert [(row["drafter"], row["monitors"], row["file"]) for row in rows] == [
        (drafter, *side) for drafter in ("off", "auto") for side in sides
    ]
    off, unread, opened = rows[:3]
    assert off["tokens"] <= 12
    assert off["wait_us"] == 0
    assert off["waits"] == {}
    assert unread["waits"]
    assert opened["waits"]
    for row in rows:
        assert row["tokens_per_pass"] > 0
        whole = row["forward_us"] + row["wait_us"] + row["other_us"]
        assert whole == pytest.approx(1e6 / row["tokens_per_s"])
