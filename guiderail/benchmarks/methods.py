"""Tokens a second of every method and drafter, beside plain greedy decoding in the same run."""

from __future__ import annotations

import inspect
import statistics
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from guiderail.decoding.drafting.growth import SHAPES
from guiderail.decoding.pipeline import DRAFT_MODEL
from guiderail.decoding.registry import known
from guiderail.engine.choice import chosen
from guiderail.engine.engine import Engine
from guiderail.engine.request import CompletionRequest
from guiderail.engine.suggestion import NOTHING, Suggestion
from guiderail.engine.time_limits import BATCH
from guiderail.errors import GuiderailError, UsageError
from guiderail.evaluation.study import ALONE
from guiderail.evaluation.worker import LOADED
from guiderail.settings import Settings
from guiderail.text.document import Document

GREEDY = "greedy"
AUTO = "auto drafter"
SAMPLED = "sampled"  # plain decoding at the temperature at which what needs one is run
TEMPERATURE = 0.8
_DRAFTERS = (AUTO, DRAFT_MODEL)


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


def ways(settings: Settings, plan: Plan, skipped: Callable[[str, str], None]) -> dict[str, Settings]:
    """The settings of each method and drafter that needs nothing but a cursor; `skipped` is told of the others."""
    loaded = {key: getattr(settings, key) for key in LOADED}
    plain = Settings(**loaded, until="tokens", max_tokens=plan.tokens, drafter="off", **ALONE)
    found = {GREEDY: plain, SAMPLED: replace(plain, temperature=TEMPERATURE)}
    for name, one in known().items():
        if name in {"plain", DRAFT_MODEL} or (plan.only and name not in plan.only):
            continue
        temperature = TEMPERATURE if one.load().metadata.sampling == "sampled" else 0.0
        own = {"drafter": name} if one.kind == "drafter" else {"method": name}
        way = replace(plain, temperature=temperature, **own)
        try:
            chosen(way)
            found[name] = way
        except UsageError as error:
            skipped(name, str(error))
    found[AUTO] = replace(plain, drafter="auto")
    return found | _with_draft_model(plain, settings.draft_model)


def _with_draft_model(plain: Settings, reference: str) -> dict[str, Settings]:
    """Each shape of its drafts, greedy and drawn, and the default drafters with it; nothing without a model."""
    if not reference:
        return {}
    found = {f"{AUTO} + {DRAFT_MODEL}": replace(plain, drafter="auto", draft_model=reference)}
    for shape in SHAPES:
        one = replace(plain, drafter=DRAFT_MODEL, draft_model=reference, parameters=f"{DRAFT_MODEL}.tree={shape}")
        found[f"{DRAFT_MODEL} {shape}"] = one
        found[f"{DRAFT_MODEL} {shape}, {SAMPLED}"] = replace(one, temperature=TEMPERATURE)
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


def run(settings: Settings, plan: Plan, skipped: Callable[[str, str], None]) -> Iterator[dict[str, Any]]:
    """One row for each way; all ways take turns in each round, so that a busy moment hits none of them alone.

    What a way keeps between requests begins anew with each round: nobody types the same text again and again.
    """
    choices, places = ways(settings, plan, skipped), cursors(plan.cursors)
    engine = Engine(BATCH)
    engine.load(choices[AUTO])
    for name in list(choices):
        try:  # also warms up, and measures what a wide pass costs
            _decode(engine, choices[name], *places[0])
        except GuiderailError as error:
            skipped(name, str(error))
            del choices[name]
    found: dict[str, list[list[Suggestion]]] = {name: [] for name in choices}
    order = deque(choices)
    for _ in range(plan.rounds):
        order.rotate()
        for name in order:
            engine.recover(choices[name])
            found[name].append([_decode(engine, choices[name], *place) for place in places])
    for name, rounds in found.items():
        row = _row(name, engine, rounds, found[GREEDY])
        yield row | {"same_text": None if choices[name].temperature else _same(rounds, found[GREEDY])}
    engine.unload()


def _decode(engine: Engine, way: Settings, document: Document, offset: int) -> Suggestion:
    found = engine.complete(CompletionRequest(document=document, offset=offset, settings=way, by_hand=True))
    return next(iter(found.suggestions), NOTHING)


def _rate(suggestions: Sequence[Suggestion]) -> float:
    """Tokens a second; a text's first token comes with the prompt."""
    return sum(_decoded(one) for one in suggestions) / max(sum(one.timings.decode_s for one in suggestions), 1e-9)


def _same(rounds: Sequence[Sequence[Suggestion]], others: Sequence[Sequence[Suggestion]]) -> float:
    """The share of texts whose tokens are the others'."""
    pairs = [pair for both in zip(rounds, others, strict=True) for pair in zip(*both, strict=True)]
    return sum(one.token_ids == other.token_ids for one, other in pairs) / len(pairs)


def _decoded(suggestion: Suggestion) -> int:
    """How many tokens followed the first; the one that ends the text is written too, though the text has none of it."""
    return max(len(suggestion.token_ids) - 1, 0) + (suggestion.finish == "eos")


def _row(name: str, engine: Engine, rounds: list[list[Suggestion]], greedy: list[list[Suggestion]]) -> dict[str, Any]:
    rates = [_rate(one) for one in rounds]
    every = [suggestion for one in rounds for suggestion in one]
    passes = sum(suggestion.passes for suggestion in every)
    return {
        "method": name,
        "kind": known()[name].kind if name in known() else "drafter" if name.startswith(_DRAFTERS) else "method",
        "model": engine.name,
        "tokens_per_s": max(rates),
        "ratio_to_greedy": statistics.median(a / _rate(b) for a, b in zip(rates, greedy, strict=True)),
        "accepted_per_pass": sum(_decoded(suggestion) for suggestion in every) / passes if passes else None,
        "device": engine.device,
    }
