"""What counts as repetition, and where it is looked for."""

from __future__ import annotations

from dataclasses import replace

from guiderail.evaluation.function_bodies import function_bodies
from guiderail.evaluation.packages import SourceFile, parses
from guiderail.evaluation.studies.repetition import (
    GREEDY,
    METHODS,
    PENALTY,
    QUICK,
    RPG,
    RULES,
    evaluate,
    judged,
    loops,
    rows,
    tasks,
)
from tests.evaluation.runs import worker

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
    bodies = [TEXT[start:end] for start, end in function_bodies(TEXT, "python")]
    assert [body.split("\n")[0].strip() for body in bodies] == ["if scale < 0:", "await call(1, 2)"]
    assert all(body.endswith("\n") for body in bodies)


def test_an_artificial_task_is_true_code_with_its_last_statements_repeated() -> None:
    """Its prefix parses; the true text stands before the copies, and at least five of them after one another."""
    drawn = [task for task in tasks(FILES, replace(PLAN, artificial=8)) if task.kind == "artificial"]
    assert drawn
    for task in drawn:
        assert parses(task.prefix)
        own = TEXT.replace("area", "size" if task.package == "q" else "area")
        found = [unrolled(task.prefix.splitlines(), size) for size in (1, 2, 3, 4)]
        assert any(copies >= 5 and own.startswith(text) for text, copies in found)


def unrolled(lines: list[str], size: int) -> tuple[str, int]:
    """The text with one copy alone of its last lines, and how many there were one after the other."""
    copies = 1
    while lines[-2 * size : -size] == lines[-size:]:
        lines, copies = lines[:-size], copies + 1
    return "\n".join(lines), copies


def test_a_run_answers_every_cursor() -> None:
    """Real scenarios keep only what loops."""
    drawn = tasks(FILES, PLAN)
    with worker("guiderail", PLAN) as (who, config):
        found = list(evaluate(who, config.models[0], drawn, None, lambda: None))
    kept = [row for row in found if row["kind"] != "real" or row["method"] != GREEDY or loops(row)]
    per_method = {method: sum(row["method"] == method for row in kept) for method in METHODS}
    assert len(set(per_method.values())) == 1
    assert {row["method"] for row in found if row["stage_ms"]} <= {PENALTY, RULES, RPG}
    table = rows(found, seed=0)
    wanted = {"scenario", "method", "egp", "tr_n", "tr_s", "parses", "length", "time_s", "stage_ms", "n"}
    assert wanted <= table[0].keys()
    assert {row["scenario"] for row in table} >= {"artificial", "ordinary"}
    assert all(row["stage_ms"] > 0 for row in table if row["method"] == RPG)


def test_the_last_line_of_an_answer_that_was_cut_does_not_count() -> None:
    """It is half written; an answer that has ended counts as a whole."""
    task = next(task for task in tasks(FILES, PLAN) if task.kind == "real")
    row = {"answer": "    x = 1\n    y = (", "ended": 0.0}
    assert judged(task, row | {"answer": "    total = 1\n    y = ("})["parses"] == 1
    assert judged(task, row | {"ended": 1.0})["parses"] == 0


def test_a_loop_is_what_does_not_end_and_repeats() -> None:
    assert loops({"ended": 0.0, "tr_s": 0.9})
    assert not loops({"ended": 1.0, "tr_s": 0.9})
    assert not loops({"ended": 0.0, "tr_s": 0.1})
