"""Laws of the plan of a run."""

from __future__ import annotations

import pytest

from training.schedule import Phase, Schedule

PHASES = (Phase(0.5, 64, 1), Phase(1.0, 128, 1))


def test_the_schedule_warms_up_holds_and_decays_to_nothing():
    """Factor by progress; the clock ends a run as tokens do."""
    plan = Schedule(1000, 100, 10, 0.4, PHASES)
    assert plan.factor(0, 0.0) == pytest.approx(0.1)
    assert plan.factor(50, 0.6) == plan.factor(50, 0.3) == 1.0
    assert plan.factor(50, 0.8) == pytest.approx(0.5)
    assert plan.factor(50, plan.progress(0, 100)) == plan.factor(50, plan.progress(1000, 0)) == 0.0
    assert (plan.phase(0.49).context, plan.phase(0.5).context, plan.phase(1.0).context) == (64, 128, 128)
    plan.cool_down(300, 10)
    assert plan.progress(300, 10) == pytest.approx(0.6)


@pytest.mark.parametrize("seconds", [None, 100.0])
def test_cooling_down_begins_the_decay_where_the_run_stands_and_only_once(seconds: float | None):
    """Progress jumps to the decay's beginning, the rate does not; a second word changes nothing."""
    plan = Schedule(1000, seconds, 10, 0.4, PHASES)
    plan.cool_down(200, 20.0)
    assert plan.progress(200, 20.0) == pytest.approx(0.6)
    assert plan.factor(50, plan.progress(200, 20.0)) == pytest.approx(1.0)
    assert plan.factor(50, plan.progress(334, 20.0)) == pytest.approx(0.0, abs=0.01)
    totals = plan.total_tokens, plan.total_seconds
    plan.cool_down(250, 25.0)
    assert (plan.total_tokens, plan.total_seconds) == totals
