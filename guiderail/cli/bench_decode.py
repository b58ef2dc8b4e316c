"""``guiderail bench decode``: tokens a second."""

from __future__ import annotations

from typing import Any

import click

from guiderail.cli.bench_options import DEVICE, MODELS, THREADS, device_of, report
from guiderail.cli.held_out import phases, progress
from guiderail.cli.study import JSON, Table, quick, seed

QUICK = {"prompt": 256, "tokens": 24, "runs": 3}
TABLE = Table(
    {
        "model": lambda row: f"{row['model']} ({row['parameters'] / 1e6:.0f} M)",
        "engine": "{engine}",
        "dtype": "{dtype}",
        "tokens/s": "{tokens_per_s:.1f}",
        "±": "{spread:.0%}",
        "to first token": lambda row: f"{1000 * row['ttft_s']:.0f} ms",
        "× generate": "{of_generate:.2f}",
    },
    left=3,
    title="Greedy decoding",
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
@seed("random weights and prompts")
@quick("Fewer, shorter rounds: under three minutes on two cores")
@JSON
def decode(models: tuple[str, ...], device: str | None, quick: bool, target: str | None, **numbers: Any) -> None:
    """Tokens a second and time to first token, beside transformers' generate and llama.cpp.

    Random shapes: random-0.1B, random-0.5B, random-1.3B, random-6.7B. On a GPU llama.cpp is left out.
    """
    import torch

    from guiderail.benchmarks import decode as benchmark
    from guiderail.model.load import load

    device = device_of(device)
    plan = benchmark.Plan(
        models=models or benchmark.ON[device],
        device=device,
        dtype=torch.float32 if device == "cpu" else torch.bfloat16,
        **{**numbers, **(QUICK if quick else {}), "threads": numbers["threads"] or torch.get_num_threads()},
    )
    dtype = str(plan.dtype).removeprefix("torch.")
    with progress() as bar:
        load_here = lambda name: load(name, device=device, dtype=dtype, threads=plan.threads)  # noqa: E731
        rows = benchmark.run(plan, load_here, phases(bar))
    generate = {row["model"]: row["tokens_per_s"] for row in rows if row["engine"] == "transformers"}
    shown = [{**row, "of_generate": row["tokens_per_s"] / generate[row["model"]]} for row in rows]
    settings: dict[str, Any] = {"prompt_tokens": plan.prompt, "tokens": plan.tokens, "runs": plan.runs}
    settings |= {"threads": plan.threads, "busy": plan.busy, **(benchmark.bandwidth(plan) if target else {})}
    report(target, {TABLE: shown}, {"weights": plan.seed}, libraries=("xllamacpp", "gguf"), **settings)
