"""What the n-gram mix-in makes of a whole text, and how its weights were found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from guiderail.decoding.stages.ngram import LEAST, Evidence, MixWeights, features, gather
from guiderail.decoding.stages.ngram_counts import ORDERS, NgramCounts
from guiderail.evaluation.likelihood import Scores


@dataclass(frozen=True, slots=True)
class Trace:
    """What the n-grams said in front of every token of a text, in reading order.

    Parameters
    ----------
    evidence
        At each position; None where no context was known.
    lent
        The n-grams' probability of the token that stands there.
    best
        The n-grams' likeliest token, or the truth where there is no evidence.
    """

    evidence: list[Evidence | None]
    lent: list[float]
    best: list[int]

    @classmethod
    def read(cls, ids: Sequence[int], project: NgramCounts, orders: Sequence[int] = ORDERS) -> Trace:
        """Read a text token by token, beside the counts of the rest of its project."""
        live, trace = NgramCounts(orders), cls([], [], [])
        for i, token in enumerate(ids):
            evidence = gather((live, project), ids[max(0, i - orders[-1]) : i], orders)
            trace.evidence.append(evidence)
            trace.lent.append(evidence.probabilities.get(token, 0.0) if evidence else 0.0)
            trace.best.append(evidence.best if evidence else token)
            live.count(ids, i, i + 1)
        return trace


def mixed_bits(trace: Trace, scores: Scores, weights: MixWeights) -> float:
    """What the text costs under the mixture of the model's scores and the n-grams."""
    total = 0.0
    columns = zip(
        trace.evidence, trace.lent, *(c.tolist() for c in (scores.truth, scores.top, scores.other)), strict=True
    )
    for evidence, lent, truth, top, best in columns:
        share = weights.weight(evidence, top, best) if evidence else 0.0
        total -= math.log2((1 - share) * math.exp(truth) + share * lent)
    return total


def fit(read: Sequence[tuple[Trace, Scores]]) -> MixWeights:
    """The weights under which some texts cost the least; a convex-like problem of nine numbers, solved by L-BFGS.

    Parameters
    ----------
    read
        Texts that neither the model was trained on nor anything is reported on.

    Raises
    ------
    ValueError
        There is no evidence at any position.
    """
    facts = [fact for trace, scores in read for fact in _facts(trace, scores)]
    if not facts:
        raise ValueError("no n-gram of the texts occurs twice")
    columns = torch.tensor(facts, dtype=torch.float64)
    inputs, own, lent = columns[:, :-2], columns[:, -2].exp(), columns[:, -1]
    weights = torch.zeros(inputs.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        share = torch.sigmoid((inputs @ weights).clamp(-30, 30))
        # The ridge only decides between directions that the texts say nothing about.
        cost = -((1 - share) * own + share * lent).log().mean() + 1e-5 * weights.square().sum()
        cost.backward()
        return cost

    optimiser.step(loss)
    claim, sure, model_sure, agreement, *long = (round(float(w), 3) for w in weights.detach())
    return MixWeights(claim, sure, model_sure, agreement, tuple(long))  # type: ignore[arg-type]


def _facts(trace: Trace, scores: Scores) -> list[list[float]]:
    """Inputs of the share, the model's log-probability of the truth, the n-grams' probability; by position."""
    found = []
    columns = zip(
        trace.evidence, trace.lent, *(c.tolist() for c in (scores.truth, scores.top, scores.other)), strict=True
    )
    for evidence, lent, truth, top, best in columns:
        if evidence is not None:
            length = [float(min(evidence.order, 5) == k) for k in range(1, 6)]
            found.append([*features(evidence), top, max(best, math.log(LEAST)), *length, truth, lent])
    return found
