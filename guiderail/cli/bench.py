"""``guiderail bench``: how fast, beside the rivals in the same run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.bench_cache import cache
from guiderail.cli.bench_methods import methods
from guiderail.cli.bench_monitors import monitors
from guiderail.cli.bench_typing import bench_typing
from guiderail.cli.options import OUTPUT

if TYPE_CHECKING:
    from guiderail.benchmarks.decode import Plan

QUICK = {"prompt": 256, "tokens": 24, "runs": 3}


@click.group()
def bench() -> None:
    """Measure how fast the suggestions are, beside the rivals in the same run."""


@bench.command()
@click.option("--model", "models", multiple=True, metavar="REF", help="A model or a random shape; repeat for several.")
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default=None, help="Where to run.  [default: a GPU if found]"
)
@click.option("--prompt", type=click.IntRange(1, 4000), default=512, show_default=True, help="Tokens of the prompt.")
@click.option("--tokens", type=click.IntRange(2, 1000), default=64, show_default=True, help="Tokens decoded.")
@click.option("--runs", type=click.IntRange(1, 1000), default=7, show_default=True, help="Rounds of all engines.")
@click.option("--threads", type=click.IntRange(1), default=None, help="CPU threads of every engine.  [default: cores]")
@click.option(
    "--busy", type=click.IntRange(0, 64), default=0, show_default=True, help="Other processes that want a core each."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of random weights and prompts.")
@click.option("--quick", is_flag=True, help="Fewer, shorter rounds: under three minutes on two cores.")
@click.option("--json", "target", type=OUTPUT, help="Write meta and rows as JSON; '-' is standard output.")
def decode(models: tuple[str, ...], device: str | None, quick: bool, target: str | None, **numbers: Any) -> None:
    """Tokens a second and time to first token, beside transformers' generate and llama.cpp.

    Random shapes: random-0.1B, random-0.5B, random-1.3B, random-6.7B. On a GPU llama.cpp is left out.
    """
    import torch

    from guiderail.benchmarks import decode as benchmark
    from guiderail.evaluation import measurement

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    plan = benchmark.Plan(
        models=models or benchmark.ON[device],
        device=device,
        dtype=torch.float32 if device == "cpu" else torch.bfloat16,
        **{**numbers, **(QUICK if quick else {}), "threads": numbers["threads"] or torch.get_num_threads()},
    )
    rows = _run(benchmark, plan)
    if target != "-":
        _print(rows)
    if target:
        settings = {"prompt_tokens": plan.prompt, "tokens": plan.tokens, "runs": plan.runs}
        settings |= {"threads": plan.threads, "busy": plan.busy}
        conditions = measurement.meta(
            {"weights": plan.seed}, libraries=("xllamacpp", "gguf"), **settings, **benchmark.bandwidth(plan)
        )
        measurement.write(target, conditions, rows)


def _run(benchmark: Any, plan: Plan) -> list[dict[str, Any]]:
    from rich.console import Console
    from rich.progress import Progress, TimeRemainingColumn

    from guiderail.model.load import load

    with Progress(*Progress.get_default_columns(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:

        def progress(name: str, steps: int) -> Callable[[], None]:
            task = bar.add_task(name, total=steps)
            return lambda: bar.advance(task)

        def load_here(name: str) -> Any:
            return load(name, device=plan.device, dtype=str(plan.dtype).removeprefix("torch."), threads=plan.threads)

        return benchmark.run(plan, load_here, progress)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "engine", "dtype", "tokens/s", "±", "to first token", "× generate", title="Greedy decoding")
    for row in rows:
        generate = next(r for r in rows if r["model"] == row["model"] and r["engine"] == "transformers")
        table.add_row(
            f"{row['model']} ({row['parameters'] / 1e6:.0f} M)",
            row["engine"],
            row["dtype"],
            f"{row['tokens_per_s']:.1f}",
            f"{100 * row['spread']:.0f} %",
            f"{1000 * row['ttft_s']:.0f} ms",
            f"{row['tokens_per_s'] / generate['tokens_per_s']:.2f}",
        )
    Console().print(table)


bench.add_command(cache)
bench.add_command(bench_typing)
bench.add_command(monitors)
bench.add_command(methods)
