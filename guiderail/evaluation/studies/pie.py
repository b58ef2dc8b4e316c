"""What patching a cache costs in quality: the next token and the next line after an edit, against a full encoding.

Every method starts from the keys and values of the text before the edit and follows the edit in its own way; then the
next token's distribution, the probability of the true line and the greedy line are compared.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from guiderail.cache.diff import common_prefix
from guiderail.cache.live import LiveCache
from guiderail.cache.rotation import Refusal, Rotation, rotation_of
from guiderail.cache.selection import PIE, Effort
from guiderail.errors import GuiderailError
from guiderail.evaluation import study
from guiderail.evaluation.likelihood import begin_id
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.revisions import TASKS, Revision, draw
from guiderail.evaluation.scoring import edit_similarity, exact_match, first_line
from guiderail.evaluation.tables import means
from guiderail.evaluation.tasks import spread

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(study.Plan):
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


@dataclass(frozen=True, slots=True)
class Sample:
    """One revision followed in one way.

    `revision` is its number, `distance` the tokens between the last change and the cursor, `same_line` whether the
    greedy line is the full encoding's.
    """

    revision: int
    language: str
    task: str
    package: str
    context: int
    method: str
    tokens: int
    distance: int
    encoded: int
    stale: int
    seconds: float
    kl: float
    agrees: bool
    truth_logprob: float
    same_line: bool
    answer: str
    truth: str


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
    *,
    done: Collection[Sample] = (),
    advance: Callable[[], None] = lambda: None,
) -> Iterator[list[Sample]]:
    """Every revision followed in every way, but for those that are `done`; one list a revision.

    Raises
    ------
    GuiderailError
        The model's keys cannot be rotated.
    """
    rotation = proved(model)
    known = {sample.revision for sample in done}
    for number, revision in enumerate(drawn):
        if number not in known:
            yield list(_follow(model, rotation, number, revision, plan))
        advance()


def proved(model: Model) -> Rotation:
    """What rotates the model's keys; raises GuiderailError where nothing does."""
    rotation = rotation_of(model)
    if isinstance(rotation, Refusal):
        raise GuiderailError(f"{model.info.name} cannot be patched: {rotation.reason}", "Measure another model")
    return rotation


def _follow(model: Model, rotation: Rotation, number: int, revision: Revision, plan: Plan) -> Iterator[Sample]:
    begin = [begin_id(model.tokenizer)]
    before, after = (begin + model.tokenizer.encode(text) for text in (revision.before, revision.after))
    if max(len(before), len(after)) + plan.max_tokens > model.info.context_length:
        return
    edited = LiveCache(model, policy="patch", rotation=rotation)
    edited.feed(before)
    truth = model.tokenizer.encode(revision.truth)
    distance = common_prefix(before[::-1], after[::-1])
    reference: torch.Tensor | None = None
    line = ""
    for method, cache in _methods(edited, rotation, model.layers):
        began = time.perf_counter()
        report = cache.fit(after)
        seconds = time.perf_counter() - began
        assert report.logits is not None, "an encoding is not cancelled here"
        scores = report.logits.double().log_softmax(-1)
        logprob = _logprob(cache, scores, truth)
        answer = greedy_line(cache, scores, plan.max_tokens)
        if reference is None:
            reference, line = scores, answer
        yield Sample(
            revision=number,
            language=revision.language,
            task=revision.task,
            package=revision.package,
            context=revision.context,
            method=method,
            tokens=len(after),
            distance=distance,
            encoded=report.encoded,
            stale=report.stale,
            seconds=seconds,
            kl=divergence(reference, scores),
            agrees=bool(reference.argmax() == scores.argmax()),
            truth_logprob=logprob,
            same_line=answer == line,
            answer=answer,
            truth=revision.truth,
        )


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


def rows(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """One row for each language, task and method, and one of all tasks of a language together for each method."""
    methods = list(dict.fromkeys(s.method for s in samples))
    kinds = sorted({(s.language, s.task) for s in samples}, key=lambda kind: (kind[0] != "python", order(kind[1])))
    every = [*kinds, *((language, ALL) for language in dict.fromkeys(language for language, _ in kinds))]
    return [
        _row(language, task, method, [s for s in samples if s.language == language and task in {s.task, ALL}])
        for language, task in every
        for method in methods
    ]


def order(task: str) -> int:
    """The row of a task in a table."""
    return list(TASKS).index(task) if task in TASKS else len(TASKS)


def _row(language: str, task: str, method: str, every: Sequence[Sample]) -> dict[str, Any]:
    found = [s for s in every if s.method == method]
    kl = np.array([s.kl for s in found])
    effort = PIE if method == CONFLICT else EFFORTS.get(method)
    return {
        "language": language,
        "task": task,
        "method": method,
        **(asdict(effort) if effort else dict.fromkeys(asdict(PIE))),
        "n": len(found),
        "em": fmean(exact_match(first_line(s.answer), s.truth) for s in found),
        "es": fmean(edit_similarity(first_line(s.answer), s.truth) for s in found),
        "kl_mean": float(kl.mean()),
        **{f"kl_p{share}": float(np.percentile(kl, share)) for share in (50, 95, 99)},
        "top1": fmean(s.agrees for s in found),
        **means(found, "same_line", "truth_logprob", "tokens", "encoded"),
        "fit_s": median(s.seconds for s in found),
    }


def by_distance(samples: Sequence[Sample], bounds: Sequence[int] = DISTANCES) -> list[dict[str, Any]]:
    """Mean divergence of each method by the tokens between the last change and the cursor."""
    table = []
    for method in dict.fromkeys(s.method for s in samples):
        for low, high in pairwise((0, *bounds)):
            kl = [s.kl for s in samples if s.method == method and low <= s.distance < high]
            if kl:
                table.append({"method": method, "from": low, "to": high, "n": len(kl), "kl_mean": fmean(kl)})
    return table
