"""``guiderail bench teams``: how many replicas so many people need, by a simulation."""

from __future__ import annotations

from dataclasses import asdict

import click

from guiderail.cli.bench_options import report
from guiderail.cli.study import JSON, Table, seed

TABLE = Table(
    {
        "people": "{people}",
        "replicas": "{replicas}",
        "router": "{route}",
        "p50": "{p50_ms:.0f} ms",
        "p95": "{p95_ms:.0f} ms",
        "p99": "{p99_ms:.0f} ms",
        "answered": "{answered:.0%}",
        "cache found": "{warm:.0%}",
        "busy": "{busy:.0%}",
    },
    title="Replicas for people who type at the same time (simulated)",
)


@click.command("teams")
@click.option("--warm", multiple=True, type=click.FloatRange(0, min_open=True), required=True, metavar="SECONDS",
              help="Of a request whose document's keys and values are there; repeat for more.")  # fmt: skip
@click.option("--cold", multiple=True, type=click.FloatRange(0, min_open=True), required=True, metavar="SECONDS",
              help="The same where they are not.")  # fmt: skip
@click.option("--people", multiple=True, type=click.IntRange(1, 20_000), default=(16, 100, 1000), show_default=True,
              help="Who type at the same time; repeat for several.")  # fmt: skip
@click.option("--within", default=0.4, show_default=True, help="Seconds in which 95 of 100 answers must come.")
@click.option("--kept", default=64, show_default=True, help="Documents for which a replica has memory.")
@click.option("--seconds", default=20.0, show_default=True, help="Of typing.")
@seed("the typing and the costs")
@JSON
def bench_teams(
    warm: tuple[float, ...],
    cold: tuple[float, ...],
    people: tuple[int, ...],
    within: float,
    kept: int,
    seconds: float,
    seed: int,
    target: str | None,
) -> None:
    """Simulate people who share replicas of a model: what they wait for, and how many replicas are enough.

    For each number of people the least number of replicas is looked for, and what other ways to choose a replica would
    give with as many. The costs of a request are measured elsewhere; docs/teams.md says how.

    \b
    guiderail bench teams --warm 0.05 --cold 0.4
    """
    from dataclasses import replace

    from guiderail.benchmarks import teams

    rows, plan = [], teams.Plan(people=1, replicas=1, warm=warm, cold=cold, kept=kept, seconds=seconds, seed=seed)
    for number in people:
        best = teams.enough(replace(plan, people=number), within)
        others = (replace(plan, people=number, replicas=best["replicas"], route=one) for one in teams.ROUTES[1:])
        rows += [best, *map(teams.simulate, others)]
    report(target, {TABLE: rows}, {"teams": seed}, plan=asdict(plan))
