"""Soundness of monitors: true code replayed, dot by dot, through the monitor and a real analyser.

Every held-out package stands in a project of its own with its dependencies installed. A position is the name behind a
dot; the rest of its line is hidden, as it is while a line is being written, and what stands below is kept. The monitor
either abstains, or its list holds the true name, or it forbids the truth.
"""

from __future__ import annotations

import ast
import os
import random
import subprocess
import sys
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any

from guiderail.errors import GuiderailError
from guiderail.evaluation.manifest import Package
from guiderail.evaluation.metrics import interval
from guiderail.evaluation.packages import SourceFile, cache_folder, wheel_in
from guiderail.monitors import dereference
from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.answers import NoAnswer
from guiderail.monitors.analysis.requests import MEMBERS
from guiderail.monitors.analysis.server import Server
from guiderail.monitors.monitor import Scene
from guiderail.text.document import Document

ANSWER_S = 60.0
INSTALL_S = 900


class EnvironmentFailedError(GuiderailError):
    """A package's dependencies cannot be installed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Parameters
    ----------
    packages
        Packages of the manifest, from its beginning; None is all.
    positions
        Dereferences of each package.
    seed
        Of their choice, and of the intervals.
    """

    packages: int | None
    positions: int
    seed: int = 0


QUICK, FULL = Plan(6, 40), Plan(None, 100)


@dataclass(frozen=True, slots=True)
class Position:
    """The name behind a dot in a true file: `text[start:end]`."""

    file: SourceFile
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the monitor made of a position.

    Parameters
    ----------
    triggered
        Whether it saw the dereference.
    abstained
        Why it did not constrain.
    allowed
        Whether the true name was legal, if it constrained.
    size
        Names in the list.
    wait_s
        Until the answer came.
    """

    package: str
    path: str
    start: int
    name: str
    triggered: bool
    abstained: str | None = None
    allowed: bool | None = None
    size: int = 0
    wait_s: float = 0.0


def positions(files: Sequence[SourceFile], count: int, seed: int) -> list[Position]:
    """`count` dereferences of one package, every one as likely as any other; in the order of the files."""
    places = [Position(file, start, end) for file in files for start, end in _attributes(file.text)]
    chosen = random.Random(f"{seed}:soundness:{files[0].package}").sample(places, min(count, len(places)))
    return sorted(chosen, key=lambda position: (position.file.path, position.start))


def _attributes(text: str) -> Iterator[tuple[int, int]]:
    """Where the names behind dots stand; those inside f-strings are left out (ast gives no columns for them)."""
    document = Document(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.end_lineno and node.end_col_offset is not None:
            line = document.line_text(node.end_lineno - 1).encode()
            end = document.line_start(node.end_lineno - 1) + len(line[: node.end_col_offset].decode(errors="replace"))
            start = end - len(node.attr)
            if text[start:end] == node.attr:
                yield start, end


def prepare(package: Package, files: Sequence[SourceFile], wheels: Path) -> Path:
    """The folder of a project that holds the package, with its dependencies in ``.venv``; made once.

    Raises
    ------
    EnvironmentFailedError
        pip fails.
    """
    root = cache_folder().parent / "soundness" / f"{package.name}-{package.version}"
    if not (root / ".ready").exists():
        root.mkdir(parents=True, exist_ok=True)
        wheel = wheel_in(wheels, package)
        if wheel is None:
            raise EnvironmentFailedError(f"{package.name} has not been downloaded", "Run the command again")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(root)
        _run("-m", "venv", "--without-pip", str(root / ".venv"))
        _run(
            "-m", "pip", "--python", str(root / ".venv"), "install", "--quiet", "--disable-pip-version-check",
            "--only-binary=:all:", f"{package.name}=={package.version}",
        )  # fmt: skip
        (root / ".ready").touch()
    for file in files:
        (root / file.path).write_text(file.text, encoding="utf-8")
    return root


def _run(*words: str) -> None:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EnvironmentFailedError(f"the environment cannot be made: {reason}", "Check network and pip")


@dataclass(frozen=True, slots=True)
class Run:
    """One analyser's work on one package."""

    verdicts: list[Verdict]
    start_s: float
    rss_mb: float


def replay(chosen: Sequence[Position], root: Path, server: Server, advance: Callable[[], None] = lambda: None) -> Run:
    """Ask about every position, one after the other."""
    analyser = ServerAnalyser(server, root)
    began = time.perf_counter()
    analyser.warm_up().result(ANSWER_S)
    started = time.perf_counter() - began
    verdicts = []
    try:
        for position in chosen:
            verdicts.append(_verdict(position, root, analyser))
            advance()
        return Run(verdicts, started, _memory_mb(analyser.pid))
    finally:
        analyser.stop()


def _verdict(position: Position, root: Path, analyser: ServerAnalyser) -> Verdict:
    file, text = position.file, position.file.text
    name = text[position.start : position.end]
    about = {"package": file.package, "path": file.path, "start": position.start, "name": name}
    line_end = text.find("\n", position.end)
    hidden = text[: position.start] + (text[line_end:] if line_end >= 0 else "")
    scene = Scene(Document(hidden, language="python"), position.start, root / file.path)
    found = scene.site("")
    if found is None:
        return Verdict(**about, triggered=False)
    began = time.perf_counter()
    try:
        members = analyser.ask(MEMBERS, scene.question("", *found)).result(ANSWER_S)
    except NoAnswer as error:
        return Verdict(**about, triggered=True, abstained=f"no answer: {error}", wait_s=time.perf_counter() - began)
    except LateError:
        return Verdict(**about, triggered=True, abstained="late", wait_s=ANSWER_S)
    wait_s = time.perf_counter() - began
    names, reason = dereference.judge(members, found[0])
    defines = found[0].may_define and text[position.end : position.end + 1] not in {"(", ".", "["}
    allowed = None if reason else name in names or defines
    return Verdict(**about, triggered=True, abstained=reason, allowed=allowed, size=len(members.items), wait_s=wait_s)


def _memory_mb(group: int | None) -> float:
    """Resident memory of a process group; 0 where the system does not say."""
    pages = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            pages += int(fields[21])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6 if pages else 0.0


def row(server: Server, runs: Sequence[Run], seed: int) -> dict[str, Any]:
    """The figures of one analyser; shares are of the triggers, intervals over packages."""
    verdicts = [verdict for run in runs for verdict in run.verdicts]
    triggers = [verdict for verdict in verdicts if verdict.triggered]
    constrained = [verdict for verdict in triggers if verdict.abstained is None]
    forbidden = [verdict for verdict in constrained if not verdict.allowed]
    waits = [1000 * verdict.wait_s for verdict in triggers]
    return {
        "language": "python",
        "monitor": "dereference",
        "analyser": server.name,
        "positions": len(verdicts),
        "triggers": len(triggers),
        "constrained": len(constrained),
        "truth_allowed": len(constrained) - len(forbidden),
        "truth_forbidden": len(forbidden),
        "abstained": dict(Counter(v.abstained for v in triggers if v.abstained).most_common()),
        "set_size": fmean(v.size for v in constrained) if constrained else None,
        "constrained_share": _share(triggers, lambda v: v.abstained is None, seed),
        "forbidden_share": _share(triggers, lambda v: v.allowed is False, seed),
        "answer_ms_p50": median(waits) if waits else None,
        "answer_ms_p95": quantiles(waits, n=20)[-1] if len(waits) > 1 else None,
        "start_ms": 1000 * median(run.start_s for run in runs) if runs else None,
        "rss_mb": max((run.rss_mb for run in runs), default=None),
        "packages": len(runs),
        "forbidden": [f"{v.path}:{v.start} {v.name}" for v in forbidden],
    }


def _share(verdicts: Sequence[Verdict], holds: Callable[[Verdict], bool], seed: int) -> Mapping[str, Any] | None:
    parts: dict[str, tuple[float, float]] = {}
    for verdict in verdicts:
        hits, total = parts.get(verdict.package, (0.0, 0.0))
        parts[verdict.package] = (hits + holds(verdict), total + 1)
    if not parts:
        return None
    hits, total = (sum(column) for column in zip(*parts.values(), strict=True))
    return {"share": hits / total, "interval": interval(parts, seed=seed)}
