"""``guiderail bench cache``: how fast a cache follows an edit."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import Any

import click

from guiderail.cli.bench_options import BUILD, DEVICE, MODELS, THREADS, device_of, report
from guiderail.cli.held_out import progress
from guiderail.cli.options import PICTURE
from guiderail.cli.study import JSON, Row, Table, quick, seed
from guiderail.errors import UsageError

CPU_MODELS = ("embedded", "random-10M")
LONGER = 2048  # tokens; a random shape is measured from here on where the embedded model ends
CONTEXT = 33_000  # tokens that a random shape takes


def _ms(row: Row, key: str) -> str:
    return "-" if row[key] is None else f"{1000 * row[key]:.0f}"


TABLE = Table(
    {
        "model": "{model}",
        "tokens": "{tokens}",
        "edit at": "{edit_at:.0%}",
        "changed": "{changed:+d}",
        **{
            title: partial(_ms, key=key)
            for title, key in (
                ("full", "full_s"),
                ("truncate", "truncate_s"),
                ("PIE", "pie_s"),
                ("patch", "patch_s"),
                ("llama.cpp", "llama_cpp_s"),
            )
        },
        "patch runs": "{encoded:d}",
        "llama.cpp runs": "{llama_cpp_encoded:d}",
        "auto": "{policy}",
        "memory": "{memory_of_plain:.2f}",
    },
    title="Following an edit, ms",
    caption="memory: of the cache, the ledger included, over that of its keys and values alone",
)


@click.command()
@MODELS
@DEVICE
@click.option("--tokens", "lengths", multiple=True, type=click.IntRange(128), help="A length; repeat for several.")
@click.option("--runs", type=click.IntRange(1, 1000), default=None, help="Rounds of all ways.")
@THREADS
@click.option("--llama-cpp/--no-llama-cpp", default=True, help="Measure llama.cpp's cache reuse too.  [default: yes]")
@BUILD
@seed("random weights and tokens")
@quick("Fewer lengths: under three minutes on two cores")
@click.option("--picture", type=PICTURE, metavar="FILE.svg", help="Draw the times by the place of the edit.")
@JSON
def cache(
    models: tuple[str, ...],
    device: str | None,
    lengths: tuple[int, ...],
    runs: int | None,
    threads: int | None,
    llama_cpp: bool,
    build: str | None,
    seed: int,
    quick: bool,
    picture: str | None,
    target: str | None,
) -> None:
    """Seconds to follow an edit: patched, truncated at the edit, or encoded in full, beside llama.cpp's cache reuse."""
    from guiderail.benchmarks import cache as benchmark
    from guiderail.benchmarks import decode as shapes
    from guiderail.evaluation import measurement
    from guiderail.model.threads import allow, allowed

    device = device_of(device)
    allow(threads or 0)
    rivals = allowed() if llama_cpp and device == "cpu" else 0
    plan = replace(benchmark.QUICK if quick else benchmark.FULL, seed=seed, threads=rivals, build=build)
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
    if picture:
        measurement.write_text(picture, benchmark.picture(rows).file())
    conditions = {"plan": asdict(plan), "reuse": benchmark.REUSE, "crossovers": crossovers}
    seeds, lines = {"weights": seed, "tokens": seed}, [_crossover(found) for found in crossovers]
    lines += [f"llama.cpp: {build}" for build in dict.fromkeys(row["llama_cpp_build"] for row in rows) if build]
    report(target, {TABLE: rows}, seeds, lines=lines, libraries=("xllamacpp",), **conditions)


def _loaded(name: str, device: str, seed: int) -> Any:
    import torch

    from guiderail.benchmarks import decode as shapes
    from guiderail.model.load import describe, load

    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    if name in shapes.SHAPES:
        return shapes.random_model(name, device, dtype, seed, CONTEXT)
    return load(name, device=device, dtype="auto" if describe(name).file else str(dtype).removeprefix("torch."))


def _crossover(found: Row) -> str:
    told = "never" if found["behind"] is None else f"from {found['behind']} tokens after the edit on"
    return f"{found['model']}, {found['tokens']} tokens, {found['changed']:+d}: a patch is quicker {told}"
