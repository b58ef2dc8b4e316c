"""What counts as repetition, and where it is looked for."""

from __future__ import annotations

from dataclasses import replace

from guiderail.evaluation.packages import SourceFile, parses
from guiderail.evaluation.studies.repetition import GREEDY, METHODS, QUICK, RPG, Sample, evaluate, loops, rows, tasks
from guiderail.evaluation.tasks import function_bodies
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
    where = {"scenario": "real", "method": RPG, "package": "p", "path": "a.py", "start": 0, "answer": ""}
    scores = {"exact": False, "similarity": 0.0, "parses": True, "tr_n": 0.9, "tr_s": 0.9}
    sample = Sample(**where, **scores, ended=False, length=10, time_s=0.1, stage_ms=0.0)  # pyright: ignore[reportArgumentType]
    assert loops(sample)
    assert not loops(replace(sample, ended=True))
    assert not loops(replace(sample, tr_s=0.1))
