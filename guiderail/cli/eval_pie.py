"""``guiderail eval pie``: what patching a cache costs in quality."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.held_out import held_out, progress
from guiderail.cli.options import OUTPUT, resolved, setting_flags

if TYPE_CHECKING:
    from rich.progress import Progress

    from guiderail.evaluation.drift import Link
    from guiderail.evaluation.packages import SourceFile
    from guiderail.evaluation.pie import Plan, Sample
    from guiderail.evaluation.revisions import Revision
    from guiderail.model.model import Model


@click.command()
@click.option("--model", "name", metavar="MODEL", help="What to measure.  [default: the model that is set]")
@click.option("--quick", is_flag=True, help="A few samples, under three minutes on two cores.")
@click.option("--n", "count", type=click.IntRange(1), help="Samples of each task and context size.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Seed of the samples.  [default: 0]")
@click.option("--samples", metavar="FILE.jsonl", help="Keep every sample here; a broken run goes on where it ended.")
@click.option("--picture", type=OUTPUT, metavar="FILE.png", help="Draw the divergence by distance from the edit.")
@click.option("--json", "target", type=OUTPUT, help="Write the figures as JSON; - is standard output.")
@setting_flags("device", "dtype", "threads")
def pie(
    name: str | None,
    quick: bool,
    count: int | None,
    seed: int,
    samples: str | None,
    picture: str | None,
    target: str | None,
    **flags: Any,
) -> None:
    """What patching the cache after an edit costs, against encoding everything again.

    \b
    guiderail eval pie --quick
    guiderail eval pie --samples pie.jsonl --json pie.json
    """
    from guiderail.evaluation import drift, java, manifest, packages, record
    from guiderail.evaluation import pie as evaluation
    from guiderail.model.load import load

    plan = replace(evaluation.QUICK if quick else evaluation.FULL, seed=seed)
    plan = replace(plan, samples=count) if count else plan
    settings = resolved(flags).settings
    archive = java.sources()
    if archive is None:
        click.echo("no JDK with its sources on this machine: Java is left out", err=True)
    model = load(name or settings.model, device=settings.device, dtype=settings.dtype, threads=settings.threads)
    with progress() as bar:
        files = held_out(plan.packages, bar)
        found, links = _measure(model, files, java.read(archive, 200, seed) if archive else [], plan, samples, bar)
    rows = evaluation.rows(found) + drift.rows(links)
    _print(rows, to_stdout=target != "-")
    if picture:
        from guiderail.evaluation.picture import draw_divergence

        draw_divergence(Path(picture), evaluation.by_distance(found))
    if target:
        digest = packages.sha256_of(manifest.datasets_folder() / manifest.DEFAULT)
        conditions = {"model": model.info.name, "plan": asdict(plan), "manifest_sha256": digest}
        conditions |= {"java": archive is not None, "by_distance": evaluation.by_distance(found)}
        record.write(target, record.meta({"samples": seed}, **conditions), rows)


def _measure(
    model: Model,
    files: dict[str, list[SourceFile]],
    java_files: list[SourceFile],
    plan: Plan,
    kept: str | None,
    bar: Progress,
) -> tuple[list[Sample], list[Link]]:
    from guiderail.evaluation import drift
    from guiderail.evaluation import pie as evaluation

    task = bar.add_task("drawing edits", total=None)
    drawn = evaluation.revisions(model, files, java_files, plan)
    bar.update(task, description="following edits", total=len(drawn))
    found = _followed(model, drawn, plan, kept, lambda: bar.advance(task))
    chains = evaluation.chains(model, files, plan)
    task = bar.add_task("edits in a row", total=len(chains) * (plan.edits + 1))
    return found, list(drift.follow(model, chains, plan, advance=lambda: bar.advance(task)))


def _followed(model: Model, drawn: list[Revision], plan: Plan, kept: str | None, advance: Any) -> list[Sample]:
    """The samples; those of an earlier run that was broken off are not measured again."""
    from guiderail.evaluation import pie as evaluation
    from guiderail.evaluation.samples import SampleLog

    if kept is None:
        return [s for found in evaluation.evaluate(model, drawn, plan, advance=advance) for s in found]
    log = SampleLog(Path(kept), evaluation.Sample, {"model": model.info.name, "n": len(drawn), **asdict(plan)})
    done = {sample.revision for sample in log.samples}
    for found in evaluation.evaluate(model, drawn, plan, done=done, advance=advance):
        log.add(found)
    return log.samples


def _print(rows: list[dict[str, Any]], *, to_stdout: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("task", "method", title="Following an edit")
    table.caption = "KL in nats, of the next token, to full encoding; same line: the greedy line is full encoding's"
    for title in ("n", "EM", "ES", "same line", "KL", "KL p99", "same top token", "log p(line)", "encoded", "fit"):
        table.add_column(title, justify="right")
    for row in rows:
        chained = "edits" in row
        table.add_row(
            f"{row['edits']} {row['task']}" if chained else f"{row['language']} {row['task']}",
            row["method"],
            str(row["n"]),
            *("" if chained else f"{row[key]:.3f}" for key in ("em", "es")),
            f"{row['same_line']:.3f}",
            *(f"{row[key]:.1e}" for key in ("kl_mean", "kl_p99")),
            f"{row['top1']:.3f}",
            "" if chained else f"{row['truth_logprob']:.2f}",
            f"{row['stale']:.0f} stale" if chained else f"{row['encoded']:.0f} of {row['tokens']:.0f}",
            "" if chained else f"{1000 * row['fit_s']:.0f} ms",
        )
    Console(stderr=not to_stdout, width=None if sys.stdout.isatty() else 180).print(table)
