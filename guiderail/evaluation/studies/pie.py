"""What patching a cache costs in quality: the next token and the next line after an edit, against a full encoding.

Every method starts from the keys and values of the text before the edit and follows the edit in its own way; then the
next token's distribution, the probability of the true line and the greedy line are compared. This looks at a part below
the engine, the cache: nothing is completed for a person here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from itertools import pairwise
from operator import itemgetter
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from guiderail.cache.diff import common_prefix
from guiderail.cache.live import LiveCache
from guiderail.cache.rotation import Refusal, Rotation, rotation_of
from guiderail.cache.selection import PIE, Effort
from guiderail.errors import GuiderailError
from guiderail.evaluation.charts import Chart, lines
from guiderail.evaluation.likelihood import begin_id
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.revisions import TASKS, Revision, draw
from guiderail.evaluation.row_file import RowFile
from guiderail.evaluation.scoring import edit_similarity, exact_match, first_line
from guiderail.evaluation.study import Plan as StudyPlan
from guiderail.evaluation.study import digest_of, once
from guiderail.evaluation.tables import grouped, means
from guiderail.evaluation.tasks import spread
from guiderail.evaluation.worker import Row

if TYPE_CHECKING:
    from guiderail.model.model import Model

FULL_ENCODING, PREFIX, CONFLICT = "full", "prefix cache", "conflict"
EFFORTS: Mapping[str, Effort] = {
    "pie": PIE,
    "halo 16": replace(PIE, halo=16),
    "halo 16, uses 64": replace(PIE, halo=16, tail=48, uses=64),
    "halo 16, uses 64, deviating 128": replace(PIE, halo=16, tail=48, uses=64, deviating=128),
    "near 64": Effort(near=64),
    "near 128": Effort(near=128),
    "near 256": Effort(near=256),
}
ALL = "all"
# Bounds, in tokens, of the classes of distance from the last change to the cursor.
DISTANCES = (64, 128, 256, 512, 1024, 2048, 4096)
AIM, NOTHING = 2e-4, 1e-9  # divergences, in nats: what is aimed at, and what is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(StudyPlan):
    """How much is measured.

    Parameters
    ----------
    samples
        Of each task and context, spread evenly over the packages; a file must be long enough to have one.
    java_samples
        Of each task and context in Java, from a JDK's sources where there are any.
    contexts
        Tokens before the cursor.
    chains, edits
        How many files are edited how often in a row, with and without healing.
    chain_tokens
        Tokens before the cursor there.
    max_tokens
        Of a greedy line.
    """

    counted = ("samples",)

    samples: int = 90
    java_samples: int = 10
    contexts: tuple[int, ...] = (2048, 3900)
    chains: int = 8
    edits: int = 100
    chain_tokens: int = 1024
    max_tokens: int = 32


FULL = Plan()
QUICK = Plan(packages=8, samples=4, java_samples=1, contexts=(1024,), chains=1, edits=10, max_tokens=24)


def revisions(
    model: Model, files: Mapping[str, list[SourceFile]], java: Sequence[SourceFile], plan: Plan
) -> list[Revision]:
    """The revisions of `plan`, from the packages' files and a JDK's, in random order: a part is a fair sample."""
    shares = spread(plan.samples, list(files))
    count = lru_cache(65536)(lambda line: len(model.tokenizer.encode(line)))
    wanted = [(own, shares[name]) for name, own in files.items() if own]
    wanted += [(list(java), plan.java_samples)] if java else []
    drawn = [
        revision
        for context in plan.contexts
        for task in TASKS
        for own, share in wanted
        for revision in draw(own, task, share, context, plan.seed, count)
    ]
    random.Random(plan.seed).shuffle(drawn)
    return drawn


def chains(model: Model, files: Mapping[str, list[SourceFile]], plan: Plan) -> list[Revision]:
    """One place in each of the first packages that have one: where many edits in a row begin."""
    found: list[Revision] = []
    for own in files.values():
        if own and len(found) < plan.chains:
            size = lambda line: len(model.tokenizer.encode(line))  # noqa: E731
            found += draw(own[:8], "insertion", 1, plan.chain_tokens, plan.seed, size)
    return found


def evaluate(
    model: Model,
    drawn: Sequence[Revision],
    plan: Plan,
    log: RowFile | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Iterator[Row]:
    """A row for every revision followed in every way.

    `distance` are the tokens between the last change and the cursor; `same_line` tells whether the greedy line is the
    full encoding's.

    Raises
    ------
    GuiderailError
        The model's keys cannot be rotated.
    """
    rotation = proved(model)
    for revision in drawn:
        following = partial(_follow, model, rotation, revision, plan)
        yield from once(log, (f"revision {digest_of(revision)}", model.info.name), following)
        advance()


def proved(model: Model) -> Rotation:
    """What rotates the model's keys; raises GuiderailError where nothing does."""
    rotation = rotation_of(model)
    if isinstance(rotation, Refusal):
        raise GuiderailError(f"{model.info.name} cannot be patched: {rotation.reason}", "Measure another model")
    return rotation


def _follow(model: Model, rotation: Rotation, revision: Revision, plan: Plan) -> list[Row]:
    begin = [begin_id(model.tokenizer)]
    before, after = (begin + model.tokenizer.encode(text) for text in (revision.before, revision.after))
    if max(len(before), len(after)) + plan.max_tokens > model.info.context_length:
        return []
    edited = LiveCache(model, policy="patch", rotation=rotation)
    edited.feed(before)
    truth = model.tokenizer.encode(revision.truth)
    found, full, line = list[Row](), None, ""
    for method, cache in _methods(edited, rotation, model.layers):
        began = time.perf_counter()
        report = cache.fit(after)
        seconds = time.perf_counter() - began
        assert report.logits is not None, "an encoding is not cancelled here"
        scores = report.logits.double().log_softmax(-1)
        logprob, answer = _logprob(cache, scores, truth), greedy_line(cache, scores, plan.max_tokens)
        if full is None:
            full, line = scores, answer
        found.append(
            {
                "method": method,
                "encoded": report.encoded,
                "stale": report.stale,
                "seconds": seconds,
                "kl": divergence(full, scores),
                "agrees": bool(full.argmax() == scores.argmax()),
                "truth_logprob": logprob,
                "same_line": answer == line,
                "answer": answer,
                "exact": exact_match(first_line(answer), revision.truth),
                "similarity": edit_similarity(first_line(answer), revision.truth),
            }
        )
    about = {key: getattr(revision, key) for key in ("language", "package", "context", "truth")}
    about |= {"kind": revision.task, "tokens": len(after), "distance": common_prefix(before[::-1], after[::-1])}
    return [about | row for row in found]


def divergence(reference: torch.Tensor, scores: torch.Tensor) -> float:
    """Kullback-Leibler divergence in nats of two distributions given as log-probabilities, float64 [vocabulary]."""
    return float((reference.exp() * (reference - scores)).sum())


def _methods(edited: LiveCache, rotation: Rotation, layers: int) -> Iterator[tuple[str, LiveCache]]:
    """The full encoding first: it is the reference."""
    yield FULL_ENCODING, LiveCache(edited.model)
    yield PREFIX, edited.copy(policy="exact")
    yield CONFLICT, edited.copy(effort=PIE, rotation=Rotation((None,) * layers, rotation.error))
    for name, effort in EFFORTS.items():
        yield name, edited.copy(effort=effort)


def _logprob(cache: LiveCache, scores: torch.Tensor, truth: Sequence[int]) -> float:
    """Log-probability of the true line."""
    after = cache.read(truth)[:-1].double().log_softmax(-1)
    wanted = torch.tensor(list(truth), device=scores.device)
    return float(torch.cat((scores[None], after)).gather(1, wanted[:, None]).sum())


def greedy_line(cache: LiveCache, scores: torch.Tensor, limit: int) -> str:
    """The line that greedy decoding writes; the cache is as before."""
    tokenizer, length, ids = cache.model.tokenizer, cache.length, list[int]()
    while len(ids) < limit:
        ids.append(int(scores[: len(tokenizer.token_bytes)].argmax()))
        data = tokenizer.token_bytes[ids[-1]]
        if not data or b"\n" in data:
            break
        logits = cache.feed(ids[-1:])
        assert logits is not None
        scores = logits
    cache.rollback(cache.length - length)
    return tokenizer.decode_bytes(ids).decode(errors="replace")


def rows(samples: Iterable[Row]) -> list[dict[str, Any]]:
    """One row for each language, task and method, and one of all tasks of a language together for each method."""
    samples = list(samples)
    methods = list(dict.fromkeys(row["method"] for row in samples))
    kinds = sorted(grouped(samples, itemgetter("language", "kind")), key=lambda of: (of[0] != "python", order(of[1])))
    every = [*kinds, *((language, ALL) for language in dict.fromkeys(language for language, _ in kinds))]
    return [
        _row(task, [row for row in samples if row["language"] == language and task in {row["kind"], ALL}], method)
        for language, task in every
        for method in methods
    ]


def order(task: str) -> int:
    """The row of a task in a table."""
    return list(TASKS).index(task) if task in TASKS else len(TASKS)


def _row(task: str, every: Sequence[Row], method: str) -> dict[str, Any]:
    found = [row for row in every if row["method"] == method]
    kl = np.array([row["kl"] for row in found])
    effort = PIE if method == CONFLICT else EFFORTS.get(method)
    mean = means(found, "exact", "similarity", "agrees", "same_line", "truth_logprob", "tokens", "encoded")
    return {
        "language": found[0]["language"],
        "task": task,
        "method": method,
        **(asdict(effort) if effort else dict.fromkeys(asdict(PIE))),
        "n": len(found),
        "em": mean["exact"],
        "es": mean["similarity"],
        "kl_mean": float(kl.mean()),
        **{f"kl_p{share}": float(np.percentile(kl, share)) for share in (50, 95, 99)},
        "top1": mean["agrees"],
        **{key: mean[key] for key in ("same_line", "truth_logprob", "tokens", "encoded")},
        "fit_s": median(row["seconds"] for row in found),
    }


def by_distance(samples: Iterable[Row]) -> list[dict[str, Any]]:
    """Mean divergence of each method by the tokens between the last change and the cursor."""
    table = []
    for method, own in grouped(samples, itemgetter("method")).items():
        for low, high in pairwise((0, *DISTANCES)):
            kl = [row["kl"] for row in own if low <= row["distance"] < high]
            if kl:
                table.append({"method": method, "from": low, "to": high, "n": len(kl), "kl_mean": fmean(kl)})
    return table


def picture(classes: Iterable[Row]) -> Chart:
    """Mean divergence of each method by the tokens between edit and cursor, as `by_distance` gives it."""
    series = {
        method: [((row["from"] + row["to"]) / 2, row["kl_mean"]) for row in own if row["kl_mean"] > NOTHING]
        for method, own in grouped(classes, itemgetter("method")).items()
    }
    series = {method: points for method, points in series.items() if points}
    across = [x for points in series.values() for x, _ in points] or [1.0]
    series[f"aim: {AIM:.0e}".replace("e-0", "e-")] = [(min(across), AIM), (max(across), AIM)]
    title = "Divergence after an edit"
    return lines(title, "tokens from the edit to the cursor", "KL to full encoding, nats", series, log=(True, True))
