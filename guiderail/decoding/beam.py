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
from guiderail.decoding.constraint import Constraint
from guiderail.decoding.method import Event, Finish, FinishedEvent, Request, TokenEvent
from guiderail.decoding.part import About, MethodPart, Situation, parameter
from guiderail.decoding.walker import Walker
from guiderail.decoding.writing import Writing

if TYPE_CHECKING:
    from guiderail.decoding.session import Session


@dataclass(frozen=True, kw_only=True)
class BeamPart(MethodPart):
    """Beam search; whole lines (or blocks) are collected and compared by their mean log-probability."""

    about = About(
        summary="beam search that collects whole lines and ranks them by mean log-probability",
        paper="full line code completion, arXiv 2405.08704",
        cost="one pass a token of the longest beam, as wide as the beam",
        sampling="greedy",
        all_texts=True,
    )
    width: int = parameter(3, "hypotheses that are followed; at least the suggestions wanted", low=1, high=16)

    def build(self, situation: Situation) -> Beam:
        """See `MethodPart.build`."""
        return Beam(self.width)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A text of a beam.

    Parameters
    ----------
    writing
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

    writing: Writing
    path: tuple[int, ...] = ()
    total: float = 0.0
    events: tuple[TokenEvent, ...] = ()
    node: int = ROOT

    @property
    def score(self) -> float:
        """Mean log-probability; that of nothing is the lowest."""
        return self.total / len(self.path) if self.path else -math.inf

    @property
    def is_whole(self) -> bool:
        """Whether it ended where texts end, and not at the token budget."""
        return self.writing.finish not in {None, "length"}

    def add(self, token: int, logprob: float, raw: torch.Tensor) -> Hypothesis:
        """The text with one more token, chosen at the model's scores `raw` (float32 [vocabulary])."""
        writing = self.writing.add(token)
        counts = len(writing.tokens) > len(self.writing.tokens)
        events = (*self.events, writing.event(raw)) if counts else self.events
        return Hypothesis(writing, (*self.path, token), self.total + logprob, events, self.node)


class Beam:
    """The method.

    Parameters
    ----------
    width
        Hypotheses that are followed.
    """

    def __init__(self, width: int = 3) -> None:
        self.width = width

    def decode(
        self, session: Session, logits: torch.Tensor, request: Request, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`; up to `request.n` texts, the best first."""
        width = max(self.width, request.n)
        walker, tree = Walker(session.ids, request, constraints), TokenTree()
        live, rows = [Hypothesis(Writing(request))], [logits]
        collected: list[Hypothesis] = []
        while live and not request.cancelled():
            grown = self._grown(live, rows, walker, width)
            collected += [one for one in grown if one.writing.finish]
            live = [one for one in grown if not one.writing.finish]
            if sum(one.is_whole for one in collected) >= width:
                break
            if live:
                live = [
                    Hypothesis(one.writing, one.path, one.total, one.events, tree.add(one.path[-1], one.node))
                    for one in live
                ]
                rows = list(session.feed_tree(tree))[-len(live) :]
        walker.move([])
        # What was cut at the token budget is compared by nothing with what is whole: loops are likely, token by token.
        found = sorted(collected or live, key=lambda one: (not one.is_whole, -one.score))
        for one in found[: request.n]:
            yield from one.events
            reason: Finish = one.writing.finish or "cancelled"
            yield FinishedEvent(reason, one.writing.text)

    def _grown(
        self, live: Sequence[Hypothesis], rows: Sequence[torch.Tensor], walker: Walker, width: int
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
        vocabulary = len(live[0].writing.request.token_bytes)
        return [live[index].add(token, logprob, rows[index][:vocabulary]) for _, index, token, logprob in found[:width]]
