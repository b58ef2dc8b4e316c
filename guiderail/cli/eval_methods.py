"""``guiderail eval methods``: ways to decode, beside each other."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import click

from guiderail.cli.study import JSON, MODEL, SAMPLES, Study, Table, number, quick, seed, study

TABLE = Table(
    {
        "method": "{method}",
        "line EM": "{line_em:.3f}",
        "line ES": "{es:.3f}",
        "block EM": "{block_em:.3f}",
        "block ES": "{block_es:.3f}",
        "parses": "{parses:.3f}",
        "clean": "{clean:.3f}",
        "log p": "{logprob:.3f}",
        "passes": "{forward_passes:.3f}",
        "pauses": "{pause_rate:.3f}",
        "n": "{n}",
    },
    caption="EM exact match, ES edit similarity; clean: no new errors; passes and pauses a token",
)


@study(
    "methods",
    TABLE,
    MODEL,
    quick("A few cursors, under three minutes on two cores"),
    number("Cursors of each kind"),
    seed("the cursors and draws"),
    SAMPLES,
    JSON,
    settings=("device", "dtype", "threads"),
    seeds=("cursors", "draws", "bootstrap"),
    libraries=("pyrefly",),
)
def methods(study: Study, name: str | None, samples: str | None) -> list[dict[str, Any]]:
    """Lines and bodies of functions by greedy decoding, beam search, AdaDec, contrast and others.

    \b
    guiderail eval methods --quick
    guiderail eval methods --samples methods.jsonl --json methods.json
    """
    from guiderail.evaluation.studies import methods as evaluation

    model, cases = study.load(name), evaluation.available()
    if missing := [case.name for case in evaluation.CASES if case not in cases]:
        click.echo(f"not registered, and left out: {', '.join(missing)}", err=True)
    study.conditions["cases"] = [asdict(case) for case in cases]
    files = study.files()
    drawn = evaluation.tasks(files, study.plan)
    advance = study.phase("answering", len(drawn) * len(cases))
    evaluate = partial(evaluation.evaluate, model, drawn, study.plan, advance=advance)
    found = study.answers(evaluate, evaluation.Sample, drawn, samples)
    clean = evaluation.clean(files, found, advance=study.phase("checking for errors", len(files)))
    return evaluation.rows(found, clean, seed=study.plan.seed)
