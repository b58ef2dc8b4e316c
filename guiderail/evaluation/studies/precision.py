"""What a precision costs: the same lines completed and scored by one model in several precisions.

Float32 is the reference. Each line is scored under its true text (the divergence of next-token distributions, whether
the likeliest token is the same, bits) and completed greedily, as `guiderail complete` does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from guiderail.cache.tree import TokenTree
from guiderail.decoding.session import Session
from guiderail.engine.completer import Completer
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.scoring import exact_match, first_line
from guiderail.evaluation.study import AnswerPlan
from guiderail.evaluation.tables import interval, mean, paired_interval, parts, ratio
from guiderail.evaluation.task import Task
from guiderail.evaluation.tasks import draw_lines, spread
from guiderail.model.memory import release_memory, resident

if TYPE_CHECKING:
    from guiderail.model.model import Model

REFERENCE = "float32"
ROWS = (1, 4, 8, 16)  # widths of the passes that are timed
ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(AnswerPlan):
    """How much is measured; `lines` are rests of lines, spread evenly over the packages."""

    counted = ("lines",)

    lines: int = 300
    prompt_tokens: int = 512
    max_tokens: int = 32


FULL = Plan()
QUICK = Plan(packages=8, lines=16, prompt_tokens=256)


@dataclass(frozen=True, slots=True)
class Sample:
    """One line in one precision; sums over its `tokens`: `divergence` in nats, `agreed` a count, `bits`."""

    package: str
    tokens: int
    size: int
    divergence: float
    agreed: int
    bits: float
    exact: bool


def lines(files: Mapping[str, Sequence[SourceFile]], plan: Plan) -> list[Task]:
    """The lines of a plan: the cursor inside a line, what follows is shown."""
    shares = spread(plan.lines, list(files))
    return [task for name, own in files.items() if own for task in draw_lines(own, "fim_line", shares[name], plan.seed)]


def evaluate(
    load: Callable[[str], Model],
    dtypes: Sequence[str],
    tasks: Sequence[Task],
    plan: Plan,
    *,
    advance: Callable[[], None] = lambda: None,
) -> Iterator[dict[str, Any]]:
    """A row for each precision, the reference first; one model is in memory at a time.

    Parameters
    ----------
    load
        Gives the model in a precision.
    dtypes
        The precisions beside the reference.
    """
    truths: list[torch.Tensor] = []
    reference: list[Sample] = []
    for dtype in dict.fromkeys((REFERENCE, *dtypes)):
        before, began = resident(), time.perf_counter()
        model = load(dtype)
        loaded = {"load_s": time.perf_counter() - began, "memory_mb": (resident() - before) / 1e6}
        completer, samples = Completer(model, prompt_tokens=plan.prompt_tokens), []
        for number, task in enumerate(tasks):
            samples.append(_sample(completer, task, plan, truths, number))
            advance()
        reference = reference or samples
        yield {
            "model": model.info.name,
            "dtype": dtype,
            **_quality(samples, reference, plan),
            **_speed(model),
            **loaded,
        }
        del model, completer
        release_memory()


def _sample(completer: Completer, task: Task, plan: Plan, truths: list[torch.Tensor], number: int) -> Sample:
    """One line; the reference's distributions are appended to `truths` at first, and compared with afterwards."""
    scores, ids = _distributions(completer, task, plan)
    if number == len(truths):
        truths.append(scores.half())  # 16 bits keep a log-probability to three digits, and 300 lines in memory
    wanted = truths[number].float()
    wanted = wanted - wanted.logsumexp(-1, keepdim=True)
    answer = completer.complete(task.request(max_tokens=plan.max_tokens))[0].text
    truth = torch.tensor(ids)
    return Sample(
        package=task.package,
        tokens=len(ids),
        size=len(task.truth.encode()),
        divergence=float((wanted.exp() * (wanted - scores)).sum()),
        agreed=int((wanted.argmax(-1) == scores.argmax(-1)).sum()),
        bits=float(-scores.gather(1, truth[:, None]).sum() / math.log(2)),
        exact=exact_match(first_line(answer), task.truth),
    )


def _distributions(completer: Completer, task: Task, plan: Plan) -> tuple[torch.Tensor, list[int]]:
    """Log-probabilities [n, vocabulary] before each token of the truth, and these tokens."""
    session = Session(completer.model)
    ids = completer.model.tokenizer.encode(task.truth)
    prompt = completer.prompts.build(task.request(max_tokens=plan.max_tokens, heal=False))
    first = session.feed(completer.model.tokenizer.encode_prompt(prompt))
    assert first is not None
    rows = [first[None]]
    if len(ids) > 1:
        rows.append(session.feed_tree(TokenTree.chain(ids[:-1])))
    return torch.cat(rows).log_softmax(-1), ids


def _quality(samples: Sequence[Sample], reference: Sequence[Sample], plan: Plan) -> dict[str, Any]:
    exact, before = (parts(side, mean("exact")) for side in (samples, reference))
    tokens = sum(sample.tokens for sample in samples)
    worst = np.array([sample.divergence / sample.tokens for sample in samples])
    return {
        "lines": len(samples),
        "kl": sum(sample.divergence for sample in samples) / tokens,
        "kl_p95_of_lines": float(np.percentile(worst, 95)),
        "top1": sum(sample.agreed for sample in samples) / tokens,
        "bits_per_byte": sum(sample.bits for sample in samples) / sum(sample.size for sample in samples),
        "exact": ratio(exact),
        "exact_interval": interval(exact, seed=plan.seed),
        "exact_lost": ratio(before) - ratio(exact),
        "exact_lost_interval": paired_interval(before, exact, seed=plan.seed),
    }


def _speed(model: Model) -> dict[str, Any]:
    """Prefill of 256 tokens, and passes of few rows after it; medians of a few rounds."""
    ids = [token % model.vocab_size for token in range(100, 356)]
    session = Session(model)

    def prefill() -> None:
        session.rollback(session.length)
        session.feed(ids)

    prefill()
    widths = {str(rows): _median(lambda rows=rows: session.feed_tree(TokenTree.chain(ids[:rows]))) for rows in ROWS}
    return {
        "prefill_tokens_per_s": len(ids) / _median(prefill),
        "ms_of_rows": {rows: 1000 * seconds for rows, seconds in widths.items()},
    }


def _median(work: Callable[[], object]) -> float:
    """Median seconds of a few rounds, after one that is not counted."""
    work()
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))
