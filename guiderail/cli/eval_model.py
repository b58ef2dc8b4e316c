"""``guiderail eval model``: how well models write code of packages that nobody trained on."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from guiderail.cli.options import OUTPUT
from guiderail.cli.study import JSON, Row, Study, Table, number, quick, seed, study
from guiderail.errors import UsageError


def _cell(row: Row, name: str) -> str:
    if row[name] is None:
        return "-"
    low, high = row["intervals"][name]
    return f"{row[name]:.3f}\n{low:.2f}–{high:.2f}"


_FIGURES = {
    "bits/byte": "bits_per_byte",
    "next line EM": "next_line_em",
    "next line ES": "next_line_es",
    "FIM line EM": "fim_line_em",
    "parses": "parse_rate",
}
TABLE = Table(
    {
        "model": "{model}",
        **{title: partial(_cell, name=name) for title, name in _FIGURES.items()},
        "tokens/s": "{tokens_per_s:.0f}",
        "n": "{n}",
    },
    caption="Below each figure its 95 % interval over packages; EM exact match, ES edit similarity",
)


@study(
    "model",
    TABLE,
    click.option(
        "--model", "names", multiple=True, metavar="MODEL", help="What to measure; may be given several times."
    ),
    quick("Fewer packages, under three minutes on two cores"),
    number("Tasks of each kind"),
    seed("the tasks and the intervals"),
    JSON,
    click.option("--samples", type=OUTPUT, metavar="FILE.jsonl", help="Write every single answer too."),
    settings=("device", "dtype", "threads"),
    seeds=("tasks", "shuffling", "bootstrap"),
)
def model(study: Study, names: tuple[str, ...], samples: str | None) -> list[dict[str, Any]]:
    """Bits per byte, exact lines and parsing answers of a model, beside baselines.

    \b
    guiderail eval model --quick
    guiderail eval model --model embedded --model ./checkpoint --json figures.json
    """
    target = click.get_current_context().params["target"]
    if samples and target and Path(samples).absolute() == Path(target).absolute():
        raise UsageError("--json and --samples name the same file", "Choose another one")
    from guiderail.evaluation import manifest, measurement, packages
    from guiderail.evaluation.studies import model as evaluation
    from guiderail.evaluation.study import config_of

    chosen = tuple(dict.fromkeys(names)) or (study.settings.model,)
    study.conditions["model"] = ", ".join(chosen)
    config = replace(config_of(replace(study.settings, model=chosen[0]), study.plan), models=chosen)
    with TemporaryDirectory() as folder, study.answering(config) as (worker, log):
        material = evaluation.materials(study.files(), study.plan, Path(folder).resolve())
        advance = study.phase("measuring", evaluation.units(material, len(chosen)))
        found = list(evaluation.evaluate(worker, config, material, study.plan, log, advance))
    if samples:
        lines = (json.dumps(row | {"system": evaluation.named(row)}) + "\n" for row in found)
        measurement.write_text(samples, "".join(lines))
    bases = {system: name for name in chosen for system in evaluation.variants(name)}
    bases |= dict.fromkeys((evaluation.FILE_NGRAMS, evaluation.PROJECT_NGRAMS), chosen[0])
    study.conditions |= {"manifest": manifest.DEFAULT, "builder": packages.BUILDER, "truth": {"parse_rate": 1.0}}
    return evaluation.rows(found, seed=study.plan.seed, bases=bases)
