"""Ways to decode beside each other: cursors, judgements, rows."""

from __future__ import annotations

from dataclasses import replace

from guiderail.evaluation.studies.methods import GREEDY, QUICK, available, evaluate, rows, tasks
from tests.evaluation.studies.test_repetition import FILES
from tests.helpers.models import tiny_model

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
    """Two ways over the same cursors; a broken run asks for the rest alone; the rows have what the table needs."""
    model, drawn = tiny_model("guiderail"), tasks(FILES, PLAN)
    found = list(evaluate(model, drawn, PLAN, advance=lambda: None))
    answered = [case for case in available() if case.name in {sample.method for sample in found}]
    assert len(found) == len(drawn) * len(answered)
    assert {case.name for case in available()} - {case.name for case in answered} <= {"adadec"}  # never calibrated
    again = list(evaluate(model, drawn, PLAN, done=found[:-2], advance=lambda: None))
    assert [s.answer for s in again] == [s.answer for s in found[-2:]]
    table = rows(found, {sample.key: True for sample in found}, seed=0)
    assert [row["method"] for row in table] == [case.name for case in answered]
    wanted = (
        "line_em",
        "block_em",
        "es",
        "parses",
        "clean",
        "logprob",
        "forward_passes",
        "pause_rate",
        "n",
        "intervals",
    )
    assert all(key in row for key in wanted for row in table)
    greedy = next(row for row in table if row["method"] == GREEDY)
    assert greedy["forward_passes"] <= 1
    assert all("against_greedy" in row for row in table if row["method"] != GREEDY)
