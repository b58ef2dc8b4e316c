"""What patching a cache costs in quality: the next token and the next line behind an edit, against a full encoding.

Every method starts from the keys and values of the text before the edit and follows the edit in its own way; then the
next token's distribution, the probability of the true line and the greedy line are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from guiderail.cache.live import LiveCache
from guiderail.cache.rotation import Refusal, Rotation, rotation_of
from guiderail.cache.selection import PIE, Effort
from guiderail.errors import GuiderailError
from guiderail.evaluation.likelihood import begin_id
from guiderail.evaluation.metrics import edit_similarity, exact_match
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.revisions import TASKS, Revision, draw
from guiderail.evaluation.tasks import spread

if TYPE_CHECKING:
    from guiderail.model.model import Model

FULL_ENCODING, CONFLICT = "full", "conflict"
EFFORTS: Mapping[str, Effort] = {
    "pie": PIE,
    "halo": replace(PIE, halo=16),
    "halo and uses": replace(PIE, halo=16, tail=48, uses=64),
    "deviating": replace(PIE, halo=16, tail=48, uses=64, deviating=128),
    "near 128": Effort(near=128),
    "ours": Effort(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured.

    Parameters
    ----------
    packages
        The first so many of the manifest; None for all.
    samples
        Of each task, spread evenly over the packages; the window of text in front of the cursor decides how many
        there can be.
    contexts
        Sizes of that window, in characters.
    max_tokens
        Of a greedy line.
    seed
        Of the samples.
    """

    packages: int | None = None
    samples: int = 200
    contexts: tuple[int, ...] = (4000, 8000)
    max_tokens: int = 32
    seed: int = 0


FULL = Plan()
QUICK = Plan(packages=8, samples=8, contexts=(4000,), max_tokens=24)


@dataclass(frozen=True, slots=True)
class Sample:
    """One revision followed in one way."""

    task: str
    package: str
    method: str
    tokens: int
    encoded: int
    stale: int
    seconds: float
    kl: float
    agrees: bool
    truth_logprob: float
    answer: str
    truth: str


def revisions(files: Mapping[str, list[SourceFile]], plan: Plan) -> list[Revision]:
    """The revisions of `plan`, from the packages' files."""
    shares = spread(plan.samples, list(files))
    return [
        revision
        for characters in plan.contexts
        for task in TASKS
        for name, own in files.items()
        if own
        for revision in draw(own, task, shares[name], characters, plan.seed)
    ]


def evaluate(
    model: Model, drawn: Iterable[Revision], plan: Plan, *, advance: Callable[[], None] = lambda: None
) -> Iterator[Sample]:
    """Every revision followed in every way.

    Raises
    ------
    GuiderailError
        The model's keys cannot be turned.
    """
    rotation = rotation_of(model)
    if isinstance(rotation, Refusal):
        raise GuiderailError(f"{model.info.name} cannot be patched: {rotation.reason}", "Measure another model")
    for revision in drawn:
        yield from _follow(model, rotation, revision, plan)
        advance()


def _follow(model: Model, rotation: Rotation, revision: Revision, plan: Plan) -> Iterator[Sample]:
    begin = [begin_id(model.tokenizer)]
    before, after = (begin + model.tokenizer.encode(text) for text in (revision.before, revision.after))
    if max(len(before), len(after)) + plan.max_tokens > model.info.context_length:
        return
    edited = LiveCache(model, policy="patch", rotation=rotation)
    edited.append(before)
    truth = model.tokenizer.encode(revision.truth)
    reference: torch.Tensor | None = None
    for method, cache in _methods(edited, rotation, model.layers):
        began = time.perf_counter()
        report = cache.fit(after)
        seconds = time.perf_counter() - began
        assert report.logits is not None, "nobody cancels"
        scores = report.logits.double().log_softmax(-1)
        reference = scores if reference is None else reference
        yield Sample(
            task=revision.task,
            package=revision.package,
            method=method,
            tokens=len(after),
            encoded=report.encoded,
            stale=report.stale,
            seconds=seconds,
            kl=float((reference.exp() * (reference - scores)).sum()),
            agrees=bool(reference.argmax() == scores.argmax()),
            truth_logprob=_logprob(cache, scores, truth),
            answer=_greedy_line(cache, scores, plan.max_tokens),
            truth=revision.truth,
        )


def _methods(edited: LiveCache, rotation: Rotation, layers: int) -> Iterator[tuple[str, LiveCache]]:
    """The full encoding first: it is the reference."""
    yield FULL_ENCODING, LiveCache(edited.model)
    yield CONFLICT, edited.copy(effort=PIE, rotation=Rotation((None,) * layers, rotation.error))
    for name, effort in EFFORTS.items():
        yield name, edited.copy(effort=effort)


def _logprob(cache: LiveCache, scores: torch.Tensor, truth: Sequence[int]) -> float:
    """Log-probability of the true line."""
    behind = cache.read(truth)[:-1].double().log_softmax(-1)
    wanted = torch.tensor(list(truth), device=scores.device)
    return float(torch.cat((scores[None], behind)).gather(1, wanted[:, None]).sum())


def _greedy_line(cache: LiveCache, scores: torch.Tensor, limit: int) -> str:
    tokenizer, length, ids = cache.model.tokenizer, cache.length, list[int]()
    while len(ids) < limit:
        ids.append(int(scores[: len(tokenizer.token_bytes)].argmax()))
        data = tokenizer.token_bytes[ids[-1]]
        if not data or b"\n" in data:
            break
        logits = cache.append(ids[-1:])
        assert logits is not None
        scores = logits
    cache.rollback(cache.length - length)
    return tokenizer.decode_bytes(ids).decode(errors="replace")


def rows(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """One row for each task and method, and one of all tasks together for each method."""
    methods = list(dict.fromkeys(s.method for s in samples))
    tasks = [*dict.fromkeys(s.task for s in samples), "all"]
    return [
        _row(task, method, [s for s in samples if s.method == method and task in {s.task, "all"}])
        for task in tasks
        for method in methods
    ]


def _row(task: str, method: str, found: Sequence[Sample]) -> dict[str, Any]:
    kl = np.array([s.kl for s in found])
    effort = PIE if method == CONFLICT else EFFORTS.get(method)
    return {
        "task": task,
        "method": method,
        **(asdict(effort) if effort else dict.fromkeys(asdict(PIE))),
        "n": len(found),
        "em": float(np.mean([exact_match(s.answer, s.truth) for s in found])),
        "es": float(np.mean([edit_similarity(s.answer, s.truth) for s in found])),
        "kl_mean": float(kl.mean()),
        "kl_p95": float(np.percentile(kl, 95)),
        "kl_p99": float(np.percentile(kl, 99)),
        "top1": float(np.mean([s.agrees for s in found])),
        "truth_logprob": float(np.mean([s.truth_logprob for s in found])),
        "tokens": float(np.mean([s.tokens for s in found])),
        "encoded": float(np.mean([s.encoded for s in found])),
        "fit_s": float(np.median([s.seconds for s in found])),
    }
