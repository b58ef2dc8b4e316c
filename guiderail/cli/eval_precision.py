"""``guiderail eval precision``: what a precision costs in quality, and gains in speed and memory."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click

from guiderail.cli.bench_options import BUILD
from guiderail.cli.study import JSON, Row, Study, Table, number, quick, seed, study

COMPARED = "int8,bfloat16"


def _lost(row: Row) -> str:
    low, high = row["exact_lost_interval"]
    return f"{100 * row['exact_lost']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _pass(row: Row, rows: str) -> str:
    return f"{row['ms_of_rows'][rows]:.1f} ms"


TABLE = Table(
    {
        "dtype": "{dtype}",
        "lines": "{lines}",
        "KL": "{kl:.1e}",
        "top-1": "{top1:.1%}",
        "bits/byte": "{bits_per_byte:.3f}",
        "exact": "{exact:.1%}",
        "lost (95 %)": _lost,
        "prefill": "{prefill_tokens_per_s:.0f} tokens/s",
        **{title: partial(_pass, rows=title.split()[0]) for title in ("1 row", "4", "8", "16")},
        "load": "{load_s:.1f} s",
        "memory": "{memory_mb:.0f} MB",
    },
    title="Precision, rests of lines",
    width=150,
)


@study(
    "precision",
    TABLE,
    quick("A few lines; some minutes for a model of half a billion parameters"),
    number("Lines to complete"),
    click.option(
        "--dtypes",
        default=COMPARED,
        show_default=True,
        help="Precisions to compare with float32, with commas between them.",
    ),
    click.option(
        "--rival",
        "files",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE.gguf",
        help="A file of the model for llama.cpp, given the same prompts; repeat for several.",
    ),
    BUILD,
    seed("the lines"),
    JSON,
    settings=("model", "device", "threads"),
    seeds=("lines",),
)
def precision(study: Study, dtypes: str, files: tuple[Path, ...], build: str | None) -> list[dict[str, Any]]:
    """Complete lines of held-out packages in several precisions: what is lost against float32, and what it takes.

    A run that was ended goes on where it was.

    \b
    guiderail eval precision --model FOLDER --quick --json -
    guiderail eval precision --model FOLDER --rival FILE-q4_k_m.gguf --llama-cpp-build BUILD
    """
    import torch

    from guiderail.benchmarks.llama_rival import rival
    from guiderail.evaluation.studies import precision as evaluation
    from guiderail.evaluation.study import config_of

    compared = [name.strip() for name in dtypes.split(",") if name.strip()]
    tasks = evaluation.lines(study.files(), study.plan)
    config = config_of(study.settings, study.plan)
    advance = study.phase("lines", len(tasks) * (1 + len(set(compared) - {evaluation.REFERENCE}) + len(files)))
    with study.answering(config) as (worker, log), ExitStack() as stack:
        threads = study.settings.threads or torch.get_num_threads()
        rivals = [stack.enter_context(rival(file, threads, build)) for file in files]
        found = evaluation.evaluate(worker, config, compared, tasks, log, log.file.parent, advance, rivals)
        return evaluation.rows(found, study.plan.seed)
