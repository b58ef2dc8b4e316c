"""Orders of a prompt, compared while real lines are typed: what is encoded again, how long it takes, what it completes.

psm shifts the whole suffix at every key stroke, spm and efim append; a model may fill holes in one better than in
another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from guiderail.cache.policy import Policy
from guiderail.engine.completer import Completer
from guiderail.engine.plan import CompletionPlan, Layout
from guiderail.errors import UsageError
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.scoring import edit_similarity, exact_match, first_line
from guiderail.evaluation.study import AnswerPlan
from guiderail.evaluation.tables import means
from guiderail.evaluation.tasks import spread
from guiderail.evaluation.typing_traces import State, draw
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.model.model import Model

LAYOUTS: tuple[Layout, ...] = ("psm", "spm", "efim")
POLICIES: tuple[Policy, ...] = ("exact", "patch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(AnswerPlan):
    """How much is measured; `traces` are files that are written in, spread evenly over the packages."""

    counted = ("traces",)

    traces: int = 60
    prompt_tokens: int = 2048
    max_tokens: int = 32


FULL = Plan()
QUICK = Plan(packages=8, traces=2, prompt_tokens=1024)


@dataclass(frozen=True, slots=True)
class Sample:
    """One state of a trace in one layout under one policy; the judged ones have an answer."""

    layout: str
    policy: str
    package: str
    tokens: int
    encoded: int
    rotated: int
    stale: int
    seconds: float
    exact: bool | None
    similarity: float | None


def traces(files: Mapping[str, list[SourceFile]], plan: Plan) -> list[tuple[str, list[State]]]:
    """The traces of `plan` with their packages."""
    shares = spread(plan.traces, list(files))
    return [(name, trace) for name, own in files.items() if own for trace in draw(own, shares[name], plan.seed)]


def known(model: Model) -> list[Layout]:
    """The layouts that can be compared for a model.

    Raises
    ------
    UsageError
        It has none but the plain prefix, or only one.
    """
    fim = model.info.fim
    if fim is None or fim.spm == "native":
        raise UsageError(f"{model.info.name} knows one layout only", "Measure another model")
    return [layout for layout in LAYOUTS if layout != "spm" or fim.spm]


def evaluate(
    model: Model, drawn: Sequence[tuple[str, list[State]]], plan: Plan, *, advance: Callable[[], None] = lambda: None
) -> Iterator[Sample]:
    """Every state of every trace in every layout, under every policy."""
    for layout in known(model):
        for policy in POLICIES:
            completer = Completer(model, prompt_tokens=plan.prompt_tokens, cache_policy=policy)
            for package, trace in drawn:
                completer.session.cache.clear()
                yield from _follow(completer, layout, policy, package, trace, plan)
                advance()


def _follow(
    completer: Completer, layout: Layout, policy: str, package: str, trace: Sequence[State], plan: Plan
) -> Iterator[Sample]:
    for number, state in enumerate(trace):
        request = CompletionPlan(
            document=Document(state.text, Path("file.py"), "python"),
            offset=state.offset,
            layout=layout,
            max_tokens=plan.max_tokens,
        )
        report = completer.encode(request)
        answer = completer.complete(request)[0].text if state.truth is not None else None
        if number == 0:  # a file that is opened is encoded whatever the layout
            continue
        yield Sample(
            layout=layout,
            policy=policy,
            package=package,
            tokens=report.length,
            encoded=report.encoded,
            rotated=report.rotated,
            stale=report.stale,
            seconds=sum(report.seconds.values()),
            exact=None if answer is None else exact_match(first_line(answer), state.truth or ""),
            similarity=None if answer is None else edit_similarity(first_line(answer), state.truth or ""),
        )


def rows(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """One row for each layout and policy."""
    table = []
    for layout, policy in dict.fromkeys((s.layout, s.policy) for s in samples):
        found = [s for s in samples if (s.layout, s.policy) == (layout, policy)]
        judged = [s for s in found if s.exact is not None]
        milliseconds = np.array([1000 * s.seconds for s in found])
        table.append(
            {
                "layout": layout,
                "policy": policy,
                "n": len(found),
                **means(found, "tokens", "encoded", "rotated", "stale"),
                "encoded_share": sum(s.encoded for s in found) / sum(s.tokens for s in found),
                "fit_ms_p50": float(np.percentile(milliseconds, 50)),
                "fit_ms_mean": float(milliseconds.mean()),
                "fit_ms_p95": float(np.percentile(milliseconds, 95)),
                "judged": len(judged),
                "em": fmean(bool(s.exact) for s in judged) if judged else None,
                "es": fmean(s.similarity or 0.0 for s in judged) if judged else None,
            }
        )
    return table
