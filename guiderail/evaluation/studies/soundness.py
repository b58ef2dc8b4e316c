"""Soundness of monitors: true code replayed, trigger by trigger, through each monitor and a real analyser.

Every held-out package is laid out as a project with its dependencies installed. A position is a place that triggers the
monitor; the rest of its line is hidden, as it is while a line is being written, and what follows the line is kept. The
monitor either abstains, or what the author wrote is legal, or it forbids the truth.
"""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any

from guiderail.evaluation import study
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.tables import interval, parts, ratio
from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.answers import NoAnswer
from guiderail.monitors.analysis.memory import group_mb
from guiderail.monitors.analysis.server import Server
from guiderail.monitors.cursor_context import CursorContext
from guiderail.monitors.monitor import KNOWN, Monitor, Trigger
from guiderail.monitors.runtime.sources import read_project
from guiderail.text.document import Document
from guiderail.text.language import language_of

ANSWER_S = 60.0
RESTART_S, RESTART_POLL_S = 125.0, 0.2
MOST_TRIED = 5_000  # places of a package that are looked at for triggers of one monitor
SKIPPED = frozenset({"node_modules", ".venv", "venv", ".git", "target", "build", "dist", "vendor"})
SHOWN = 40  # characters of the truth that a report repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(study.Plan):
    """How much is measured.

    Parameters
    ----------
    positions
        Triggers of each monitor in each package.
    skip
        Packages of the manifest that are left out at its beginning.
    """

    counted = ("positions",)

    positions: int = 100
    skip: int = 0


FULL, QUICK = Plan(), Plan(packages=4, positions=10)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a true file at which a monitor is triggered, and what it asks there."""

    file: SourceFile
    offset: int
    monitor: str
    trigger: Trigger

    @property
    def truth(self) -> str:
        """What the author wrote there."""
        return self.file.text[self.offset :]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a monitor made of a position.

    Parameters
    ----------
    truth
        The beginning of what the author wrote.
    abstained
        Why the answer is not to be relied on; None if nothing speaks against it.
    right
        Whether the truth was legal by the answer, whether or not it is relied on; None if there was none.
    size
        Choices that were legal.
    wait_s
        Until the answer came.
    causes
        What makes the names unknown (`Restriction.causes`).
    """

    package: str
    path: str
    offset: int
    monitor: str
    truth: str
    abstained: str | None = None
    right: bool | None = None
    size: int = 0
    wait_s: float = 0.0
    causes: frozenset[str] = frozenset()


def positions(files: Sequence[SourceFile], root: Path, monitor: Monitor, count: int, seed: int) -> list[Position]:
    """Up to `count` places of one package that trigger a monitor, every one as likely as any other.

    The rest of the line is hidden, as it is while a line is being written, and what follows the line is kept.
    """
    ends = re.compile(f"[{re.escape(monitor.endings.decode())}](?=.)", re.DOTALL)
    places = [(file, found.end()) for file in files for found in ends.finditer(file.text)]
    random.Random(f"{seed}:soundness:{monitor.name}:{files[0].package}").shuffle(places)
    found = []
    for file, offset in places[:MOST_TRIED]:
        if len(found) == count:
            break
        trigger = _trigger(file, offset, root, monitor)
        if trigger is not None:
            found.append(Position(file, offset, monitor.name, trigger))
    return sorted(found, key=lambda position: (position.file.path, position.offset))


def folder_files(folder: Path, language: str) -> list[SourceFile]:
    """The files of a project that are in a language, without those that tools install."""
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and language_of(path) == language and not any(part in SKIPPED for part in inside.parts):
            with contextlib.suppress(UnicodeDecodeError):
                found.append(SourceFile(folder.name, inside.as_posix(), path.read_text(encoding="utf-8")))
    return found


def _trigger(file: SourceFile, offset: int, root: Path, monitor: Monitor) -> Trigger | None:
    text, path = file.text, root / file.path
    line_end = text.find("\n", offset)
    hidden = text[:offset] + (text[line_end:] if line_end >= 0 else "")
    language = language_of(path)
    if language not in monitor.languages:
        return None
    return monitor.trigger(CursorContext(Document(hidden, language=language), offset, path, root=root).snapshot())


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
    read_project(root).result(ANSWER_S)  # an editor has been open for longer
    started = time.perf_counter() - began
    verdicts = []
    try:
        for position in chosen:
            verdicts.append(_verdict(position, analyser))
            advance()
        return Run(verdicts, started, group_mb(analyser.pid))
    finally:
        analyser.stop()


def _verdict(position: Position, analyser: ServerAnalyser) -> Verdict:
    file, trigger, truth = position.file, position.trigger, position.truth
    shown = truth[:SHOWN].splitlines()[0] if truth[:1] not in "\r\n" else ""
    verdict = Verdict(file.package, file.path, position.offset, position.monitor, shown)
    began = time.perf_counter()
    try:
        restriction = trigger.interpret(_answer(trigger, analyser))
    except NoAnswer as error:
        return replace(verdict, abstained=f"no answer: {error}", wait_s=time.perf_counter() - began)
    except LateError:
        return replace(verdict, abstained="late", wait_s=ANSWER_S)
    wait_s = time.perf_counter() - began
    right = restriction.allows(truth) if restriction.legal is not None else None
    about = {"abstained": restriction.reason, "size": restriction.size, "causes": restriction.causes}
    return replace(verdict, right=right, wait_s=wait_s, **about)


def _answer(trigger: Trigger, analyser: ServerAnalyser) -> Any:
    """The answer of an analyser that is given the time to start anew after it was ended as hung."""
    until = time.monotonic() + RESTART_S
    while True:
        try:
            return trigger.ask(analyser).result(ANSWER_S)
        except NoAnswer as error:
            if str(error) != "restarting" or time.monotonic() > until:
                raise
            time.sleep(RESTART_POLL_S)


def row(language: str, monitor: str, analyser: str, runs: Sequence[Run], seed: int) -> dict[str, Any]:
    """The figures of one monitor with one analyser; shares are of the triggers, intervals over packages."""
    verdicts = [verdict for run in runs for verdict in run.verdicts if verdict.monitor == monitor]
    constrained = [verdict for verdict in verdicts if verdict.abstained is None]
    forbidden = [verdict for verdict in constrained if verdict.right is False]
    waits = [1000 * verdict.wait_s for verdict in verdicts]
    return {
        "language": language,
        "monitor": monitor,
        "analyser": analyser,
        "triggers": len(verdicts),
        "constrained": len(constrained),
        "truth_allowed": len(constrained) - len(forbidden),
        "truth_forbidden": len(forbidden),
        "abstained": dict(Counter(v.abstained for v in verdicts if v.abstained).most_common()),
        "set_size": fmean(v.size for v in constrained) if constrained else None,
        "constrained_share": _share(verdicts, lambda v: v.abstained is None, seed),
        "forbidden_share": _share(verdicts, lambda v: v.abstained is None and v.right is False, seed),
        "answer_ms_p50": median(waits) if waits else None,
        "answer_ms_p95": quantiles(waits, n=20)[-1] if len(waits) > 1 else None,
        "start_ms": 1000 * median(run.start_s for run in runs) if runs else None,
        "rss_mb": max((run.rss_mb for run in runs), default=None),
        "packages": len(runs),
        "situations": _situations(verdicts),
        "causes": _causes(verdicts),
        "forbidden": [f"{v.path}:{v.offset} {v.truth}" for v in forbidden],
    }


def _situations(verdicts: Sequence[Verdict]) -> dict[str, tuple[int, int]]:
    """How often the answer was right, of how many, by what spoke against relying on it."""
    answered = [verdict for verdict in verdicts if verdict.right is not None]
    right = Counter(v.abstained or KNOWN for v in answered if v.right)
    return {name: (right[name], of) for name, of in Counter(v.abstained or KNOWN for v in answered).items()}


def _causes(verdicts: Sequence[Verdict]) -> dict[str, tuple[int, int]]:
    """How often an answer was right that was not relied on, of how many, by each thing that makes names unknown."""
    found = [(cause, verdict.right) for verdict in verdicts if verdict.abstained for cause in verdict.causes]
    right = Counter(cause for cause, is_right in found if is_right)
    return {name: (right[name], of) for name, of in Counter(cause for cause, _ in found).most_common()}


def trust_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The table of `guiderail.monitors.trust`, from the figures of all monitors and analysers."""
    return [
        {key: row[key] for key in ("language", "monitor", "analyser")}
        | {"situation": situation, "right": right, "of": of}
        for row in rows
        for situation, (right, of) in sorted(row["situations"].items())
    ]


def _share(verdicts: Sequence[Verdict], holds: Callable[[Verdict], bool], seed: int) -> Mapping[str, Any] | None:
    found = parts(verdicts, lambda verdict: (float(holds(verdict)), 1.0), attrgetter("package"))
    return {"share": ratio(found), "interval": interval(found, seed=seed)} if found else None
