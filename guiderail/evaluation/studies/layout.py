"""Orders of a prompt, compared while real lines are typed: what is encoded again, how long it takes, what it completes.

psm shifts the whole suffix at every key stroke, spm and efim append; a model may fill holes in one better than in
another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from operator import itemgetter
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from guiderail.choices import CachePolicy, Layout
from guiderail.engine.engine import Engine
from guiderail.engine.request import CompletionRequest
from guiderail.errors import UsageError
from guiderail.evaluation.config import GREEDY, Config, Settings, System
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.row_file import RowFile
from guiderail.evaluation.scoring import edit_similarity, exact_match, first_line
from guiderail.evaluation.study import AnswerPlan, digest_of, once
from guiderail.evaluation.tables import grouped, means
from guiderail.evaluation.tasks import spread
from guiderail.evaluation.typing_traces import State, draw
from guiderail.evaluation.worker import Row, Worker
from guiderail.model.info import ModelInfo
from guiderail.text.document import Document

LAYOUTS: tuple[Layout, ...] = ("psm", "spm", "efim")
POLICIES: tuple[CachePolicy, ...] = ("exact", "patch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(AnswerPlan):
    """How much is measured; `traces` are files that are written in, spread evenly over the packages."""

    counted = ("traces",)

    traces: int = 60
    prompt_tokens: int = 2048
    max_tokens: int = 32


FULL = Plan()
QUICK = Plan(packages=8, traces=2, prompt_tokens=1024)


def traces(files: Mapping[str, list[SourceFile]], plan: Plan) -> list[tuple[str, list[State]]]:
    """The traces of `plan` with their packages."""
    shares = spread(plan.traces, list(files))
    return [(name, trace) for name, own in files.items() if own for trace in draw(own, shares[name], plan.seed)]


def known(info: ModelInfo) -> list[Layout]:
    """The layouts that can be compared for a model.

    Raises
    ------
    UsageError
        It has none but the plain prefix, or only one.
    """
    fim = info.fim
    if fim is None or fim.spm == "native":
        raise UsageError(f"{info.name} knows one layout only", "Measure another model")
    return [layout for layout in LAYOUTS if layout != "spm" or fim.spm]


def evaluate(
    worker: Worker,
    config: Config,
    drawn: Sequence[tuple[str, list[State]]],
    log: RowFile | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Iterator[Row]:
    """Every state of every trace in every layout, under every policy."""
    shared = replace(System(config.models[0], GREEDY).settings(config.settings), until="line", cache_policy=POLICIES[0])
    for policy, layout in product(POLICIES, known(worker.engine(shared).model.info)):
        settings = replace(shared, layout=layout, cache_policy=policy)
        engine = worker.engine(settings)
        for package, trace in drawn:
            about = {"layout": layout, "policy": policy, "package": package}
            unit = f"{package}:{digest_of(trace)}", f"{layout}, {policy}"
            yield from (row | about for row in once(log, unit, partial(_follow, engine, settings, trace)))
            advance()


def _follow(engine: Engine, settings: Settings, trace: Sequence[State]) -> list[Row]:
    """A row for each state but the first: a file that is opened is encoded whatever the layout."""
    engine.cache.clear()
    return [_state(engine, settings, state) for state in trace][1:]


def _state(engine: Engine, settings: Settings, state: State) -> Row:
    """What the engine had to encode, and how well it completed where the truth is known."""
    own = settings if state.truth is not None else replace(settings, max_tokens=1)  # the prompt alone is wanted
    document = Document(state.text, Path("file.py"), "python")
    request = CompletionRequest(document=document, offset=state.offset, settings=own)
    found = next(iter(engine.complete(request).suggestions), None)
    report, row = engine.report, dict[str, Any]()
    if state.truth is not None:
        answer = first_line(found.text) if found else ""
        row["exact"] = exact_match(answer, state.truth)
        row["similarity"] = edit_similarity(answer, state.truth)
    encoding = {"tokens": report.length, "encoded": report.encoded, "rotated": report.rotated, "stale": report.stale}
    return {**encoding, "encode_s": sum(report.seconds.values()), **row}


def rows(samples: Iterable[Row]) -> list[dict[str, Any]]:
    """One row for each layout and policy, those of a layout together."""
    ways = grouped(samples, itemgetter("layout", "policy"))
    return [_row(way[0], way[1], ways[way]) for way in sorted(ways, key=lambda way: LAYOUTS.index(way[0]))]


def _row(layout: Layout, policy: CachePolicy, found: Sequence[Row]) -> dict[str, Any]:
    judged = [row for row in found if "exact" in row]
    milliseconds = np.array([1000 * row["encode_s"] for row in found])
    return {
        "layout": layout,
        "policy": policy,
        "n": len(found),
        **means(found, "tokens", "encoded", "rotated", "stale"),
        "encoded_share": sum(row["encoded"] for row in found) / sum(row["tokens"] for row in found),
        "fit_ms_p50": float(np.percentile(milliseconds, 50)),
        "fit_ms_mean": float(milliseconds.mean()),
        "fit_ms_p95": float(np.percentile(milliseconds, 95)),
        "judged": len(judged),
        "em": fmean(row["exact"] for row in judged) if judged else None,
        "es": fmean(row["similarity"] for row in judged) if judged else None,
    }
