"""Learns from which score on context from other files helps (`guiderail.prompt.context.learned`).

    python -m training.context PROJECTS --out guiderail/prompt/cutoffs.json

PROJECTS holds a folder for each package; those that are held out are passed over. At cursors in their lines each of
the best snippets is shown alone, and what the rest of the line then costs is compared with what it costs without.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from guiderail.engine.engine import Engine
from guiderail.engine.time_limits import BATCH
from guiderail.evaluation.archives import folder_files
from guiderail.evaluation.context_kinds import EVERY, Scene
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.replayed_edits import EditCursor
from guiderail.evaluation.studies.context import FULL, Gauge
from guiderail.evaluation.study import laid_out
from guiderail.evaluation.tasks import draw_lines
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.prompt.index import ProjectIndex, deadline
from guiderail.prompt.snippet import Reason
from guiderail.settings import Settings
from training.holdout import is_held_out

REASONS: tuple[Reason, ...] = ("definition", "similar")
BEST = 3  # snippets of each reason at a cursor
NEVER = 2.0  # above all scores
FEWEST = 3  # files of a project

Gain = tuple[float, float]  # the score of a snippet, and the bits that it spares


@click.command()
@click.argument("projects", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--model", default="embedded")
@click.option("--n", "count", default=10, help="Cursors of each package.")
@click.option("--most", default=100, help="Packages.")
@click.option("--seed", default=0)
@click.option("--threads", default=0)
@click.option("--seconds", default=math.inf, help="After which no further package is begun.")
def main(
    projects: Path, out: Path, model: str, count: int, most: int, seed: int, threads: int, seconds: float
) -> None:  # fmt: skip
    """Learn from which score on context from other files helps."""
    settings = Settings(model=model, threads=threads)
    engine = Engine(BATCH)
    engine.load(settings)
    gauge = Gauge(engine, settings, FULL)
    found: dict[Reason, list[Gain]] = {reason: [] for reason in REASONS}
    packages, expired, used = dict(list(_packages(projects))[:most]), deadline(seconds), 0
    with tempfile.TemporaryDirectory() as work:
        roots = laid_out(packages, Path(work))
        for name, files in packages.items():
            if expired():
                break
            used += 1
            for reason, gain in _gains(gauge, files, roots[name], count, seed):
                found[reason].append(gain)
    least = {reason: cutoff(gains) for reason, gains in found.items()}
    counted = {reason: len(gains) for reason, gains in found.items()}
    table = {"model": model, "packages": used, "snippets": counted, "least": least}
    out.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    click.echo(json.dumps(table))


def _packages(projects: Path) -> Iterator[tuple[str, list[SourceFile]]]:
    for folder in sorted(projects.iterdir()):
        if folder.is_dir() and not is_held_out(folder.name):
            files = folder_files(folder.name, folder, "python")
            if len(files) >= FEWEST:
                yield folder.name, files


def _gains(
    gauge: Gauge, files: Sequence[SourceFile], root: Path, count: int, seed: int
) -> Iterator[tuple[Reason, Gain]]:
    """What each of the best snippets spares at the cursors of one package."""
    index, pool = ProjectIndex(root), ServerPool()
    for task in draw_lines(files, "fim_line", count, seed):
        cursor = EditCursor(task.package, task.path, task.prefix, task.truth, task.suffix, ())
        scene = Scene(cursor, root, index, pool, FULL.context_tokens, gauge.count)
        alone = gauge.bits(scene, ())
        for reason in REASONS:
            others: dict[Reason, float] = {other: math.inf for other in REASONS if other != reason}
            for snippet in scene.gathered({**EVERY, **others})[-BEST:]:
                yield reason, (snippet.score, alone - gauge.bits(scene, [snippet]))


def cutoff(gains: Sequence[Gain]) -> float:
    """The score from which on all snippets together spare most; above all scores if none spares anything."""
    ranked = sorted(gains, reverse=True)
    total, best, least = 0.0, 0.0, NEVER
    for number, (score, spared) in enumerate(ranked, 1):
        total += spared
        is_last_of_score = number == len(ranked) or ranked[number][0] < score
        if is_last_of_score and total > best:
            best, least = total, score
    return least


if __name__ == "__main__":
    main()
