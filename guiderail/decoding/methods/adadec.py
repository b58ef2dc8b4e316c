"""AdaDec (arXiv 2506.08980, FSE 2026, doi 10.1145/3808142): pause where the model is unsure, look ahead, and rerank.

Where the entropy of the next token, in nats, reaches a threshold, the likeliest candidates are each followed by a
greedy look-ahead, and the one with the best mean log-probability over itself and its look-ahead is taken (section 3).
Everywhere else decoding is greedy.

What differs from the authors' program, and why: the look-aheads are one tree after the shared prefix, and the
winner's is kept, so that decoding goes on in it without running it again. A look-ahead ends where the text would, by
the model's end token or the request's own stop rule, and its score and length are frozen there; theirs knows Python
bodies alone, and goes on counting probabilities after the end. Entropy, candidates and look-ahead see the stages and
constraints that the decoded token sees. The factor lambda of the score is left out: it changes no decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from guiderail.cache.tree import ROOT, TokenTree
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, Method, PausedEvent, advance
from guiderail.decoding.methods import calibration
from guiderail.decoding.methods.constraint_walker import ConstraintWalker
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.spec import BuildContext, Metadata, MethodSpec, parameter

if TYPE_CHECKING:
    from guiderail.decoding.session import Session
    from guiderail.model.info import ModelInfo


@dataclass(frozen=True, kw_only=True)
class AdaDecSpec(MethodSpec):
    """Greedy decoding with look-ahead where the model is unsure."""

    metadata = Metadata(
        summary="greedy, but where the next token is unsure the best of several looked-ahead candidates",
        paper="AdaDec, arXiv 2506.08980, section 3",
        cost="a pause is one pass for each token looked ahead, of which the winner's are reused",
        use="to try with larger models; not with the embedded one: its lines get no better, and half as fast",
        sampling="greedy",
    )
    threshold: float = parameter(
        0.0, "entropy in nats from which to pause; 0 takes the model's own (guiderail calibrate)", low=0, high=20
    )
    candidates: int = parameter(3, "tokens compared in a pause", low=2, high=16)
    lookahead: int = parameter(5, "tokens looked ahead of each", low=0, high=32)

    def check(self, info: ModelInfo) -> None:
        """See `Spec.check`.

        Raises
        ------
        NotCalibratedError
            If no threshold is given and none was learned for the model.
        """
        if not self.threshold:
            calibration.threshold_of(info)

    def build(self, context: BuildContext) -> Method:
        """See `MethodSpec.build`; further texts of a request are drawn plainly, since AdaDec has but one.

        Raises
        ------
        NotCalibratedError
            If no threshold is given and none was learned for the model.
        """
        if not context.sampling.greedy:
            return Plain(context.sampling, context.index)
        threshold = self.threshold or context.kept("threshold", lambda: calibration.threshold_of(context.model.info))
        return AdaDec(threshold, self.candidates, self.lookahead)


@dataclass(slots=True)
class _Candidate:
    """A candidate and its look-ahead.

    Parameters
    ----------
    text
        The text with it.
    node
        Its last token's node; `ROOT` before it was run.
    total, length
        Log-probability and tokens that count, the one that ends the text included.
    path
        The tokens, the same ones.
    """

    text: PartialText
    node: int = ROOT
    total: float = 0.0
    path: list[int] = field(default_factory=list)

    @property
    def score(self) -> float:
        """Mean log-probability."""
        return self.total / len(self.path)

    def add(self, token: int, logprob: float) -> None:
        """Append one token."""
        self.path.append(token)
        self.total += logprob
        self.text = self.text.add(token)


class _Kept:
    """The tree of a pause, walked down while the decoded tokens are in it."""

    def __init__(self, tree: TokenTree, rows: list[torch.Tensor]) -> None:
        self.tree = tree
        self.rows = rows
        self.node = ROOT

    def descend(self, token: int) -> torch.Tensor | None:
        """The model's scores after the token, if it was run in the tree."""
        for child in self.tree.children(self.node):
            if self.tree.tokens[child] == token:
                self.node = child
                return self.rows[child]
        return None


class AdaDec:
    """Greedy decoding with pauses at unsure tokens.

    Parameters
    ----------
    threshold
        Entropy from which to pause, nats.
    candidates
        Tokens compared in a pause.
    lookahead
        Tokens looked ahead of each, at most.
    """

    def __init__(self, threshold: float, candidates: int = 3, lookahead: int = 5) -> None:
        self.threshold = threshold
        self.candidates = candidates
        self.lookahead = lookahead

    def decode(
        self, session: Session, logits: torch.Tensor, request: DecodeRequest, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`."""
        text, kept = PartialText(request), None
        walker = ConstraintWalker(session.ids, request, constraints)
        while not request.cancelled():
            logprobs = walker.logprobs(logits, [], 1)
            entropy = entropy_of(logprobs)
            if entropy >= self.threshold:
                _settle(session, kept)
                logprobs = walker.logprobs(logits, [], self.candidates)
                pause, kept = self._pause(session, logprobs, entropy, text, walker)
                token = pause.chosen
                if len(pause.candidates) > 1:
                    yield pause
            else:
                token = int(logprobs.argmax())
            walker.commit(token)
            before, text = text, text.add(token)
            if len(text.tokens) > len(before.tokens):
                yield text.event(logits[: len(request.token_bytes)])
            if text.finish:
                break
            following = kept.descend(token) if kept else None
            if following is None:
                _settle(session, kept)
                kept, following = None, advance(session, token)
            logits = following
        _settle(session, kept)
        yield FinishedEvent(text.finish or "cancelled", text.text)

    def _pause(
        self, session: Session, logprobs: torch.Tensor, entropy: float, text: PartialText, walker: ConstraintWalker
    ) -> tuple[PausedEvent, _Kept]:
        """Compare the candidates; returns the pause with its winner, and the tree of the look-aheads."""
        found = [_Candidate(text) for _ in range(self.candidates)]
        best = logprobs.topk(min(self.candidates, len(logprobs)))
        for candidate, token, logprob in zip(found, best.indices.tolist(), best.values.tolist(), strict=False):
            candidate.add(token, logprob)
        found = [one for one in found if one.path and one.total > -torch.inf]
        kept = _Kept(TokenTree(), [])
        for _ in range(self.lookahead if len(found) > 1 else 0):
            growing = [one for one in found if not one.text.finish]
            if not growing or text.request.cancelled():
                break
            for one in growing:
                one.node = kept.tree.add(one.path[-1], one.node)
            rows = session.feed_tree(kept.tree)
            kept.rows += rows
            for one, row in zip(growing, rows, strict=True):
                following = walker.logprobs(row, one.path, 1)
                token = int(following.argmax())
                one.add(token, float(following[token]))
        walker.move([])
        winner = max(found, key=lambda one: one.score)
        scores = tuple(one.score for one in found)
        return PausedEvent(entropy, tuple(one.path[0] for one in found), scores, winner.path[0]), kept


def _settle(session: Session, kept: _Kept | None) -> None:
    """Append the decoded path of a pause's tree to the sequence."""
    if kept is not None and len(kept.tree):
        session.keep(kept.tree.path(kept.node))


def entropy_of(logprobs: torch.Tensor) -> float:
    """Entropy in nats of log-probabilities, float [vocabulary]; forbidden tokens have -inf."""
    return float(-(logprobs.exp() * logprobs.clamp_min(-1e4)).sum())
