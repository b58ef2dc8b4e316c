"""Beam search that collects texts where they end: at the line's end for a line, at the block's for a block.

A beam that is cut off at a number of tokens favours what is short and dull. Collecting hypotheses where a whole line
ends and comparing those by their mean log-probability is how full line completion is decoded in practice (Semenkin et
al. 2024, arXiv 2405.08704). All beams are branches of one tree after the prompt, so none of it is copied.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.cache.tree import ROOT, TokenTree
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.method import DecodeRequest, Event, Finish, FinishedEvent, TokenEvent
from guiderail.decoding.methods.constraint_walker import ConstraintWalker
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.spec import BuildContext, Metadata, MethodSpec, parameter

if TYPE_CHECKING:
    from guiderail.decoding.session import Session


@dataclass(frozen=True, kw_only=True)
class BeamSpec(MethodSpec):
    """Beam search; whole lines (or blocks) are collected and compared by their mean log-probability."""

    metadata = Metadata(
        summary="beam search that collects whole lines and ranks them by mean log-probability",
        paper="full line code completion, arXiv 2405.08704",
        cost="one pass a token of the longest beam, as wide as the beam",
        use="where correct code matters more than speed: more texts parse than with greedy, at two thirds of its speed",
        sampling="greedy",
        all_texts=True,
    )
    width: int = parameter(3, "hypotheses that are followed; at least the suggestions wanted", low=1, high=16)

    def build(self, context: BuildContext) -> Beam:
        """See `MethodSpec.build`."""
        return Beam(self.width)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A text of a beam.

    Parameters
    ----------
    text
        The text.
    path
        Its tokens, the one that ends it included.
    total
        Their log-probability under stages and constraints.
    events
        Of its tokens, with the model's own log-probabilities.
    node
        Of the last token in the tree that was run.
    """

    text: PartialText
    path: tuple[int, ...] = ()
    total: float = 0.0
    events: tuple[TokenEvent, ...] = ()
    node: int = ROOT

    @property
    def score(self) -> float:
        """Mean log-probability of its tokens; minus infinity for none."""
        return self.total / len(self.path) if self.path else -math.inf

    @property
    def is_whole(self) -> bool:
        """Whether it ended where texts end, and not at the token budget."""
        return self.text.finish not in {None, "length"}

    def add(self, token: int, logprob: float, raw: torch.Tensor) -> Hypothesis:
        """The text with one more token, chosen at the model's scores `raw` (float32 [vocabulary])."""
        text = self.text.add(token)
        counts = len(text.tokens) > len(self.text.tokens)
        events = (*self.events, text.event(raw)) if counts else self.events
        return Hypothesis(text, (*self.path, token), self.total + logprob, events, self.node)


class Beam:
    """Beam search over one tree of hypotheses.

    Parameters
    ----------
    width
        Hypotheses that are followed.
    """

    def __init__(self, width: int = 3) -> None:
        self.width = width

    def decode(
        self, session: Session, logits: torch.Tensor, request: DecodeRequest, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`; up to `request.n` texts, the best first."""
        width = max(self.width, request.n)
        walker, tree = ConstraintWalker(session.ids, request, constraints), TokenTree()
        live, rows = [Hypothesis(PartialText(request))], [logits]
        collected: list[Hypothesis] = []
        while live and not request.cancelled():
            grown = self._grown(live, rows, walker, width)
            collected += [one for one in grown if one.text.finish]
            live = [one for one in grown if not one.text.finish]
            if sum(one.is_whole for one in collected) >= width:
                break
            if live:
                live = [
                    Hypothesis(one.text, one.path, one.total, one.events, tree.add(one.path[-1], one.node))
                    for one in live
                ]
                rows = list(session.feed_tree(tree))[-len(live) :]
        walker.move([])
        # What was cut at the token budget is compared by nothing with what is whole: loops are likely, token by token.
        found = sorted(collected or live, key=lambda one: (not one.is_whole, -one.score))
        more = [one for one in found[request.n :] if request.spare and one.is_whole]
        for one in [*found[: request.n], *more]:
            yield from one.events
            reason: Finish = one.text.finish or "cancelled"
            yield FinishedEvent(reason, one.text.text)

    def _grown(
        self, live: Sequence[Hypothesis], rows: Sequence[torch.Tensor], walker: ConstraintWalker, width: int
    ) -> list[Hypothesis]:
        """The best continuations by one token, as many as the beam is wide, the likeliest first."""
        found: list[tuple[float, int, int, float]] = []
        for index, (one, row) in enumerate(zip(live, rows, strict=True)):
            logprobs = walker.logprobs(row, one.path, width)
            best = logprobs.topk(min(width, len(logprobs)))
            for token, logprob in zip(best.indices.tolist(), best.values.tolist(), strict=True):
                if logprob > -math.inf:
                    found.append((one.total + logprob, index, token, logprob))
        found.sort(key=lambda item: (-item[0], item[1]))
        vocabulary = len(live[0].text.request.token_bytes)
        return [live[index].add(token, logprob, rows[index][:vocabulary]) for _, index, token, logprob in found[:width]]
