"""``guiderail eval methods``: ways to decode, beside each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from guiderail.cli.study import JSON, PACKAGES, SAMPLES, Study, Table, number, quick, seed, study

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
        "an answer": "{passes_an_answer:.1f}",
        "pauses": "{pause_rate:.3f}",
        "n": "{n}",
    },
    caption="EM exact match, ES edit similarity; clean: no new errors; passes and pauses a token, and passes an answer",
)


@study(
    "methods",
    TABLE,
    quick("A few cursors, under three minutes on two cores"),
    number("Cursors of each kind"),
    PACKAGES,
    click.option("--only", multiple=True, metavar="LABEL", help="A method of the table, beside greedy; repeatable."),
    seed("the cursors and draws"),
    SAMPLES,
    JSON,
    settings=("model", "device", "dtype", "threads", "analyser"),
    seeds=("cursors", "draws", "bootstrap"),
    libraries=("pyrefly",),
)
def methods(study: Study, samples: str | None, only: tuple[str, ...]) -> list[dict[str, Any]]:
    """Lines and bodies of functions by greedy decoding, beam search, AdaDec, contrast and others.

    The first run installs each package's dependencies into the cache folder.

    \b
    guiderail eval methods --quick
    guiderail eval methods --only "beam 6" --only "best of 6" --only a-star
    guiderail eval methods --samples methods.jsonl --json methods.json
    """
    from guiderail.evaluation.studies import methods as evaluation
    from guiderail.evaluation.study import config_of

    cases = evaluation.available(only)
    if missing := [case.label for case in evaluation.METHODS if case not in cases and not only]:
        click.echo(f"not registered, and left out: {', '.join(missing)}", err=True)
    keys = {"name": "label", "method": "name", "parameters": "set", "temperature": "temperature"}
    study.conditions["cases"] = [{key: getattr(case, own) for key, own in keys.items()} for case in cases]
    files = study.files()
    roots = study.projects(files)
    drawn = evaluation.tasks({name: own for name, own in files.items() if name in roots}, study.plan)
    drawn = [replace(task, root=roots[task.package]) for task in drawn]
    config = config_of(study.settings, study.plan, cases, check=True, trust="always")
    advance = study.phase("answering", len(drawn) * len(cases))
    with study.answering(config, kept=samples, n=len(drawn)) as (worker, log):
        return evaluation.rows(evaluation.evaluate(worker, config, drawn, log, advance), seed=study.plan.seed)
