"""``guiderail eval next-edit``: what is proposed after a change, against what authors did."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from guiderail.cli.study import JSON, PACKAGES, SAMPLES, Row, Study, Table, number, quick, seed, study


def _share(row: Row, key: str) -> str:
    if row[key] is None:
        return "-"
    low, high = row["intervals"][key]
    return f"{row[key]:.1%} [{low:.0%}, {high:.0%}]"


TABLE = Table(
    {
        "kind": "{kind}",
        "system": "{system}",
        "changes": "{changes}",
        "sites": "{sites}",
        "found": partial(_share, key="recall"),
        "of known": partial(_share, key="recall_of_known"),
        "exact": partial(_share, key="exactness"),
        "told": lambda row: "-" if row["told"] is None else f"{row['told'] / row['sites']:.1%}",
        "wrong": partial(_share, key="wrong_share"),
        "errors": lambda row: "-" if row["errors_before"] is None else "{errors_before}→{errors_after}".format(**row),
        "truth": lambda row: "-" if row["errors_true"] is None else str(row["errors_true"]),
        "s p50": "{seconds_p50:.1f}",
    },
    left=2,
    caption=(
        "found: of the sites; of known: of those that the analyser's own rename finds; exact: of those found;\n"
        "told: found, or named as left to the person; wrong: of the edits at places that are in both releases;\n"
        "errors: new ones with the declaration's change alone → with all edits; truth: with the later release's own"
    ),
    width=190,
)


@study(
    "next_edit",
    TABLE,
    quick("A few packages and changes, some minutes on two cores"),
    number("Changes of each package at most"),
    PACKAGES,
    click.option("--language", type=click.Choice(["python", "typescript"]), default="python", help="[default: python]"),
    seed("the bootstrap"),
    SAMPLES,
    JSON,
    seeds=("bootstrap",),
    libraries=("ty",),
)
def next_edit(study: Study, language: str, samples: str | None) -> list[dict[str, Any]]:
    """What follows from changes that authors made: pairs of releases, each change made alone in the earlier one.

    \b
    guiderail eval next-edit --quick
    guiderail eval next-edit --language typescript --json next-edit.json
    """
    from guiderail.evaluation import packages, release_pairs
    from guiderail.evaluation.manifest import datasets_folder
    from guiderail.evaluation.studies import next_edit as evaluation
    from guiderail.evaluation.study import once

    listed, folder = datasets_folder() / release_pairs.LANGUAGES[language], packages.cache_folder()
    study.conditions |= {"manifest_sha256": packages.sha256_of(listed), "language": language}
    pairs = list(release_pairs.read_pairs(listed).items())[: study.plan.packages]
    study.phase("fetching packages", None)
    release_pairs.fetch([pair for _, own in pairs for pair in own], folder)
    advance, found = study.phase("pairs of releases", sum(len(own) for _, own in pairs)), []
    with study.rows(samples, language=language, pairs=study.conditions["manifest_sha256"]) as log:
        for name, own in pairs:
            left = study.plan.changes
            for pair in own:
                made = partial(_pair, name, pair, folder, language, left)
                own_rows = list(once(log, (name, pair.versions), made)) if left > 0 else []
                left -= len({row["id"] for row in own_rows})
                found += own_rows
                advance()
    return evaluation.rows(found, study.plan)


def _pair(name: str, pair: Any, folder: Path, language: str, count: int) -> list[dict[str, Any]]:
    """The rows of one pair of releases."""
    from guiderail.evaluation import release_pairs
    from guiderail.evaluation.studies import next_edit as evaluation

    miner = release_pairs.miner(pair, folder, language)
    changes = evaluation.drawn(miner.changes(), count)
    with TemporaryDirectory() as work:
        return list(evaluation.samples(name, miner, changes, language, Path(work)))
