"""Ways to decode, beside each other: the same model at the same cursors, in packages that nobody trained on.

Two kinds of cursor: inside a line, whose rest is wanted, and where a function's body begins, which is wanted whole. The
rest of the file follows both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from guiderail.decoding import registry
from guiderail.decoding.methods.calibration import NotCalibratedError
from guiderail.engine.choice import chosen
from guiderail.errors import UsageError
from guiderail.evaluation.config import Config, Method, System
from guiderail.evaluation.function_bodies import function_bodies
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.row_file import RowFile
from guiderail.evaluation.study import AnswerPlan, answered
from guiderail.evaluation.tables import Measure, columns, differences, figures, grouped, mean
from guiderail.evaluation.task import Task, cut_out
from guiderail.evaluation.tasks import draw_lines, generator, spread
from guiderail.evaluation.worker import Row, Worker

_log = logging.getLogger(__name__)

GREEDY = "greedy"
BODY_LINES = 12  # of the functions whose body is asked for, at most
METHODS = (
    Method(label=GREEDY),
    Method(label="beam 3", name="beam", set="beam.width=3"),
    Method(label="beam 6", name="beam", set="beam.width=6"),
    Method(label="best of 6", temperature=0.8, top_p=0.95, samples=6),
    Method(label="a-star", name="a-star", set="a-star.passes=24"),
    Method(label="a-star, not merged", name="a-star", set="a-star.passes=24 a-star.merge=false"),
    Method(label="adadec", name="adadec"),
    Method(label="adadec, threshold 1", name="adadec", set="adadec.threshold=1"),
    Method(label="uscd, docstring", name="uscd", set="uscd.lame=docstring"),
    Method(label="superposed", name="superposed"),
    Method(label="rpg", name="rpg"),
    Method(label="momentum", name="momentum"),
    Method(label="repetition penalty", name="repetition-penalty"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(AnswerPlan):
    """How much is measured; `lines` and `blocks` are cursors of each kind, spread evenly over the packages."""

    counted = ("lines", "blocks")

    lines: int = 160
    blocks: int = 64
    max_tokens: int = 96


FULL = Plan()
QUICK = Plan(packages=8, lines=16, blocks=8, prompt_tokens=512, max_tokens=64)


def available(only: Sequence[str] = ()) -> list[Method]:
    """The methods whose parts are registered; greedy and those of some labels, where they are named.

    Raises
    ------
    UsageError
        There is none of a label.
    """
    labels = [method.label for method in METHODS]
    if missing := [label for label in only if label not in labels]:
        raise UsageError(f"there is no '{missing[0]}' among the methods", f"Choose from: {'; '.join(labels)}")
    chosen = [method for method in METHODS if not only or method.label in (GREEDY, *only)]
    return [method for method in chosen if all(name in registry.known() for name in method.name.split("+"))]


def tasks(files: Mapping[str, Sequence[SourceFile]], plan: Plan) -> list[Task]:
    """All cursors; those of a package depend on the seed and the package alone."""
    found = []
    lines, blocks = (spread(count, list(files)) for count in (plan.lines, plan.blocks))
    for package, own in files.items():
        rng = generator(plan.seed, "blocks", package)
        found += [replace(task, kind="line") for task in draw_lines(own, "fim_line", lines[package], plan.seed)]
        bodies = [(file, *body) for file in own for body in function_bodies(file.text, file.language)]
        short = [(file, at, end) for file, at, end in bodies if file.text.count("\n", at, end) <= BODY_LINES]
        found += [_block(*body) for body in rng.sample(short, min(len(short), blocks[package]))]
    return found


def _block(file: SourceFile, start: int, end: int) -> Task:
    """A body without the indentation before it, which the cursor comes after, and its last line end."""
    text = file.text[start:end]
    first, last = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
    return cut_out(file, "block", first, last, until="block")


def evaluate(
    worker: Worker, config: Config, drawn: Sequence[Task], log: RowFile | None, advance: Callable[[], None]
) -> Iterator[Row]:
    """Every answer of every method; what needs a calibration that the model lacks is left out, with a warning.

    Of several draws the one of the best mean log-probability is the answer, which has cost the passes of all.
    """
    systems = [system for system in config.systems() if _is_usable(worker, config, system)]
    found = answered(worker, drawn, systems, log, advance)
    for _, draws in groupby(found, itemgetter("task", "system")):
        own = list(draws)
        yield own[0] if len(own) == 1 else _best(own)


def _best(draws: Sequence[Row]) -> Row:
    return max(draws, key=itemgetter("logprob")) | {"passes": sum(row["passes"] for row in draws)}


def _is_usable(worker: Worker, config: Config, system: System) -> bool:
    settings = system.settings(config.settings)
    try:
        chosen(settings).check(worker.engine(settings).model.info)
    except NotCalibratedError as error:
        _log.warning("%s is left out: %s", system.method.label, error)
        return False
    return True


MEASURES: Mapping[str, Measure[Row]] = {
    "line_em": mean("exact", kind="line"),
    "block_em": mean("exact", kind="block"),
    "es": mean("similarity", kind="line"),
    "block_es": mean("similarity", kind="block"),
    "parses": mean("parses"),
    "clean": mean("compiles"),
    "logprob": lambda row: (row["logprob"] * row["tokens"], float(row["tokens"])),
    "forward_passes": lambda row: (float(row["passes"]), float(max(row["tokens"], 1))),
    "passes_an_answer": mean("passes"),
    "pause_rate": lambda row: (float(row["pauses"]), float(max(row["tokens"], 1))),
}


def rows(samples: Iterable[Row], *, seed: int) -> list[dict[str, Any]]:
    """One row for each method, with intervals over packages and paired differences to greedy."""
    by_method = grouped(samples, itemgetter("method"))
    found = {method: figures(own, MEASURES) for method, own in by_method.items()}
    table = []
    for method, own in by_method.items():
        row = {"method": method, **columns(found[method], seed), "n": len(own)}
        if method != GREEDY:
            row["against_greedy"] = differences(found[method], found[GREEDY], seed)
        table.append(row)
    return table
