"""``guiderail bench``: how fast, beside the rivals in the same run."""

import click

from guiderail.cli.bench_cache import cache
from guiderail.cli.bench_decode import decode
from guiderail.cli.bench_methods import methods
from guiderail.cli.bench_monitors import monitors
from guiderail.cli.bench_serve import bench_serve
from guiderail.cli.bench_teams import bench_teams
from guiderail.cli.bench_typing import bench_typing


@click.group()
def bench() -> None:
    """Measure how fast the suggestions are, beside the rivals in the same run."""


for command in (decode, cache, bench_typing, monitors, methods, bench_serve, bench_teams):
    bench.add_command(command)
