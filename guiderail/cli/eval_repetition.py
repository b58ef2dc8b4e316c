"""``guiderail eval repetition``: whether decoding loops, and what stopping it costs."""

from __future__ import annotations

from functools import partial
from typing import Any

from guiderail.cli.study import JSON, SAMPLES, Row, Study, Table, number, quick, seed, study

_FIGURES = {
    "EGP": "egp",
    "TR-N": "tr_n",
    "TR-S": "tr_s",
    "parses": "parses",
    "tokens": "length",
    "s": "time_s",
    "stage ms": "stage_ms",
    "EM": "line_em",
    "ES": "es",
}


def _figure(row: Row, key: str) -> str:
    value = row.get(key)
    return "-" if value is None else f"{value:.3f}" if value < 10 else f"{value:.0f}"


TABLE = Table(
    {
        "scenario": "{scenario}",
        "method": "{method}",
        **{title: partial(_figure, key=key) for title, key in _FIGURES.items()},
        "n": "{n}",
    },
    left=2,
    caption="EGP: ended by the model; TR-N, TR-S: repeated 4-grams of rules, repeated statements; EM, ES: lines",
)


@study(
    "repetition",
    TABLE,
    quick("A few cursors, under three minutes on two cores"),
    number("Cursors of each scenario"),
    seed("the cursors and draws"),
    SAMPLES,
    JSON,
    settings=("model", "device", "dtype", "threads"),
    seeds=("cursors", "sampling", "bootstrap"),
)
def repetition(study: Study, samples: str | None) -> list[dict[str, Any]]:
    """Greedy decoding, sampling, the repetition penalty and RPG: where code repeats, and where it does not.

    \b
    guiderail eval repetition --quick
    guiderail eval repetition --samples repetition.jsonl --json repetition.json
    """
    from guiderail.evaluation.studies import repetition as evaluation
    from guiderail.evaluation.study import config_of

    drawn = evaluation.tasks(study.files(), study.plan)
    config = config_of(study.settings, study.plan)
    advance = study.phase("answering", len(drawn) * len(evaluation.METHODS))
    with study.answering(config, kept=samples, n=len(drawn)) as (worker, log):
        found = evaluation.evaluate(worker, study.settings.model, drawn, log, advance)
        return evaluation.rows(found, seed=study.plan.seed)
