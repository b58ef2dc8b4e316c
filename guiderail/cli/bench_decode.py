"""``guiderail bench decode``: tokens a second."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.bench_options import BUILD, DEVICE, MODELS, THREADS, device_of, report
from guiderail.cli.held_out import phases, progress
from guiderail.cli.study import JSON, Row, Table, quick, seed

if TYPE_CHECKING:
    from guiderail.model.model import Model

QUICK = {"prompt": 256, "tokens": 24, "runs": 3}


def _pass(row: Row, rows: str) -> str:
    return f"{row['ms_of_rows'][rows]:.1f} ms"


TABLE = Table(
    {
        "model": lambda row: f"{row['model']} ({row['parameters'] / 1e6:.0f} M)",
        "engine": "{engine}",
        "dtype": "{dtype}",
        "tokens/s": "{tokens_per_s:.1f}",
        "±": "{spread:.0%}",
        "to first token": lambda row: f"{1000 * row['ttft_s']:.0f} ms",
        "prefill": "{prefill_tokens_per_s:.0f} tokens/s",
        **{title: partial(_pass, rows=title.split()[0]) for title in ("1 row", "4", "8", "16")},
        "load": lambda row: "" if row["load_s"] is None else f"{row['load_s']:.1f} s",
        "× generate": lambda row: "" if row["of_generate"] is None else f"{row['of_generate']:.2f}",
    },
    left=3,
    title="Greedy decoding",
    width=150,
)


@click.command()
@MODELS
@DEVICE
@click.option("--prompt", type=click.IntRange(1, 4000), default=512, show_default=True, help="Tokens of the prompt.")
@click.option("--tokens", type=click.IntRange(2, 1000), default=64, show_default=True, help="Tokens decoded.")
@click.option("--runs", type=click.IntRange(1, 1000), default=7, show_default=True, help="Rounds of all engines.")
@THREADS
@click.option(
    "--busy", type=click.IntRange(0, 64), default=0, show_default=True, help="Other processes that want a core each."
)
@click.option(
    "--rival",
    "rivals",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.gguf",
    help="Another file of the model for llama.cpp; repeat for several.",
)
@BUILD
@seed("random weights and prompts")
@quick("Fewer, shorter rounds: under three minutes on two cores")
@JSON
def decode(models: tuple[str, ...], device: str | None, quick: bool, target: str | None, **numbers: Any) -> None:
    """Tokens a second and time to first token, beside transformers' generate and llama.cpp.

    Random shapes: random-0.1B, random-0.5B, random-1.3B, random-6.7B. On a GPU llama.cpp is left out.
    A GGUF file is run as people run it, without generate.

    \b
    guiderail bench decode --model FILE-q8_0.gguf --rival FILE-q4_0.gguf
    """
    import torch

    from guiderail.benchmarks import decode as benchmark
    from guiderail.model.load import describe, load

    device = device_of(device)
    plan = benchmark.Plan(
        models=models or benchmark.ON[device],
        device=device,
        dtype=torch.float32 if device == "cpu" else torch.bfloat16,
        **{**numbers, **(QUICK if quick else {}), "threads": numbers["threads"] or torch.get_num_threads()},
    )
    dtype = str(plan.dtype).removeprefix("torch.")

    def load_here(name: str) -> Model:
        return load(name, device=device, dtype="auto" if describe(name).file else dtype, threads=plan.threads)

    with progress() as bar:
        rows = benchmark.run(plan, load_here, phases(bar))
    generate = {row["model"]: row["tokens_per_s"] for row in rows if row["engine"] == "transformers"}
    of = lambda row: row["tokens_per_s"] / generate[row["model"]] if row["model"] in generate else None  # noqa: E731
    shown = [{**row, "of_generate": of(row)} for row in rows]
    settings: dict[str, Any] = {"prompt_tokens": plan.prompt, "tokens": plan.tokens, "runs": plan.runs}
    settings |= {"threads": plan.threads, "busy": plan.busy, **(benchmark.bandwidth(plan) if target else {})}
    report(
        target, {TABLE: shown}, {"weights": plan.seed}, lines=_builds(rows), libraries=("xllamacpp", "gguf"), **settings
    )


def _builds(rows: Sequence[Row]) -> list[str]:
    """What llama.cpp was built for, and the threads it had."""
    return [
        f"llama.cpp {row['dtype']}: {row['waiting']['threads']} threads, which "
        f"{'spin' if row['waiting']['spins'] else 'sleep'} while they wait; {row['build']}"
        for row in rows
        if row["build"]
    ]
