"""What monitors are worth: the same model at the same dereferences, with monitors and without.

After the evaluation of "Guiding Language Models of Code with Global Context using Monitors" (NeurIPS 2023), section 4,
on Python: a cursor comes after a dot, the rest of its line is hidden, what follows the line is kept, and the answer is
a line. Greedy decoding answers once; sampling draws with the same seeds on both sides. Every package is laid out as a
project with its dependencies installed, and the analyser is waited for, as in the paper: this is quality, not speed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from guiderail.evaluation.config import GREEDY, OFF, Method
from guiderail.evaluation.evasion import evades
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.study import AnswerPlan
from guiderail.evaluation.summary import score_of
from guiderail.evaluation.tables import Parts, columns, differences, grouped, parts, tokens_per_s
from guiderail.evaluation.task import Task
from guiderail.evaluation.tasks import draw_dereferences
from guiderail.evaluation.worker import Row

# What a row of the table calls the measures of an answer.
MEASURES = {"nim": "nim", "ism": "ism", "pm": "pm", "clean": "compiles"}
SAMPLED = "sampled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(AnswerPlan):
    """How much is measured.

    Parameters
    ----------
    positions
        Dereferences of each package.
    samples
        Draws at each, beside the greedy answer; 0 for that alone.
    temperature, top_p
        Of the draws.
    """

    counted = ("positions",)

    positions: int = 24
    samples: int = 6
    temperature: float = 0.8
    top_p: float = 0.95
    prompt_tokens: int = 768
    max_tokens: int = 48


FULL = Plan()
QUICK = Plan(packages=6, positions=5)


def methods(plan: Plan) -> tuple[Method, ...]:
    """Greedy decoding, and the draws if there are any."""
    drawn = Method(label=SAMPLED, temperature=plan.temperature, top_p=plan.top_p, samples=plan.samples)
    return (GREEDY, drawn) if plan.samples else (GREEDY,)


def tasks(files: Mapping[str, Sequence[SourceFile]], plan: Plan) -> list[Task]:
    """The dereferences of every package."""
    return [task for own in files.values() if own for task in draw_dereferences(own, plan.positions, plan.seed)]


def rows(answers: Iterable[Row], plan: Plan, asked: Sequence[Task] = ()) -> list[dict[str, Any]]:
    """One row for monitors off and on, each method and each k; on has its paired differences to off.

    A position counts for `clean` only where every answer of a method was judged on both sides. What was asked tells
    which answers evade.
    """
    places = {task.id: task for task in asked}
    known = ((row, places.get(row["task"])) for row in answers)
    answers = [row | {"evades": task is not None and evades(task, row["answer"])} for row, task in known]
    where = itemgetter("task", "method")
    unjudged = {where(row) for row in answers if row["compiles"] is None}
    answers = [row | {"compiles": None} if where(row) in unjudged else row for row in answers]
    table = []
    for method, k in [("greedy", 1), *((SAMPLED, k) for k in sorted({1, plan.samples}) if plan.samples)]:
        off, on = (
            [row for row in answers if row["method"] == method and (row["monitors"] == OFF) == is_off]
            for is_off in (True, False)
        )
        without, watched = (_parts(own, k) for own in (off, on))
        table.append(_row(off, without, k, plan.seed))
        table.append(_row(on, watched, k, plan.seed) | {"against_off": differences(watched, without, plan.seed)})
    return table


def _parts(own: Sequence[Row], k: int) -> dict[str, Parts]:
    """The parts of every measure; the samples of a position are one."""
    positions = grouped(own, itemgetter("task")).values()
    return {
        name: parts(positions, score_of(measure, k), lambda position: position[0]["package"])
        for name, measure in MEASURES.items()
    }


def _row(own: Sequence[Row], found: Mapping[str, Parts], k: int, seed: int) -> dict[str, Any]:
    watches = [row["monitored"]["watches"] if row["monitored"] else [] for row in own]
    return {
        "monitors": "off" if own[0]["monitors"] == OFF else "on",
        "method": own[0]["method"],
        "k": k,
        **columns(found, seed),
        "n": len({row["task"] for row in own}),
        "n_clean": int(sum(below for _, below in found["clean"].values())),
        "packages": len({row["package"] for row in own}),
        "constrained": sum(any(watch["abstained"] is None for watch in some) for some in watches),
        "forbidden_tokens": sum(len(watch["forbidden"]) for some in watches for watch in some),
        "answers": len(own),
        "evasions": sum(row["evades"] for row in own),
        "tokens_per_s": tokens_per_s(own),
    }
