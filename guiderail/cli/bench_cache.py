"""``guiderail bench cache``: how fast a cache follows an edit."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from guiderail.cli.held_out import progress
from guiderail.cli.options import OUTPUT
from guiderail.errors import UsageError

CPU_MODELS = ("embedded", "random-10M")
LONGER = 2048  # tokens; a random shape is measured from here on where the embedded model ends
CONTEXT = 33_000  # tokens that a random shape takes


@click.command()
@click.option("--model", "models", multiple=True, metavar="REF", help="A model or a random shape; repeat for several.")
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default=None, help="Where to run.  [default: a GPU if found]"
)
@click.option("--tokens", "lengths", multiple=True, type=click.IntRange(128), help="A length; repeat for several.")
@click.option("--runs", type=click.IntRange(1, 1000), default=None, help="Rounds of all ways.")
@click.option("--threads", type=click.IntRange(1), default=None, help="CPU threads of both engines.  [default: cores]")
@click.option("--llama-cpp/--no-llama-cpp", default=True, help="Measure llama.cpp's cache reuse too.  [default: yes]")
@click.option("--seed", type=int, default=0, show_default=True, help="Of random weights and tokens.")
@click.option("--quick", is_flag=True, help="Fewer lengths: under three minutes on two cores.")
@click.option("--picture", type=OUTPUT, metavar="FILE.png", help="Draw the times by the place of the edit.")
@click.option("--json", "target", type=OUTPUT, help="Write meta and rows as JSON; '-' is standard output.")
def cache(
    models: tuple[str, ...],
    device: str | None,
    lengths: tuple[int, ...],
    runs: int | None,
    threads: int | None,
    llama_cpp: bool,
    seed: int,
    quick: bool,
    picture: str | None,
    target: str | None,
) -> None:
    """Seconds to follow an edit: patched, truncated at the edit, or encoded in full, beside llama.cpp's cache reuse."""
    import torch

    from guiderail.benchmarks import cache as benchmark
    from guiderail.benchmarks import decode as shapes
    from guiderail.evaluation import measurement
    from guiderail.model.threads import allow, allowed

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    allow(threads or 0)
    rivals = allowed() if llama_cpp and device == "cpu" else 0
    plan = replace(benchmark.QUICK if quick else benchmark.FULL, seed=seed, threads=rivals)
    plan = replace(plan, runs=runs or plan.runs, tokens=lengths or plan.tokens)
    names = models or (CPU_MODELS[: 1 if quick else 2] if device == "cpu" else shapes.ON[device])
    rows: list[dict[str, Any]] = []
    with progress() as bar:
        for name in names:
            model, own = _loaded(name, device, seed), plan
            if not (models or lengths) and name == CPU_MODELS[1]:
                own = replace(plan, tokens=tuple(n for n in plan.tokens if n > LONGER))
            total = sum(len(benchmark.cases(model, own, n)) for n in benchmark.lengths(model, own))
            task = bar.add_task(name, total=total)
            rows += benchmark.run(model, own, advance=lambda task=task: bar.advance(task))
    if not rows:
        raise UsageError("none of the lengths fits the model's context", "Name another model, or leave --quick out")
    crossovers = benchmark.crossovers(rows)
    if target != "-":
        _print(rows, crossovers)
    if picture:
        from guiderail.evaluation.png_charts import draw_times

        draw_times(Path(picture), rows)
    if target:
        conditions = {"plan": asdict(plan), "reuse": benchmark.REUSE, "crossovers": crossovers}
        measurement.write(
            target, measurement.meta({"weights": seed, "tokens": seed}, libraries=("xllamacpp",), **conditions), rows
        )


def _loaded(name: str, device: str, seed: int) -> Any:
    import torch

    from guiderail.benchmarks import decode as shapes
    from guiderail.model.load import load

    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    if name in shapes.SHAPES:
        return shapes.random_model(name, device, dtype, seed, CONTEXT)
    return load(name, device=device, dtype=str(dtype).removeprefix("torch."))


def _print(rows: list[dict[str, Any]], crossovers: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "tokens", "edit at", "changed", title="Following an edit, ms")
    for column in ("full", "truncate", "PIE", "patch", "llama.cpp", "patch runs", "llama.cpp runs", "auto", "memory"):
        table.add_column(column, justify="right")
    for row in rows:
        keys = ("full_s", "truncate_s", "pie_s", "patch_s", "llama_cpp_s")
        table.add_row(
            row["model"],
            str(row["tokens"]),
            f"{row['edit_at']:.0%}",
            f"{row['changed']:+d}",
            *("-" if row[key] is None else f"{1000 * row[key]:.0f}" for key in keys),
            *("-" if row[key] is None else str(row[key]) for key in ("encoded", "llama_cpp_encoded")),
            row["policy"],
            f"{row['memory_of_plain']:.2f}",
        )
    table.caption = "memory: of the cache, the ledger included, over that of its keys and values alone"
    Console().print(table)
    for found in crossovers:
        told = "never" if found["behind"] is None else f"from {found['behind']} tokens behind the edit on"
        click.echo(f"{found['model']}, {found['tokens']} tokens, {found['changed']:+d}: a patch is quicker {told}")
