"""``guiderail eval uplift``: what monitors are worth, on code of packages that nobody trained on."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from guiderail.cli.study import JSON, PACKAGES, Row, Study, Table, number, quick, seed, study
from guiderail.errors import UsageError


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
    click.option(
        "--samples", metavar="FILE.jsonl", help="Keep every answer there, and go on where an earlier run ended."
    ),
    JSON,
    settings=("model", "device", "dtype", "threads", "only_monitors", "analyser"),
    seeds=("positions", "draws", "bootstrap"),
)
def uplift(
    study: Study, draws: int | None, limit: int | None, judge: str | None, samples: str | None
) -> list[dict[str, Any]]:
    """How much more is right with monitors on than with monitors off, after the dots of true code.

    The first run installs each package's dependencies into the cache folder.

    \b
    guiderail eval uplift --quick
    guiderail eval uplift --samples answers.jsonl --json uplift.json
    """
    from guiderail.evaluation import packages
    from guiderail.evaluation.sample_log import SampleLog
    from guiderail.evaluation.studies import uplift as evaluation
    from guiderail.monitors.analysis.servers import choose

    plan = replace(study.plan, packages=limit or study.plan.packages)
    study.plan = plan = plan if draws is None else replace(plan, samples=draws)
    settings = study.settings
    server = choose("python", settings.analyser)
    if server is None:
        raise UsageError("there is no analyser to ask", "Install one: pip install pyrefly")
    other = choose("python", judge or "ty") or (None if judge else server)
    if other is None:
        raise UsageError(f"the analyser {judge} is not installed", "Name another one by --judge")
    # A longer run goes on where a shorter one ended: what may differ is not among what makes two runs the same.
    size = {"packages": plan.packages, "positions": plan.positions}
    study.conditions |= {
        "model": settings.model,
        "analyser": server.name,
        "judge": other.name,
        "only_monitors": settings.only_monitors,
        "plan": {key: value for key, value in asdict(plan).items() if key not in size},
        "builder": packages.BUILDER,
    }
    files = study.files()
    log = SampleLog(Path(samples), evaluation.Draw, study.conditions) if samples else None
    study.conditions |= {**size, "libraries": (server.name, other.name)}
    found = evaluation.evaluate(
        study.load(),
        files,
        plan,
        (server, other),
        settings.only_monitors,
        done=log.samples if log else (),
        keep=log.add if log else lambda draws: None,
        advance=study.phase("completing", len(files) * plan.positions),
        note=lambda words: click.echo(words, err=True),
    )
    return evaluation.rows(found, plan)
