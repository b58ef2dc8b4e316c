"""How often verdicts find errors in what authors have written: the rest of a line is suggested as it is in the file.

Once with the file as it is around it, and once as somebody writes it, when the lines below that belong to the block are
not there yet. What is found then is found wrongly, and a kind of error that is found often is no reason to keep a
suggestion back (`guiderail.monitors.error_kinds`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guiderail.evaluation import study
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.tables import columns, figures, mean
from guiderail.evaluation.task import Task
from guiderail.evaluation.tasks import draw_lines
from guiderail.evaluation.worker import Row
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.monitors.change import Change
from guiderail.monitors.error_kinds import is_sure
from guiderail.monitors.verdict import Inspector
from guiderail.text.document import Document

ANSWER_S = 30.0  # that an analyser is waited for: this measures what it says
WHOLE, WRITING = "the file around it", "the block below missing"
SURROUNDINGS = (WHOLE, WRITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(study.Plan):
    """How much is measured: `lines` of each package."""

    counted = ("lines",)

    lines: int = 25


FULL, QUICK = Plan(), Plan(packages=4, lines=10)


def samples(
    files: Sequence[SourceFile], root: Path, server: str, plan: Plan, advance: Callable[[], None] = lambda: None
) -> Iterator[Row]:
    """The verdicts on lines of one package, laid out with its dependencies in `root`.

    Of each true line whether anything is `known`, whether there are `errors`, and their `kinds`; and whether it is
    `dropped`.
    """
    pool = ServerPool(server, trust="always")  # the package was chosen by us
    try:
        inspector = Inspector(pool, ANSWER_S)
        for task in draw_lines(files, "fim_line", plan.lines, plan.seed):
            yield from (_sample(inspector, task, root, surroundings) for surroundings in SURROUNDINGS)
            advance()
    finally:
        pool.stop()


def _sample(inspector: Inspector, task: Task, root: Path, surroundings: str) -> Row:
    after = task.suffix if surroundings == WHOLE else without_block(task)
    document = Document(task.prefix + after, root / task.path, task.language)
    (verdict,) = inspector.inspect(document, [Change(task.start, task.start, task.truth)], root)
    return {
        "package": task.package,
        "surroundings": surroundings,
        "known": verdict.state != "unknown",
        "errors": verdict.state == "errors",
        "dropped": any(is_sure(kind) for kind in verdict.kinds),
        "kinds": sorted(set(verdict.kinds)),
    }


def without_block(task: Task) -> str:
    """What follows the line in the file, without the lines below that are as deep or deeper."""
    line = task.prefix[task.prefix.rfind("\n") + 1 :] + task.truth
    depth = len(line) - len(line.lstrip())
    lines = task.suffix.split("\n")
    below = next((i for i, one in enumerate(lines[1:], 1) if one.strip() and _depth(one) < depth), len(lines))
    return "\n".join([lines[0], "", *lines[below:]])


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def rows(found: Sequence[Row], plan: Plan) -> list[dict[str, Any]]:
    """A row for each kind of surroundings: shares of the lines with a known verdict, and lines by kind of error."""
    return [_row([one for one in found if one["surroundings"] == each], each, plan) for each in SURROUNDINGS]


def _row(own: Sequence[Row], surroundings: str, plan: Plan) -> dict[str, Any]:
    known = [one for one in own if one["known"]]
    shares = figures(known, {"errors": mean("errors"), "dropped": mean("dropped")})
    return {
        "surroundings": surroundings,
        "lines": len(own),
        "known": len(known),
        **columns(shares, plan.seed),
        "kinds": dict(Counter(kind for one in known for kind in one["kinds"]).most_common()),
    }
