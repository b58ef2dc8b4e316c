"""What counts as repetition, and where it is looked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guiderail.evaluation.packages import SourceFile, parses
from guiderail.evaluation.repetition import (
    GREEDY,
    METHODS,
    QUICK,
    RPG,
    Sample,
    evaluate,
    function_bodies,
    line_rules,
    loops,
    repeated,
    rows,
    tasks,
)
from tests.helpers.models import tiny_model

TEXT = '''\
def area(scale):
    """Area."""
    if scale < 0:
        return 0
    total = scale * 2
    print(total)
    return total


async def other():
    await call(1, 2)


def short(): return 1
'''
FILES = {"p": [SourceFile("p", "p/a.py", TEXT)], "q": [SourceFile("q", "q/b.py", TEXT.replace("area", "size"))]}
PLAN = replace(QUICK, packages=None, artificial=2, scanned=2, ordinary=2, max_tokens=12)


def test_bodies_begin_behind_the_docstring_and_end_with_a_line() -> None:
    bodies = [TEXT[start:end] for start, end in function_bodies(TEXT)]
    assert [body.split("\n")[0].strip() for body in bodies] == ["if scale < 0:", "await call(1, 2)"]
    assert all(body.endswith("\n") for body in bodies)


def test_an_artificial_task_is_true_code_with_its_last_statements_repeated() -> None:
    """Its prefix parses; the true text stands before the copies, and at least five of them after one another."""
    drawn = [task for task in tasks(FILES, replace(PLAN, artificial=8)) if task.scenario == "artificial"]
    assert drawn
    for task in drawn:
        assert parses(task.prefix)
        lines = task.prefix.splitlines()
        copies = max(
            sum(lines[-(i + 1) * size : len(lines) - i * size] == lines[-size:] for i in range(len(lines) // size))
            for size in (1, 2, 3, 4)
        )
        assert copies >= 5
        assert TEXT.replace("area", "size" if task.package == "q" else "area").startswith(task.prefix[: task.start])


@pytest.mark.parametrize(
    ("text", "tr_s"),
    [("x = 1\ny = f(x)\n", 0.0), ("x = 1\ny = 2\nz = 'a'\n", 1 / 3), ("f(a)\n" * 10, 0.9), ("", 0.0)],
)
def test_statements_repeat_by_their_rules(text: str, tr_s: float) -> None:
    """Other names and numbers are the same statement; another kind of literal is not."""
    assert repeated(text)[1] == pytest.approx(tr_s)


def test_ngrams_repeat_by_their_rules() -> None:
    """1 - unique / all 4-grams, over the rules of all lines."""
    flat = ["name", "=", "number"] * 4
    grams = [tuple(flat[i : i + 4]) for i in range(9)]
    assert repeated("a = 1\nb = 2\nc = 3\nd = 4\n")[0] == pytest.approx(1 - len(set(grams)) / 9)


def test_rules_of_a_line_that_is_cut_short() -> None:
    assert line_rules("for x in f(1, 'a'):  # b") == [
        "for",
        "name",
        "in",
        "name",
        "(",
        "number",
        ",",
        "string",
        ")",
        ":",
        "comment",
    ]
    assert line_rules("x = [1,")[:4] == ["name", "=", "[", "number"]
    assert line_rules("}") in ([], ["}"])


def test_a_run_answers_every_cursor_and_goes_on_where_it_ended() -> None:
    """Real scenarios keep only what loops; a second run asks for nothing that is done."""
    model, drawn = tiny_model("guiderail"), tasks(FILES, PLAN)
    found = list(evaluate(model, drawn, PLAN, advance=lambda: None))
    again = list(evaluate(model, drawn, PLAN, done=found[:-3], advance=lambda: None))
    assert [(s.key, s.answer) for s in again] == [(s.key, s.answer) for s in found[-3:]]
    kept = [s for s in found if s.scenario != "real" or s.method != GREEDY or loops(s)]
    per_method = {method: sum(s.method == method for s in kept) for method in METHODS}
    assert len(set(per_method.values())) == 1
    table = rows(found, seed=0)
    assert {"scenario", "method", "egp", "tr_n", "tr_s", "parses", "length", "time_s", "n"} <= table[0].keys()
    assert {row["scenario"] for row in table} >= {"artificial", "ordinary"}


def test_a_loop_is_what_does_not_end_and_repeats() -> None:
    sample = Sample("real", RPG, "p", "a.py", 0, "", False, 0.9, 0.9, True, 10, 0.1, 0.0, False, 0.0)
    assert loops(sample)
    assert not loops(replace(sample, ended=True))
    assert not loops(replace(sample, tr_s=0.1))
