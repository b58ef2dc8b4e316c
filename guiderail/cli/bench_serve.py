"""``guiderail bench serve``: what people wait for who share one server."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from guiderail.cli.bench_options import THREADS, report
from guiderail.cli.held_out import phases, progress
from guiderail.cli.study import JSON, Row, Table, quick, seed
from guiderail.errors import UsageError

ENGINES = ("guiderail", "llama.cpp")


def _percentile(part: int) -> Any:
    def cell(row: Row) -> str:
        own, ratio = row[f"p{part}_ms"], row[f"p{part}_ratio"]
        return "none" if own is None else f"{own:.0f} ms" + ("" if ratio is None else f" ({ratio:.2f} ×)")

    return cell


def _spread(row: Row) -> str:
    least, most = row["least_p50_ms"], row["most_p50_ms"]
    return "none" if least is None else f"{least:.0f} to {most:.0f} ms"


TABLE = Table(
    {
        "people": "{people}",
        "engine": "{engine}",
        "p50 (× llama.cpp)": _percentile(50),
        "p95": _percentile(95),
        "p99": _percentile(99),
        "p50 of each person": _spread,
        "answered": "{answered:.0%}",
        "tokens/s": "{tokens_per_s:.1f}",
        "memory": "{rss_mb:.0f} MB",
        "requests": "{requests}",
    },
    title="Key stroke to suggestion, of requests answered before the next key",
)


@click.command("serve")
@click.option("--engine", "engines", multiple=True, type=click.Choice(ENGINES), help="Only this one.  [default: both]")
@click.option("--ray", "on_ray", is_flag=True, help="Also guiderail with two replicas on Ray.")
@click.option("--people", multiple=True, type=click.IntRange(1, 256), default=(1, 4, 16, 64), show_default=True,
              help="Who type at the same time; repeat for several.")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(1), default=60, show_default=True,
              help="Of typing, for each engine and number of people.")  # fmt: skip
@click.option("--model", default="embedded", show_default=True, metavar="REF", help="Whose weights all run.")
@click.option("--package", default="boltons", show_default=True, help="The held-out package that is typed in.")
@click.option("--files", type=click.IntRange(1, 20), default=8, show_default=True, help="Of the package are typed in.")
@THREADS
@click.option("--rival", type=click.Path(exists=True, dir_okay=False, resolve_path=True), metavar="FILE.gguf",
              help="Another file of the model for llama.cpp.")  # fmt: skip
@seed("the files and the typing")
@quick("1 and 4 people, 6 seconds of typing: under a minute on two cores, without --ray")
@JSON
def bench_serve(
    engines: tuple[str, ...], on_ray: bool, people: tuple[int, ...], quick: bool, target: str | None, **given: Any
) -> None:
    """Milliseconds from key stroke to suggestion for people who share a server, beside llama.cpp's.

    Everybody types in a file of their own at true speed, and asks through /infill as llama.vim does; a key gives up the
    request before it. llama.cpp's server has as many slots as there are people.

    \b
    guiderail bench serve --people 16 --ray
    """
    import asyncio

    import torch

    from guiderail.benchmarks import serve as benchmark
    from guiderail.benchmarks.typing import sources

    wanted = list(engines or ENGINES)
    lines = _add_ray(wanted, benchmark.ON_RAY) if on_ray else []
    given["threads"] = given["threads"] or torch.get_num_threads()
    plan = benchmark.Plan(engines=tuple(dict.fromkeys(wanted)), people=tuple(sorted(set(people))), **given)
    plan = benchmark.quick(plan) if quick else plan
    with progress() as bar:
        rows = asyncio.run(benchmark.run(plan, sources(plan.typing), phases(bar)))
    conditions = {"libraries": ("xllamacpp", "gguf", "uvicorn", "ray"), "plan": asdict(plan)}
    report(target, {TABLE: rows}, {"typing": plan.seed}, lines=lines, **conditions)


def _add_ray(engines: list[str], name: str) -> list[str]:
    """Put guiderail on Ray before its rival, or give a line why it is left out."""
    from guiderail.serve.cluster import check_installed

    try:
        check_installed()
    except UsageError as error:
        return [f"{name}: left out ({error})"]
    engines.insert(len(engines) - (engines[-1] == "llama.cpp"), name)
    return []
