"""``guiderail eval soundness``: how often monitors would forbid what authors wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.options import OUTPUT
from guiderail.cli.study import JSON, PACKAGES, Row, Study, Table, number, quick, seed, study
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from guiderail.evaluation.packages import SourceFile
    from guiderail.evaluation.studies.soundness import Run
    from guiderail.monitors.analysis.server import Server
    from guiderail.monitors.monitor import Monitor


def _share(row: Row, key: str) -> str:
    found = row[key]
    if not found:
        return "-"
    low, high = found["interval"]
    return f"{found['share']:.1%} [{low:.1%}, {high:.1%}]"


def _abstained(row: Row) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in row["abstained"].items())
    return f"{row['monitor']} ({row['analyser']}) abstained: {reasons or 'never'}"


TABLE = Table(
    {
        "monitor": "{monitor}",
        "analyser": "{analyser}",
        "triggers": "{triggers}",
        "constrained": partial(_share, key="constrained_share"),
        "truth forbidden": partial(_share, key="forbidden_share"),
        "set size": "{set_size:.0f}",
        "ms p50": "{answer_ms_p50:.0f}",
        "p95": "{answer_ms_p95:.0f}",
    },
    left=2,
    caption="shares of triggers, 95 % intervals over packages in brackets",
    width=150,
    note=_abstained,
)


@study(
    "soundness",
    TABLE,
    click.option(
        "--monitor", "watching", default="all", metavar="NAMES", help="Which monitors, with commas.  [default: all]"
    ),
    click.option(
        "--analyser", "names", multiple=True, metavar="NAME", help="Who is asked; may be given several times."
    ),
    quick("Fewer packages and positions, under three minutes on two cores"),
    number("Positions of each monitor in each package"),
    PACKAGES,
    click.option(
        "--skip", type=click.IntRange(0), default=0, help="Packages to leave out at the beginning.  [default: 0]"
    ),
    click.option(
        "--set",
        "chosen_set",
        type=click.Choice(["libraries", "applications"]),
        default="libraries",
        help="Held-out libraries, or whole applications from their source distributions.  [default: libraries]",
    ),
    click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A project instead."),
    click.option("--language", default="python", help="Of the packages or the project.  [default: python]"),
    seed("the positions"),
    click.option("--trust", type=OUTPUT, help="Enter how often each analyser was right into a table."),
    JSON,
    seeds=("positions", "bootstrap"),
    libraries=("pyrefly", "ty", "basedpyright", "jedi-language-server"),
)
def soundness(
    study: Study,
    watching: str,
    names: tuple[str, ...],
    skip: int,
    chosen_set: str,
    folder: Path | None,
    language: str,
    trust: str | None,
) -> list[dict[str, Any]]:
    """How often monitors would forbid what the author wrote.

    The first run installs each package's dependencies into the cache folder.

    \b
    guiderail eval soundness --quick
    guiderail eval soundness --set applications --quick
    guiderail eval soundness --analyser pyrefly --analyser ty --monitor dereference
    guiderail eval soundness --language typescript
    guiderail eval soundness --folder ~/project --language go
    """
    from guiderail.evaluation.studies import soundness as evaluation
    from guiderail.monitors.registry import chosen, for_language

    study.plan = replace(study.plan, skip=skip)
    monitors = for_language(chosen(watching), language)
    if not monitors:
        raise UsageError(f"no monitor of {watching!r} knows {language}", "Choose others with --monitor")
    servers = _servers(names, language)
    roots = _projects(study, chosen_set, folder, language)
    runs = _runs(study, servers, monitors, roots)
    rows = [
        evaluation.row(language, monitor.name, server.name, runs[server.name], study.plan.seed)
        for server in servers
        for monitor in monitors
    ]
    if trust:
        _write_trust(trust, evaluation.trust_rows(rows))
    return rows


def _servers(names: Iterable[str], language: str) -> list[Server]:
    from guiderail.monitors.analysis.servers import choose, server_named

    servers = [server_named(name) for name in names] or [s for s in [choose(language)] if s]
    missing = [server for server in servers if server.find() is None]
    if missing or not servers:
        how = f"Install one: {missing[0].obtain}" if missing else "See guiderail analysers ls"
        raise UsageError("there is no analyser to ask", how)
    return servers


def _projects(study: Study, chosen_set: str, folder: Path | None, language: str) -> dict[Path, Sequence[SourceFile]]:
    """The folders of what is measured, with the files."""
    from guiderail.evaluation import manifest
    from guiderail.evaluation.studies import soundness as evaluation

    if folder:
        return {folder.absolute(): evaluation.folder_files(folder, language)}
    sets = {"libraries": manifest.LIBRARIES, "applications": {"python": manifest.APPLICATIONS}}
    listed = sets[chosen_set].get(language, "")
    if not listed:
        raise UsageError(f"there are no {chosen_set} in {language} to measure", "Name a project with --folder")
    own = study.files(study.plan.skip, listed, language)
    return {root: own[name] for name, root in study.projects(own, listed).items()}


def _runs(
    study: Study, servers: Sequence[Server], monitors: Sequence[Monitor], roots: Mapping[Path, Sequence[SourceFile]]
) -> dict[str, list[Run]]:
    """What each analyser answered, project by project."""
    from guiderail.evaluation.studies import soundness as evaluation

    plan = study.plan
    runs: dict[str, list[Run]] = {server.name: [] for server in servers}
    advance = study.phase("asking", len(roots) * plan.positions * len(servers) * len(monitors))
    for root, files in roots.items():
        if files:
            found = [p for m in monitors for p in evaluation.positions(files, root, m, plan.positions, plan.seed)]
            for server in servers:
                runs[server.name].append(evaluation.replay(found, root, server, advance))
    return runs


def _write_trust(target: str, rows: Sequence[Mapping[str, Any]]) -> None:
    from guiderail.evaluation import measurement

    kept = [] if target == "-" else _kept(Path(target), rows)
    lines = ",\n".join(f"  {json.dumps(row)}" for row in [*kept, *rows])
    text = '{"rows": [\n' + lines + "\n]}\n"
    measurement.write_text(target, text)


def _kept(table: Path, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a table says of monitors and analysers that were not measured now."""
    measured = {(row["language"], row["monitor"], row["analyser"]) for row in rows}
    if not table.exists():
        return []
    known = json.loads(table.read_text(encoding="utf-8"))["rows"]
    return [row for row in known if (row["language"], row["monitor"], row["analyser"]) not in measured]
