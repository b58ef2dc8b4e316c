"""Ways to decode beside each other: cursors, judgements, rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guiderail.evaluation.decoders import (
    GREEDY,
    QUICK,
    available,
    evaluate,
    lines_of,
    rows,
    similarity,
    tasks,
)
from tests.evaluation.test_repetition import FILES
from tests.helpers.models import tiny_model

PLAN = replace(QUICK, packages=None, lines=2, blocks=2, prompt_tokens=128, max_tokens=8)


def test_a_body_is_asked_for_behind_its_indentation() -> None:
    """Its truth is the whole body without the blanks around it; with the truth in its place the file is the file."""
    drawn = tasks(FILES, PLAN)
    blocks = [task for task in drawn if task.kind == "block"]
    assert blocks
    assert all(task.truth == task.truth.strip() for task in blocks)
    assert all(task.file.text[: task.start].endswith("    ") for task in blocks)
    assert all(task.completed(task.truth) == task.file.text for task in drawn)


def test_blank_lines_and_blanks_at_line_ends_do_not_count() -> None:
    assert lines_of("a  \n\n  b\n") == lines_of("a\n  b") == ["a", "  b"]
    assert similarity("a\n\n  b  \n", "a\n  b") == 1
    assert similarity("abcd", "abce") == pytest.approx(0.75)


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
