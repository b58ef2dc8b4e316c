"""``guiderail eval shown``: whether what a person is shown while typing is worth a look."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from guiderail import choices
from guiderail.cli.study import JSON, PACKAGES, SAMPLES, Row, Study, Table, number, quick, seed, study
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from guiderail.evaluation.packages import SourceFile


def _cell(row: Row, name: str, form: str) -> str:
    if row[name] is None:
        return "-"
    low, high = row["intervals"][name]
    return f"{row[name]:{form}} [{low:{form}}, {high:{form}}]"


_SHARES = {"shown": "shown", "right to the end": "right", "first word right": "first", "breaks the file": "breaks"}
TABLE = Table(
    {
        "confidence": "{setting}",
        "where": "{where}",
        "cursors": "{cursors}",
        **{title: partial(_cell, name=name, form=".1%") for title, name in _SHARES.items()},
        "saved": partial(_cell, name="saved", form=".0f"),
    },
    left=2,
    caption="shares after the first are of what is shown; saved: characters of 100 typed; 95 % intervals over packages",
    width=150,
)


@study(
    "shown",
    TABLE,
    click.option(
        "--confidence",
        "chosen",
        multiple=True,
        type=click.Choice(get_args(choices.Confidence)),
        help="Which settings are compared; may be given several times.  [default: all]",
    ),
    quick("Three packages and ten cursors of each, under three minutes on two cores"),
    number("Cursors of each package"),
    PACKAGES,
    click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Projects instead."),
    click.option("--language", default="python", help="Of the projects.  [default: python]"),
    seed("the cursors"),
    SAMPLES,
    JSON,
    settings=(
        "model", "device", "dtype", "threads", "until", "max_tokens", "context_tokens", "prompt_tokens",
        "project_ngrams", "monitors", "verdict", "analyser", "method", "parameters",
    ),
    seeds=("cursors", "bootstrap"),
    libraries=("pyrefly",),
)  # fmt: skip
def shown(
    study: Study, chosen: tuple[str, ...], folder: Path | None, language: str, samples: str | None
) -> list[dict[str, Any]]:
    """What is shown at every fifth key of true typing: how often, how much of it is right, and what it saves.

    --folder takes the subfolders of a folder as projects.

    \b
    guiderail eval shown --quick
    guiderail eval shown --n 24 --confidence balanced --json shown.json
    guiderail eval shown --folder ~/projects --language typescript
    """
    from guiderail.cli.loading import load_engine
    from guiderail.engine.time_limits import BATCH
    from guiderail.evaluation.studies import shown as evaluation
    from guiderail.evaluation.study import laid_out
    from guiderail.model.fingerprint import fingerprint

    files = projects_in(folder, language) if folder else study.files()
    files = dict(list(files.items())[: study.plan.packages])
    cursors = evaluation.drawn(files, study.plan)
    compared = {name: replace(study.settings, confidence=name) for name in chosen or get_args(choices.Confidence)}
    engine = load_engine(study.settings, limits=BATCH)
    study.conditions |= {"model": engine.name, "language": language}
    run = {"settings": asdict(study.settings), "weights": fingerprint(engine.model.info), "language": language}
    advance = study.phase("completing", len(cursors) * len(compared))
    answer = lambda request: engine.complete(request).suggestions  # noqa: E731
    try:
        with tempfile.TemporaryDirectory() as work, study.rows(samples, packages=None, cursors=None, **run) as log:
            roots = laid_out(files, Path(work))
            found = list(evaluation.evaluate(answer, cursors, roots, compared, log, advance))
    finally:
        engine.unload()
    return evaluation.rows(found, engine.name or study.settings.model, study.plan)


def projects_in(folder: Path, language: str) -> Mapping[str, Sequence[SourceFile]]:
    """The files of each subfolder that are worth measuring on.

    Raises
    ------
    UsageError
        There are none.
    """
    from guiderail.evaluation.archives import folder_files

    found = {one.name: folder_files(one.name, one, language) for one in sorted(folder.iterdir()) if one.is_dir()}
    found = {name: files for name, files in found.items() if files}
    if not found:
        raise UsageError(f"no subfolder of {folder} has files in {language}", "Name another folder or language")
    return found
