"""``guiderail eval uplift``: what monitors are worth, on code of packages that nobody trained on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import click

from guiderail.cli.study import JSON, PACKAGES, SAMPLES, Row, Study, Table, number, quick, seed, study
from guiderail.errors import UsageError

ANSWER_S = 60.0  # that an analyser is waited for: this measures what its answers are worth


def _cell(row: Row, name: str) -> str:
    if row[name] is None:
        return "-"
    added = row.get("against_off", {}).get(name)
    if added is None:
        return f"{row[name]:.1%}"
    low, high = added["interval"]
    return f"{row[name]:.1%}\n[{added['difference']:+.1%}: {low:+.1%}, {high:+.1%}]"


_FIGURES = {"next identifier": "nim", "identifiers": "ism", "prefix": "pm", "no new errors": "clean"}
TABLE = Table(
    {
        "method": "{method}",
        "k": "{k}",
        "monitors": "{monitors}",
        **{title: partial(_cell, name=name) for title, name in _FIGURES.items()},
        "evasions": "{evasions} of {answers}",
        "n": "{n}",
    },
    left=3,
    caption="score@k; what monitors add is in brackets with its paired 95 % interval over packages",
    width=140,
)


@study(
    "uplift",
    TABLE,
    quick("Fewer packages and positions, under three minutes on two cores"),
    number("Positions of each package"),
    click.option("--draws", type=click.IntRange(0), help="Draws at each position; 0 for the greedy answer alone."),
    PACKAGES,
    click.option(
        "--judge", metavar="NAME", help="The analyser that finds errors.  [default: ty, or the monitors' own]"
    ),
    seed("positions and draws"),
    SAMPLES,
    JSON,
    settings=("model", "api_key_env", "device", "dtype", "threads", "only_monitors", "analyser"),
    seeds=("positions", "draws", "bootstrap"),
)
def uplift(study: Study, draws: int | None, judge: str | None, samples: str | None) -> list[dict[str, Any]]:
    """How much more is right with monitors on than with monitors off, after the dots of true code.

    The first run installs each package's dependencies into the cache folder.

    \b
    guiderail eval uplift --quick
    guiderail eval uplift --samples answers.jsonl --json uplift.json
    """
    from guiderail.evaluation import packages
    from guiderail.evaluation.config import OFF
    from guiderail.evaluation.studies import uplift as evaluation
    from guiderail.evaluation.study import answered, config_of

    study.plan = plan = study.plan if draws is None else replace(study.plan, samples=draws)
    asked, judging = _analysers(study.settings.analyser, judge)
    # A longer run goes on where a shorter one ended: how long it is is not among what makes two runs the same.
    size = {"packages": None, "positions": None}
    study.conditions |= {"analyser": asked, "judge": judging, "only_monitors": study.settings.only_monitors}
    study.conditions |= {"packages": plan.packages, "positions": plan.positions, "libraries": (asked, judging)}
    study.conditions |= {"model": study.settings.model, "builder": packages.BUILDER}
    settings = replace(study.settings, analyser=asked, trust="always")
    monitors = (OFF, settings.only_monitors)
    config = config_of(
        settings, plan, evaluation.methods(plan), monitors, check=True, judge=judging, deadline_s=ANSWER_S
    )
    files = study.files()
    roots = study.projects(files)
    drawn = evaluation.tasks({name: own for name, own in files.items() if name in roots}, plan)
    tasks = [replace(task, root=roots[task.package]) for task in drawn]
    advance = study.phase("completing", len(tasks) * len(config.systems()))
    with study.answering(config, kept=samples, **size) as (worker, log):
        return evaluation.rows(answered(worker, tasks, config.systems(), log, advance), plan, tasks)


def _analysers(wanted: str, judge: str | None) -> tuple[str, str]:
    """The names of who is asked by the monitors and of who judges: another one where there is another one."""
    from guiderail.monitors.analysis.servers import choose

    asked = choose("python", wanted)
    if asked is None:
        raise UsageError("there is no analyser to ask", "Install one: pip install pyrefly")
    judging = choose("python", judge or "ty") or (None if judge else asked)
    if judging is None:
        raise UsageError(f"the analyser {judge} is not installed", "Name another one by --judge")
    return asked.name, judging.name
