"""Ways to decode beside each other: cursors, judgements, rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guiderail.errors import UsageError
from guiderail.evaluation.config import System
from guiderail.evaluation.studies.methods import GREEDY, QUICK, available, evaluate, rows, tasks
from guiderail.evaluation.task import Task
from tests.evaluation.runs import worker
from tests.evaluation.studies.test_repetition import FILES

PLAN = replace(QUICK, packages=None, lines=2, blocks=2, prompt_tokens=128, max_tokens=8)


def test_a_body_is_asked_for_after_its_indentation() -> None:
    """Its truth is the whole body without the blanks around it; with the truth in its place the file is the file."""
    drawn = tasks(FILES, PLAN)
    blocks = [task for task in drawn if task.kind == "block"]
    assert blocks
    assert all(task.truth == task.truth.strip() for task in blocks)
    assert all(task.prefix.endswith("    ") for task in blocks)
    assert all(any(task.completed(task.truth) == file.text for file in FILES[task.package]) for task in drawn)


def test_every_registered_way_answers_and_is_paired_with_greedy() -> None:
    """All over the same cursors; the rows have what the table needs."""
    drawn = tasks(FILES, PLAN)
    with worker("guiderail", PLAN, methods=available()) as (who, config):
        found = list(evaluate(who, config, drawn, None, lambda: None))
    answered = [method.label for method in available() if method.label in {row["method"] for row in found}]
    assert len(found) == len(drawn) * len(answered)
    assert {method.label for method in available()} - set(answered) <= {"adadec"}  # never calibrated
    table = rows([row | {"compiles": 1.0} for row in found], seed=0)
    assert [row["method"] for row in table] == answered
    assert all(row["clean"] == 1 for row in table)
    wanted = (
        "line_em",
        "block_em",
        "es",
        "parses",
        "clean",
        "logprob",
        "forward_passes",
        "passes_an_answer",
        "pause_rate",
        "n",
        "intervals",
    )
    assert all(key in row for key in wanted for row in table)
    greedy = next(row for row in table if row["method"] == GREEDY)
    assert greedy["forward_passes"] <= 1
    assert all("against_greedy" in row for row in table if row["method"] != GREEDY)


@pytest.mark.parametrize(("most", "line"), [(96, 64), (8, 8)])
def test_a_line_has_few_tokens_and_a_body_what_the_plan_says(most: int, line: int) -> None:
    """A line that does not end is no better for being longer; a smaller plan holds for both."""
    plan = replace(PLAN, max_tokens=most)
    asked: dict[str, set[int]] = {}
    with worker("guiderail", plan) as (who, config):

        def answer(task: Task, system: System) -> list[dict[str, Any]]:
            asked.setdefault(task.kind, set()).add(system.settings(config.settings).max_tokens)
            return [{"label": system.label}]

        who.answer = answer
        found = list(evaluate(who, config, tasks(FILES, plan), None, lambda: None))
    assert asked == {"line": {line}, "block": {most}}
    assert {row["label"] for row in found} == {system.label for system in config.systems()}


def test_of_several_draws_the_likeliest_is_the_answer_and_all_are_paid_for() -> None:
    drawn = tasks(FILES, PLAN)[:1]
    (case,) = (method for method in available(["best of 6"]) if method.samples > 1)
    with worker("guiderail", PLAN, methods=[case]) as (who, config):
        (found,) = evaluate(who, config, drawn, None, lambda: None)
        draws = who.answer(drawn[0], config.systems()[0])
    assert len(draws) == 6
    assert found["logprob"] == pytest.approx(max(row["logprob"] for row in draws), abs=1e-4)
    assert found["passes"] == pytest.approx(sum(row["passes"] for row in draws))


def test_methods_may_be_chosen_by_their_labels() -> None:
    """Greedy is always there, since all are compared with it."""
    assert [method.label for method in available(["a-star"])] == [GREEDY, "a-star"]
    with pytest.raises(UsageError, match="no 'b-star'"):
        available(["b-star"])
