"""Plain decoding: one token after the other, greedy or sampled, with drafts where they pay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.cache.tree import TokenTree
from guiderail.decoding.ahead import Ahead, Step
from guiderail.decoding.constraint import Constraint
from guiderail.decoding.draft import Draft, Verified
from guiderail.decoding.drafting import Drafting
from guiderail.decoding.method import Event, FinishedEvent, Request, TokenEvent, staged
from guiderail.decoding.part import About, MethodPart, Situation
from guiderail.decoding.sampling import Chooser, Sampling
from guiderail.decoding.verification import Verifier
from guiderail.decoding.writing import Writing

if TYPE_CHECKING:
    from guiderail.decoding.session import Session


@dataclass(frozen=True, kw_only=True)
class PlainPart(MethodPart):
    """Greedy decoding, or sampling where there is a temperature."""

    about = About(
        summary="the likeliest token, or with a temperature a drawn one, one after the other",
        paper="sampling: arXiv 1904.09751 (top-p), 2407.01082 (min-p); verified drafts: 2211.17192, 2402.14160",
        cost="one forward pass a token; fewer with drafters",
        drafters=True,
    )

    def build(self, situation: Situation) -> Plain:
        """See `MethodPart.build`."""
        return Plain(situation.sampling, situation.index, situation.drafting)


class Plain:
    """Greedy decoding or sampling.

    Without drafts a token is one forward pass. With them a pass runs the last token and a draft after it, and as many
    tokens are decoded as the draft has right, and one more. The tokens are those of decoding without drafts: at greedy
    and with drafts that were picked the same ones, with drafts that were drawn the same in distribution.

    Parameters
    ----------
    sampling
        How a token is chosen.
    index
        Which of several suggestions this is.
    drafting
        Who drafts; nobody by default.
    """

    def __init__(self, sampling: Sampling, index: int = 0, drafting: Drafting | None = None) -> None:
        self.choose = Chooser(sampling, index)
        self._drafting = drafting

    def decode(
        self, session: Session, logits: torch.Tensor, request: Request, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`."""
        writing, ids, prompt = Writing(request), list(session.ids), len(session.ids)
        walk = _Walk(TokenTree(), logits[None])
        cancelled = request.cancelled()
        if self._drafting:
            self._drafting.begin(ids)
        ahead = Ahead(self.choose, constraints)
        while not cancelled:
            raw = walk.logits[: len(request.token_bytes)]
            scores, drawn = staged(raw, ids, len(ids) - prompt, request), ahead.state()
            drafted = walk.candidates()
            token, stands = ahead.choose(scores, Verifier(self.choose, *drafted))
            before, writing = writing, writing.add(token)
            again = Verifier(self.choose, *drafted)  # one serves once
            ahead.add(Step(len(ids), token, before, writing, raw, scores, again, drawn), stands=stands)
            ids.append(token)
            other = ahead.check(wait=writing.finish is not None)
            if other is not None:
                writing = other.after = other.before.add(other.token)
                self._go_back(session, walk, ids, other)
            yield from _events(ahead.taken())
            if writing.finish:
                break
            if other is not None or not walk.descend(token):
                self._settle(session, walk)
                cancelled = request.cancelled()
                if not cancelled:
                    walk = self._run(session, ids, constraints, writing.room - 1)
        self._settle(session, walk)
        if self._drafting:
            self._drafting.finish(ids)
        known = writing if ahead.is_certain else ahead.first.before
        yield FinishedEvent(known.finish or "cancelled", known.text)

    def _go_back(self, session: Session, walk: _Walk, ids: list[int], step: Step) -> None:
        """Make the sequence end with the token of a step that is another one now."""
        begun = session.length - (walk.draft is None)  # where the pass's first token stands; without a draft it was fed
        if not walk.settled:
            walk.path = walk.path[: max(0, step.place - begun)]
        self._settle(session, walk)
        session.rollback(max(0, session.length - step.place))
        ids[step.place :] = [step.token]

    def _run(self, session: Session, ids: Sequence[int], constraints: Sequence[Constraint], room: int) -> _Walk:
        """The pass after the token that was chosen last, with a draft if one pays."""
        draft = self._drafting.draft(ids, constraints, room) if self._drafting else None
        tree = TokenTree.chain(ids[-1:])
        if draft is None:
            return _Walk(tree, advance(session, ids[-1])[None])
        for token, parent in zip(draft.tree.tokens, draft.tree.parents, strict=True):
            tree.add(token, parent + 1)
        return _Walk(tree, session.feed_tree(tree), draft)

    def _settle(self, session: Session, walk: _Walk) -> None:
        """Make what was decoded of a pass part of the sequence, once, and tell the drafters what came of it."""
        if walk.settled or not walk.path:
            return
        walk.settled = True
        if walk.draft is not None:
            session.keep(walk.path)
        if self._drafting:
            before = session.ids[: len(session.ids) - len(walk.path)]
            self._drafting.learn(Verified(before, walk.tree, walk.rows, walk.path, walk.draft))


class _Walk:
    """A forward pass over a tree, and how far down it has been decoded; with an empty tree, the prompt's pass."""

    def __init__(self, tree: TokenTree, rows: torch.Tensor, draft: Draft | None = None) -> None:
        self.tree = tree
        self.rows = rows
        self.draft = draft
        self.path = [0] if len(tree) else []
        self.settled = False

    @property
    def logits(self) -> torch.Tensor:
        """The model's scores where the walk stands."""
        return self.rows[self.path[-1] if self.path else 0]

    def candidates(self) -> tuple[list[int], torch.Tensor | None]:
        """What was drafted here, and what it was drawn from."""
        if self.draft is None:
            return [], None
        node = self.path[-1]
        return [self.tree.tokens[child] for child in self.tree.children(node)], self.draft.drawn.get(node - 1)

    def descend(self, token: int) -> bool:
        """Step to the child with this token; whether there is one."""
        if self.draft is not None:
            for child in self.tree.children(self.path[-1]):
                if self.tree.tokens[child] == token:
                    self.path.append(child)
                    return True
        return False


def _events(steps: Sequence[Step]) -> Iterator[TokenEvent]:
    """What is to be told of steps that stand; a token that ends the text without belonging to it is no event."""
    for step in steps:
        if len(step.after.tokens) > len(step.before.tokens):
            yield step.after.event(step.raw)


def advance(session: Session, token: int) -> torch.Tensor:
    """Feed one token; the model's scores after it, float32 [at least the vocabulary]."""
    logits = session.feed([token])
    assert logits is not None, "a single token is one chunk"
    return logits
