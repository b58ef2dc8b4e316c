"""Superposed decoding (Shen et al. 2024, arXiv 2405.18400, section 3): several texts from one pass a token.

The input of a pass is the mean of the embeddings of the texts' last tokens, weighted by the texts' probabilities; the
one distribution that comes out is shared by all. Which of its tokens goes on which text is decided by n-grams:

    p(token | text) = p_model^(1 - a) p_ngram^a,     p_ngram = sum over n of w_n times the relative frequency

In place of 14 GB of web text, the n-grams are those of the open project and of the prompt, counted in milliseconds. The
blend stays near the texts' own hidden states for about ten tokens. So the texts are short, and they are scored again,
exactly, in one pass over all of them, by which they are ranked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.cache.tree import ROOT, TokenTree
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, TokenEvent
from guiderail.decoding.methods.constraint_walker import ConstraintWalker
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.spec import BuildContext, Metadata, MethodSpec, parameter
from guiderail.decoding.stages.ngram_counts import NgramCounts

if TYPE_CHECKING:
    from guiderail.decoding.session import Session

# Of 2-, 3- and 4-grams (the paper's file for up to four; longer ones gain nothing, section 5.3).
WEIGHTS = {1: 0.01, 2: 0.04, 3: 0.15}
UNSEEN = -200.0  # log-probability of what no n-gram supports, added to the model's part


@dataclass(frozen=True, kw_only=True)
class SuperposedSpec(MethodSpec):
    """Several suggestions from one forward pass a token."""

    metadata = Metadata(
        summary="all suggestions at once from one pass a token, held apart by the project's n-grams",
        paper="Superposed Decoding, arXiv 2405.18400, section 3",
        cost="one pass a token for all suggestions together, and one to score them",
        use="for several short suggestions at once; not for one, nor for more than some ten tokens",
        sampling="greedy",
        all_texts=True,
    )
    drafts: int = parameter(3, "texts that are written together; at least the suggestions wanted", low=1, high=16)
    alpha: float = parameter(0.55, "weight of the n-grams against the model", low=0, high=1)
    temperature: float = parameter(0.1, "how sharp the shared distribution is made", above=0, high=2)
    tokens: int = parameter(10, "most tokens of a text", low=1, high=64)

    def build(self, context: BuildContext) -> Superposed:
        """See `MethodSpec.build`."""
        return Superposed(self.drafts, self.alpha, self.temperature, self.tokens, context.project)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the texts that are written together.

    Parameters
    ----------
    text
        The text.
    path
        Its tokens, the one that ends it included.
    weight
        Logarithm of its unnormalised probability.
    """

    text: PartialText
    path: tuple[int, ...] = ()
    weight: float = 0.0

    def add(self, token: int, logprob: float) -> Candidate:
        """The text with one more token."""
        return Candidate(self.text.add(token), (*self.path, token), self.weight + logprob)


class Superposed:
    """Superposed decoding.

    Parameters
    ----------
    drafts
        Texts that are written together.
    alpha
        Weight of the n-grams against the model.
    temperature
        Of the shared distribution.
    tokens
        Most tokens of a text.
    project
        N-grams of the project's other files.
    """

    def __init__(
        self, drafts: int, alpha: float, temperature: float, tokens: int, project: NgramCounts | None = None
    ) -> None:
        self.drafts = drafts
        self.alpha = alpha
        self.temperature = temperature
        self.tokens = tokens
        self._project = project or NgramCounts(tuple(WEIGHTS))

    def decode(
        self, session: Session, logits: torch.Tensor, request: DecodeRequest, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`; up to `request.n` texts, the best first."""
        width = max(self.drafts, request.n)
        prompt = list(session.ids)
        self._own = NgramCounts(tuple(WEIGHTS))
        self._own.count(prompt, 0, len(prompt))
        walker, tree, first = ConstraintWalker(prompt, request, constraints), TokenTree(), logits
        drafts = [Candidate(PartialText(request))]
        for step in range(min(self.tokens, request.max_tokens)):
            if request.cancelled():
                break
            if step:
                logits = self._blended(session, tree, drafts)
            drafts = self._continued(drafts, logits, prompt, walker, width)
            if all(one.text.finish for one in drafts):
                break
        walker.move([])
        found = self._scored(session, first, drafts, request)
        for _, one, events in sorted(found, key=lambda item: -item[0])[: request.n]:
            yield from events
            reason = one.text.finish or ("cancelled" if request.cancelled() else "length")
            yield FinishedEvent(reason, one.text.text)

    def _blended(self, session: Session, tree: TokenTree, drafts: Sequence[Candidate]) -> torch.Tensor:
        """The model's scores after the blend of the texts that go on, float32 [vocabulary]."""
        live = [one for one in drafts if not one.text.finish]
        model = session.model
        weights = torch.tensor([one.weight for one in live]).softmax(-1).to(model.device, model.dtype)
        last = torch.tensor([one.path[-1] for one in live], device=model.device)
        tree.add(live[0].path[-1], len(tree) - 1 if len(tree) else ROOT)
        return session.feed_tree(tree, (weights @ model.embed(last))[None])[0]

    def _continued(
        self, drafts: Sequence[Candidate], logits: torch.Tensor, prompt: list[int], walker: ConstraintWalker, width: int
    ) -> list[Candidate]:
        """The most probable texts by one token, among those that had ended already."""
        found = [one for one in drafts if one.text.finish]
        for one in drafts:
            if one.text.finish:
                continue
            sharp = (walker.logprobs(logits, one.path, 3 * width) / self.temperature).log_softmax(-1)
            best = sharp.topk(min(3 * width, len(sharp)))
            context = prompt[-max(WEIGHTS) :] + list(one.path)
            for token, logprob in zip(best.indices.tolist(), best.values.tolist(), strict=True):
                if logprob > -math.inf:
                    found.append(one.add(token, self._mixed(logprob, context, token, bool(one.path))))
        return sorted(found, key=lambda one: -one.weight)[:width]

    def _mixed(self, logprob: float, context: Sequence[int], token: int, is_later: bool) -> float:
        """Logarithm of the model's and the n-grams' share in a token; the first tokens are the model's alone."""
        if not is_later:
            return logprob
        frequency = ngram_probability((self._own, self._project), context, token)
        ngram = self.alpha * math.log(frequency) if frequency else UNSEEN
        return (1 - self.alpha) * logprob + ngram

    def _scored(
        self, session: Session, first: torch.Tensor, drafts: Sequence[Candidate], request: DecodeRequest
    ) -> list[tuple[float, Candidate, list[TokenEvent]]]:
        """The texts with their exact mean log-probabilities, and the events of their tokens; one pass for all."""
        tree, vocabulary = TokenTree(), len(request.token_bytes)
        ends = [tree.extend(one.path[:-1]) for one in drafts]
        rows = session.feed_tree(tree) if len(tree) else first[None]
        found = []
        for one, end in zip(drafts, ends, strict=True):
            raws = [row[:vocabulary] for row in (first, *(rows[node] for node in tree.path(end)))]
            logprobs = [float(raw[t] - raw.logsumexp(-1)) for raw, t in zip(raws, one.path, strict=False)]
            events = [
                TokenEvent(token, request.token_bytes[token], logprob)
                for token, logprob in zip(one.text.tokens, logprobs, strict=False)
            ]
            found.append((sum(logprobs) / max(len(logprobs), 1), one, events))
        return found


def ngram_probability(tables: Sequence[NgramCounts], context: Sequence[int], token: int) -> float:
    """The weighted sum of the relative frequencies of a token after the last one, two and three tokens.

    Parameters
    ----------
    tables
        Whose counts are added up.
    context
        The ids before it.
    """
    total = 0.0
    for order, weight in WEIGHTS.items():
        followers = [table.followers(context, order) for table in tables]
        seen = sum(sum(counts.values()) for counts in followers)
        if seen:
            total += weight * sum(counts.get(token, 0) for counts in followers) / seen
    return total
