"""``guiderail eval pie``: what patching a cache costs in quality."""

from __future__ import annotations

from typing import Any

import click

from guiderail.cli.options import PICTURE
from guiderail.cli.study import JSON, SAMPLES, Row, Study, Table, number, quick, seed, study


def _task(row: Row) -> str:
    return f"{row['edits']} {row['task']}" if "edits" in row else f"{row['language']} {row['task']}"


def _encoded(row: Row) -> str:
    return f"{row['stale']:.0f} stale" if "edits" in row else f"{row['encoded']:.0f} of {row['tokens']:.0f}"


def _fit(row: Row) -> str:
    return "" if "edits" in row else f"{1000 * row['fit_s']:.0f} ms"


TABLE = Table(
    {
        "task": _task,
        "method": "{method}",
        "n": "{n}",
        "EM": "{em:.3f}",
        "ES": "{es:.3f}",
        "same line": "{same_line:.3f}",
        "KL": "{kl_mean:.1e}",
        "KL p99": "{kl_p99:.1e}",
        "same top token": "{top1:.3f}",
        "log p(line)": "{truth_logprob:.2f}",
        "encoded": _encoded,
        "fit": _fit,
    },
    left=2,
    title="Following an edit",
    caption="KL in nats, of the next token, to full encoding; same line: the greedy line is full encoding's",
    width=180,
    missing="",
)


@study(
    "pie",
    TABLE,
    quick("A few samples, under three minutes on two cores"),
    number("Samples of each task and context size"),
    seed("the samples"),
    SAMPLES,
    click.option("--picture", type=PICTURE, metavar="FILE.svg", help="Draw the divergence by distance from the edit."),
    JSON,
    settings=("model", "device", "dtype", "threads"),
    seeds=("samples",),
)
def pie(study: Study, samples: str | None, picture: str | None) -> list[dict[str, Any]]:
    """What patching the cache after an edit costs, against encoding everything again.

    \b
    guiderail eval pie --quick
    guiderail eval pie --samples pie.jsonl --json pie.json
    """
    from guiderail.evaluation import jdk_sources, measurement
    from guiderail.evaluation.studies import pie as evaluation
    from guiderail.evaluation.studies import repeated_edits
    from guiderail.model.fingerprint import fingerprint

    archive = jdk_sources.sources()
    if archive is None:
        click.echo("no JDK with its sources on this machine: Java is left out", err=True)
    model, plan, files = study.load(), study.plan, study.files()
    java_files = jdk_sources.read(archive, 200, plan.seed) if archive else []
    drawn = evaluation.revisions(model, files, java_files, plan)
    advance = study.phase("following edits", len(drawn))
    own = {"dtype": str(model.dtype), "device": str(model.device), "threads": study.settings.threads}
    with study.rows(samples, weights=fingerprint(model.info), **own, n=len(drawn)) as log:
        found = list(evaluation.evaluate(model, drawn, plan, log, advance))
    chains = evaluation.chains(model, files, plan)
    advance = study.phase("edits in a row", len(chains) * (plan.edits + 1))
    links = list(repeated_edits.evaluate(model, chains, plan, advance=advance))
    classes = evaluation.by_distance(found)
    if picture:
        measurement.write_text(picture, evaluation.picture(classes).file())
    study.conditions |= {"java": archive is not None, "by_distance": classes}
    return evaluation.rows(found) + repeated_edits.rows(links)
