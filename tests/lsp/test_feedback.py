"""What is learned from a person's answers: it converges, is bounded, is shared by servers, and never in the way."""

import json
import math
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.lsp.feedback import LIMIT, MODELS, Feedback, Lesson, Shift

CHANCES = st.floats(0.01, 0.99)


def logistic(odds: float) -> float:
    return 1 / (1 + math.exp(-odds))


@pytest.mark.parametrize("bias", [-0.7, 0.0, 0.5])
def test_what_is_too_sure_becomes_less_so(bias: float) -> None:
    """Where a person's odds are others than the table's, the shift comes near the difference."""
    drawn, shift, last = random.Random(1), Shift(), []
    for _ in range(2000):
        table = drawn.uniform(-1, 2)
        right = drawn.random() < logistic(table + bias)
        shift = shift.after(logistic(table + shift.odds), right=right)
        last.append(shift.odds)
    assert sum(last[-1000:]) / 1000 == pytest.approx(bias, abs=0.1)


@given(st.lists(st.tuples(CHANCES, st.booleans())))
def test_a_shift_is_bounded_and_goes_the_way_of_the_last_outcome(outcomes: list[tuple[float, bool]]) -> None:
    shift = Shift()
    for chance, right in outcomes:
        before, shift = shift, shift.after(chance, right=right)
        assert abs(shift.odds) <= LIMIT
        assert shift.odds >= before.odds if right else shift.odds <= before.odds
    assert shift.outcomes == len(outcomes)


def test_one_outcome_changes_little() -> None:
    assert abs(Shift().after(0.9, right=False).odds) < 0.15


def test_two_servers_learn_together(tmp_path: Path) -> None:
    """What one has written is not lost when the other writes; the next server begins with both."""
    one, other = Feedback(tmp_path / "confidence.json"), Feedback(tmp_path / "confidence.json")
    for server in (one, other):
        for _ in range(5):
            server.learn(Lesson("m", 0.6, right=False))
    one.save()
    other.save()
    assert Feedback(one.path).shifts()["m"].outcomes == 10
    assert Feedback(one.path).odds("m") < one.odds("m") < 0
    assert one.path.stat().st_mode & 0o077 == 0


def test_what_another_process_forgets_does_not_come_back(tmp_path: Path) -> None:
    server, person = Feedback(tmp_path / "confidence.json"), Feedback(tmp_path / "confidence.json")
    server.learn(Lesson("m", 0.6, right=False))
    server.save()
    server.learn(Lesson("m", 0.6, right=False))
    person.reset()
    server.save()
    assert not server.path.exists()
    assert server.odds("m") == 0
    server.learn(Lesson("m", 0.6, right=True))
    server.save()
    assert Feedback(server.path).shifts()["m"].outcomes == 1


def test_nothing_learned_writes_nothing(tmp_path: Path) -> None:
    file = Feedback(tmp_path / "confidence.json")
    assert file.odds("m") == 0
    file.save()
    assert not file.path.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "null",
        '{"models": []}',
        '{"models": {"m": {"odds": 50, "weight": 8, "outcomes": 1}}}',
        '{"models": {"m": {"odds": NaN, "weight": 8, "outcomes": 1}}}',
        '{"models": {"m": {"odds": 0.5, "weight": 0, "outcomes": 1}}}',
        '{"models": {"m": {"odds": 0.5, "weight": 8, "outcomes": 1e999}}}',
    ],
)
def test_a_damaged_file_is_begun_anew(tmp_path: Path, text: str) -> None:
    file = Feedback(tmp_path / "confidence.json")
    file.path.write_text(text)
    assert file.odds("m") == 0
    file.learn(Lesson("m", 0.5, right=True))
    file.save()
    assert json.loads(file.path.read_text())["models"]["m"]["outcomes"] == 1


def test_a_file_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    file = Feedback(tmp_path / "state" / "confidence.json")
    file.learn(Lesson("m", 0.5, right=True))
    file.save()
    (tmp_path / "state").unlink()
    file.save()
    assert Feedback(file.path).shifts()["m"].outcomes == 1


def test_the_file_is_bounded(tmp_path: Path) -> None:
    file = Feedback(tmp_path / "confidence.json")
    for number in range(2 * MODELS):
        file.learn(Lesson(str(number), 0.5, right=True))
    file.save()
    assert len(Feedback(file.path).shifts()) == MODELS
