"""Monitors on and off at the same positions, with an analyser whose answers are given."""

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.engine.completer import Completer
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.studies.uplift import Draw, Judge, Plan, ask, rows, whole_places
from guiderail.evaluation.tasks import rest_of_line
from guiderail.monitors.analysis.answers import Diagnostic, Member, Members, NoAnswer
from guiderail.monitors.analysis.requests import DIAGNOSTICS, MEMBERS, Question, Request
from guiderail.monitors.monitors import Monitors
from tests.helpers.models import tiny_model

TEXT = "import os\n\n\ndef size(path):\n    return os.getcwd()\n"
AT = TEXT.index("getcwd")
NAMES = ("path", "getcwd", "sep")


class Told:
    """Knows three members of everything, and calls a file wrong that does not have one of them after ``os.``."""

    name = "told"

    def get(self, language: str, folder: Path) -> "Told":
        """Be the only analyser."""
        return self

    def attend(self) -> None:
        pass

    def ask(self, request: Request, question: Question) -> Future:
        future: Future = Future()
        if request is MEMBERS:
            future.set_result(Members(tuple(map(Member, NAMES)), complete=True))
        elif request is DIAGNOSTICS:
            right = any(f"os.{name}" in question.text for name in NAMES)
            future.set_result(() if right else (Diagnostic(0, 1, "error", "e", "no such name"),))
        else:
            future.set_exception(NoAnswer("error"))
        return future


def draw(package: str, start: int, on: bool, index: int, value: float, clean: bool | None = True) -> Draw:
    method = "greedy" if index < 0 else "sampled"
    return Draw(package, "a.py", start, on, method, max(index, 0), "", value, value, value, clean, 0, 0, 3, 0.1)


def place(package: str, start: int, off: list[float], on: list[float], clean: bool | None = True) -> list[Draw]:
    """One position: the greedy value first, then the drawn ones."""
    sides = ((False, off), (True, on))
    return [draw(package, start, which, i - 1, v, clean) for which, values in sides for i, v in enumerate(values)]


def test_both_sides_answer_at_every_position(tmp_path: Path) -> None:
    """All answers with monitors on begin with a legal name, and the judge calls them clean."""
    plan = Plan(samples=2, max_tokens=8)
    completer = Completer(tiny_model("qwen3"))
    monitors = Monitors(completer.vocabulary, Told(), deadline_s=5.0, names="dereference")
    position = replace(rest_of_line(SourceFile("p", "a.py", TEXT), "dereference", AT), root=tmp_path)
    draws = ask(completer, monitors, Judge(Told()), position, plan)
    assert [(one.monitors, one.method, one.index) for one in draws] == [
        (on, method, index) for on in (False, True) for method, index in (("greedy", 0), ("sampled", 0), ("sampled", 1))
    ]
    assert all(one.clean == one.text.startswith(NAMES) for one in draws)
    assert all(one.constrained for one in draws if one.monitors)
    assert set(whole_places(draws, plan)) == {("p", "a.py", AT)}


def test_the_judge_compares_with_what_the_author_wrote() -> None:
    """An error that the true file has too does not count; without an answer nothing is known."""
    position = rest_of_line(SourceFile("p", "a.py", "os.\n"), "dereference", 3)
    cases = {("path", "sep"): True, ("nothing", "sep"): False, ("nothing", "other"): True}
    for texts, clean in cases.items():
        asked = [Judge(Told()).ask(position, text) for text in texts]
        assert Judge.is_clean(asked[0], asked[1]) is clean

    class Mute(Told):
        def ask(self, request: Request, question: Question) -> Future:
            future: Future = Future()
            future.set_exception(NoAnswer("died"))
            return future

    assert Judge.is_clean(Judge(Mute()).ask(position, "path"), Judge(Told()).ask(position, "sep")) is None


def test_rows_state_score_at_k_and_what_monitors_add() -> None:
    """One sample right of two is a half at k=1 and whole at k=2; differences are paired by package."""
    plan = Plan(samples=2)
    draws = place("a", 1, [0, 0, 0], [1, 1, 0]) + place("b", 2, [1, 1, 0], [1, 1, 1])
    found = {(row["method"], row["k"], row["monitors"]): row for row in rows(draws, plan)}
    ways = [("greedy", 1), ("sampled", 1), ("sampled", 2)]
    assert list(found) == [(method, k, on) for method, k in ways for on in ("off", "on")]
    assert [found["sampled", k, "off"]["nim"] for k in (1, 2)] == [0.25, 0.5]
    assert [found["sampled", k, "on"]["nim"] for k in (1, 2)] == [0.75, 1.0]
    added = found["greedy", 1, "on"]["against_off"]["nim"]
    assert (added["difference"], added["relative"]) == (0.5, 1.0)
    assert added["interval"][0] <= 0.5 <= added["interval"][1]
    assert (found["greedy", 1, "on"]["n"], found["greedy", 1, "on"]["packages"]) == (2, 2)


def test_what_was_not_judged_on_one_side_counts_on_neither() -> None:
    """The share without new errors is of the positions at which everything was judged."""
    draws = place("a", 1, [1, 1], [1, 1]) + place("a", 2, [1, 1], [1, 1], clean=None)
    row = rows(draws, Plan(samples=1))[0]
    assert (row["n"], row["n_clean"], row["clean"]) == (2, 1, 1.0)
    nobody = rows(place("a", 2, [1, 1], [1, 1], clean=None), Plan(samples=1))[1]
    assert nobody["clean"] is None
    assert "clean" not in nobody["against_off"]


@pytest.mark.parametrize("torn", [1, 3, 5])
def test_a_torn_position_is_none_until_it_was_asked_again(torn: int) -> None:
    """A position that lacks answers is left out; asked again, what had been kept of it does not count twice."""
    whole, plan = place("a", 1, [0, 0, 1], [1, 1, 1]), Plan(samples=2)
    assert whole_places(whole[:torn], plan) == {}
    assert len(whole_places(whole[:torn] + whole, plan)["a", "a.py", 1]) == 6


def test_without_draws_there_is_the_greedy_answer_alone() -> None:
    draws = place("a", 1, [0], [1]) + place("b", 1, [1], [1])
    found = rows(draws, Plan(samples=0))
    assert [(row["method"], row["k"], row["monitors"], row["nim"]) for row in found] == [
        ("greedy", 1, "off", 0.5),
        ("greedy", 1, "on", 1.0),
    ]
    assert found[1]["against_off"]["nim"]["difference"] == 0.5
