"""``guiderail eval layout``: which order of the prompt suits a model that is typed into."""

from __future__ import annotations

from typing import Any

from guiderail.cli.study import JSON, Study, Table, number, quick, seed, study

TABLE = Table(
    {
        "layout": "{layout}",
        "policy": "{policy}",
        "states": "{n}",
        "encoded again": "{encoded:.0f} of {tokens:.0f} ({encoded_share:.1%})",
        "stale": "{stale:.0f}",
        "fit p50": "{fit_ms_p50:.0f} ms",
        "mean": "{fit_ms_mean:.0f} ms",
        "p95": "{fit_ms_p95:.0f} ms",
        "lines": "{judged}",
        "EM": "{em:.3f}",
        "ES": "{es:.3f}",
    },
    left=2,
    title="Typing, word by word",
)


@study(
    "layout",
    TABLE,
    quick("A few files, under three minutes on two cores"),
    number("Files that are written in"),
    seed("the files and places"),
    JSON,
    settings=("model", "device", "dtype", "threads"),
    seeds=("traces",),
)
def layout(study: Study) -> list[dict[str, Any]]:
    """Replay typing in held-out files: what each order of the prompt has to encode again, and how well it completes.

    \b
    guiderail eval layout --quick
    """
    from guiderail.evaluation.studies import layout as evaluation
    from guiderail.evaluation.study import config_of

    config = config_of(study.settings, study.plan)
    drawn = evaluation.traces(study.files(), study.plan)
    advance = study.phase("typing", len(drawn) * len(evaluation.LAYOUTS) * len(evaluation.POLICIES))
    with study.answering(config) as (worker, log):
        return evaluation.rows(evaluation.evaluate(worker, config, drawn, log, advance))
