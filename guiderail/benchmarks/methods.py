"""Tokens a second of every method and drafter, beside plain greedy decoding in the same run."""

from __future__ import annotations

import inspect
import statistics
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guiderail.decoding.drafting.pass_cost import PassCosts
from guiderail.decoding.pipeline import Pipeline, build_pipeline
from guiderail.decoding.registry import known
from guiderail.decoding.sampling import Sampling
from guiderail.engine.completer import Completer
from guiderail.engine.request import CompletionRequest
from guiderail.engine.suggestion import Suggestion
from guiderail.errors import GuiderailError, UsageError
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.model.model import Model

GREEDY = "greedy"
AUTO = "auto drafter"
SAMPLED = "sampled"  # plain decoding at the temperature at which what needs one is run


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is run.

    Parameters
    ----------
    cursors
        Places in the standard library's modules.
    tokens
        Decoded at each.
    rounds
        Every way decodes at all cursors so often; the best round counts.
    only
        Names of methods and drafters; all by default.
    """

    cursors: int = 12
    tokens: int = 48
    rounds: int = 3
    only: tuple[str, ...] = ()


QUICK = Plan(cursors=4, tokens=24, rounds=2)


def ways(plan: Plan, skipped: Callable[[str, str], None]) -> dict[str, tuple[Pipeline, Sampling]]:
    """The pipeline of each method and drafter that needs nothing but a cursor; `skipped` is told of the others."""
    found = {
        GREEDY: (build_pipeline("plain"), Sampling()),
        SAMPLED: (build_pipeline("plain", greedy=False), Sampling(temperature=0.8)),
    }
    for name, one in known().items():
        if name == "plain" or (plan.only and name not in plan.only):
            continue
        metadata = one.load().metadata
        sampling = Sampling(temperature=0.8) if metadata.sampling == "sampled" else Sampling()
        try:
            if one.kind == "drafter":
                found[name] = build_pipeline("plain", drafter=name), sampling
            else:
                found[name] = build_pipeline(name, greedy=sampling.greedy), sampling
        except UsageError as error:
            skipped(name, str(error))
    found[AUTO] = build_pipeline("plain", drafter="auto"), Sampling()
    return found


def cursors(count: int) -> list[tuple[Document, int]]:
    """Starts of lines inside functions of the standard library, the same everywhere for one version of Python."""
    import heapq
    import json.decoder
    import textwrap

    found = []
    sources = [inspect.getsource(module) for module in (textwrap, json.decoder, heapq)]
    for index in range(count):
        text = sources[index % len(sources)]
        lines = text.splitlines(keepends=True)
        line = len(lines) * (index + 1) // (count + 1)
        while not lines[line].startswith("        "):
            line = (line + 1) % len(lines)
        found.append((Document(text, language="python"), sum(map(len, lines[:line])) + 8))
    return found


def run(model: Model, plan: Plan, skipped: Callable[[str, str], None]) -> Iterator[dict[str, Any]]:
    """One row for each way; all ways take turns at each cursor, so that a busy moment hits none of them alone.

    What a way keeps between requests begins anew with each round: nobody types the same text again and again.
    """
    completer, chosen, places = Completer(model), ways(plan, skipped), cursors(plan.cursors)
    for name in list(chosen):
        try:  # also warms up, and measures what a wide pass costs
            _decode(completer, *chosen[name], *places[0], plan)
        except GuiderailError as error:
            skipped(name, str(error))
            del chosen[name]
    found: dict[str, list[list[Suggestion]]] = {name: [] for name in chosen}
    order = deque(chosen)
    for _ in range(plan.rounds):
        stores: dict[str, dict] = {name: {PassCosts: completer.store.get(PassCosts)} for name in chosen}
        for round_of in found.values():
            round_of.append([])
        for place in places:
            order.rotate()  # whoever comes first at a cursor finds its caches cold
            for name in order:
                way = chosen[name]
                completer.store = stores[name] if stores[name][PassCosts] else {}
                found[name][-1].append(_decode(completer, *way, *place, plan))
    for name, rounds in found.items():
        yield _row(name, model, rounds, found[GREEDY])


def _decode(
    completer: Completer, way: Pipeline, sampling: Sampling, document: Document, offset: int, plan: Plan
) -> Suggestion:
    request = CompletionRequest(
        document=document, offset=offset, until="tokens", max_tokens=plan.tokens, sampling=sampling, pipeline=way
    )
    return completer.complete(request)[0]


def _rate(suggestions: Sequence[Suggestion]) -> float:
    """Tokens a second; a text's first token comes with the prompt."""
    return sum(_decoded(one) for one in suggestions) / max(sum(one.timings.decode_s for one in suggestions), 1e-9)


def _decoded(suggestion: Suggestion) -> int:
    return max(len(suggestion.token_ids) - 1, 0)


def _row(name: str, model: Model, rounds: list[list[Suggestion]], greedy: list[list[Suggestion]]) -> dict[str, Any]:
    rates = [_rate(one) for one in rounds]
    every = [suggestion for one in rounds for suggestion in one]
    passes = sum(suggestion.passes for suggestion in every)
    return {
        "method": name,
        "kind": "drafter" if name == AUTO else known()[name].kind if name in known() else "method",
        "model": model.info.name,
        "tokens_per_s": max(rates),
        "ratio_to_greedy": statistics.median(a / _rate(b) for a, b in zip(rates, greedy, strict=True)),
        "accepted_per_pass": sum(_decoded(suggestion) for suggestion in every) / passes if passes else None,
        "device": str(model.device),
    }
