"""Many edits in a row: whether the error that patches leave adds up, and what healing in between is worth."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from guiderail.cache.live import HEAL_CHUNK, LiveCache
from guiderail.cache.selection import PIE
from guiderail.evaluation.likelihood import begin_id
from guiderail.evaluation.revisions import NEAR, Revision
from guiderail.evaluation.studies.pie import Plan, divergence, greedy_line, proved
from guiderail.evaluation.tables import grouped, means
from guiderail.evaluation.worker import Row

if TYPE_CHECKING:
    from guiderail.model.model import Model

# Healed tokens between two edits: never, one chunk (a quick typist's pause), all.
HEALING: dict[str, int | None] = {"ours": 0, f"ours, {HEAL_CHUNK} healed an edit": HEAL_CHUNK, "ours, healed": None}
PIE_METHOD = "pie"
LOOKS = 4  # how often in a chain, beside after the first edit, the caches are compared


def texts(revision: Revision, edits: int, seed: int) -> Iterator[str]:
    """The window of a revision, and the texts after each of `edits` random edits of a line, before its end.

    A line is taken out, comes back elsewhere, or changes places with its neighbour: the length stays about the same.
    """
    rng = random.Random(f"{seed}:{revision.path}")
    lines = revision.after.splitlines(keepends=True)
    taken: list[str] = []
    yield revision.after
    for _ in range(edits):
        at = rng.randrange(1, len(lines) - NEAR)
        if taken and rng.random() < 0.5:
            lines.insert(at, taken.pop())
        elif rng.random() < 0.7:
            taken.append(lines.pop(at))
        else:
            lines[at - 1 : at + 1] = lines[at - 1 : at + 1][::-1]
        yield "".join(lines)


def evaluate(
    model: Model, chains: Sequence[Revision], plan: Plan, *, advance: Callable[[], None] = lambda: None
) -> Iterator[Row]:
    """Every chain followed with every way of healing, and by PIE as published, and compared with full encodings."""
    rotation = proved(model)
    begin = [begin_id(model.tokenizer)]
    for revision in chains:
        ways = {name: LiveCache(model, policy="patch", rotation=rotation) for name in HEALING}
        ways[PIE_METHOD] = LiveCache(model, policy="patch", rotation=rotation, effort=PIE)
        for number, text in enumerate(texts(revision, plan.edits, plan.seed)):
            ids = begin + model.tokenizer.encode(text)
            scores = {name: cache.fit(ids).logits for name, cache in ways.items()}
            if number == 1 or (number and number % max(plan.edits // LOOKS, 1) == 0):
                yield from _compared(revision, number, ways, scores, plan)
            for name, budget in HEALING.items():
                ways[name].heal(budget)
            advance()


def _compared(
    revision: Revision, number: int, ways: dict[str, LiveCache], scores: dict[str, Any], plan: Plan
) -> Iterator[Row]:
    first = next(iter(ways.values()))
    full = LiveCache(first.model)
    reference = full.fit(first.ids).logits
    assert reference is not None, "an encoding is not cancelled here"
    reference = reference.double().log_softmax(-1)
    line = greedy_line(full, reference, plan.max_tokens)
    for name, cache in ways.items():
        mine = scores[name].double().log_softmax(-1)
        yield {
            "package": revision.package,
            "method": name,
            "edits": number,
            "stale": sum(not cache.is_exact_at(i) for i in range(cache.length)),
            "kl": divergence(reference, mine),
            "agrees": bool(reference.argmax() == mine.argmax()),
            "same_line": greedy_line(cache, mine, plan.max_tokens) == line,
        }


def rows(links: Iterable[Row]) -> list[dict[str, Any]]:
    """One row for each method and number of edits."""
    table = []
    for (method, edits), found in grouped(links, itemgetter("method", "edits")).items():
        mean = means(found, "agrees", "same_line", "stale", "kl")
        table.append(
            {
                "task": "edits in a row",
                "method": method,
                "edits": edits,
                "n": len(found),
                "kl_mean": mean["kl"],
                "kl_p99": float(np.percentile([row["kl"] for row in found], 99)),
                "top1": mean["agrees"],
                "same_line": mean["same_line"],
                "stale": mean["stale"],
            }
        )
    return table
