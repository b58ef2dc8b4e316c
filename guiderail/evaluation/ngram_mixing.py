"""Bits of a whole text under the mixture of a model and n-grams, and the fit of the mixture's weights."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from guiderail.decoding.stages.ngram import Evidence, MixWeights, features, gather
from guiderail.decoding.stages.ngram_counts import ORDERS, NgramCounts
from guiderail.evaluation.likelihood import Scorer, Scores
from guiderail.evaluation.ngram_model import ORDERS as BASELINE_ORDERS
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.tables import grouped
from guiderail.evaluation.tasks import draw_texts

if TYPE_CHECKING:
    from guiderail.model.tokenizer import Tokenizer

# Text of a project that the n-grams see at most: counted in about a second, some 40 MB.
PROJECT_CHARACTERS = 400_000


@dataclass(frozen=True, slots=True)
class Trace:
    """What the n-grams said before every token of a text, in reading order.

    Parameters
    ----------
    evidence
        At each position; None where no context was known.
    lent
        The n-grams' probability of the text's own token.
    """

    evidence: list[Evidence | None]
    lent: list[float]

    @classmethod
    def read(cls, ids: Sequence[int], project: NgramCounts) -> Trace:
        """Read a text token by token, beside the counts of the rest of its project."""
        live, trace = NgramCounts(), cls([], [])
        for i, token in enumerate(ids):
            evidence = gather(live, project, ids[max(0, i - ORDERS[-1]) : i])
            trace.evidence.append(evidence)
            trace.lent.append(evidence.probabilities.get(token, 0.0) if evidence else 0.0)
            live.count(ids, i, i + 1)
        return trace


def mixed_bits(trace: Trace, scores: Scores, weights: MixWeights) -> float:
    """What the text costs under the mixture of the model's scores and the n-grams."""
    total = 0.0
    columns = zip(trace.evidence, trace.lent, scores.truth.tolist(), scores.top.tolist(), strict=True)
    for evidence, lent, truth, top in columns:
        share = weights.weight(evidence, top) if evidence else 0.0
        total -= math.log2((1 - share) * math.exp(truth) + share * lent)
    return total


def fit(read: Sequence[tuple[Trace, Scores]]) -> MixWeights:
    """The weights under which some texts cost the least; eight numbers, found by L-BFGS.

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
    claim, sure, model_sure, *long = (round(float(w), 3) for w in weights.detach())
    return MixWeights(claim, sure, model_sure, tuple(long))  # type: ignore[arg-type]


def _facts(trace: Trace, scores: Scores) -> list[list[float]]:
    """Inputs of the share, the model's log-probability of the truth, the n-grams' probability; by position."""
    found = []
    columns = zip(trace.evidence, trace.lent, scores.truth.tolist(), scores.top.tolist(), strict=True)
    for evidence, lent, truth, top in columns:
        if evidence is not None:
            length = [float(min(evidence.order, 5) == k) for k in range(1, 6)]
            found.append([*features(evidence), top, *length, truth, lent])
    return found


def project_counts(
    files: Sequence[SourceFile], tokenizer: Tokenizer, characters: int = PROJECT_CHARACTERS
) -> NgramCounts:
    """Count a project's files under their paths: whole files in the given order, as many as fit `characters`."""
    counts = NgramCounts(BASELINE_ORDERS)
    for file in files:
        if len(file.text) <= characters:
            counts.set_text(file.path, tokenizer.encode(file.text))
            characters -= len(file.text)
    return counts


def read_corpus(
    corpus: Path, scorer: Scorer, *, files: int, characters: int, seed: int, advance: Callable[[], None] = lambda: None
) -> Iterator[tuple[int, Trace, Scores]]:
    """Read some files of each package of a corpus, each beside the package's other files.

    Parameters
    ----------
    corpus
        JSON lines with the keys package, path and text, a package's lines together.
    scorer
        The model that reads.
    files, characters
        How many of each package, and how much of each, to the end of the line.
    seed
        Of the choice.
    advance
        Called for each file.

    Yields
    ------
    tuple
        Bytes, what the n-grams said, and the model's scores.
    """
    tokenizer = scorer.model.tokenizer
    with corpus.open(encoding="utf-8") as stream:
        documents = [SourceFile(**json.loads(line)) for line in stream]
    for own in grouped(documents, attrgetter("package")).values():
        project = project_counts(own, tokenizer)
        for text in draw_texts(own, files, characters, seed):
            with project.without(text.path):
                ids = tokenizer.encode(text.text)
                yield len(text.text.encode()), Trace.read(ids, project), scorer.score(ids)
            advance()
