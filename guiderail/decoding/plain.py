"""Plain decoding: one token after the other, greedy or sampled, with drafts where they pay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.cache.tree import TokenTree
from guiderail.decoding.constraint import Constraint, choose
from guiderail.decoding.draft import Draft, Verified
from guiderail.decoding.drafting import Drafting
from guiderail.decoding.method import Event, FinishedEvent, Request, staged
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

    Without drafts a token is one forward pass. With them a pass runs the last token and a draft behind it, and as many
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
        while not cancelled:
            raw = walk.logits[: len(request.token_bytes)]
            scores = staged(raw, ids, len(ids) - prompt, request)
            token = choose(constraints, scores, Verifier(self.choose, *walk.candidates()))
            for constraint in constraints:
                constraint.accept(token)
            ids.append(token)
            before, writing = writing, writing.add(token)
            if len(writing.tokens) > len(before.tokens):
                yield writing.event(raw)
            if writing.finish:
                break
            if not walk.descend(token):
                self._settle(session, walk)
                cancelled = request.cancelled()
                if not cancelled:
                    walk = self._run(session, ids, constraints, writing.room - 1)
        self._settle(session, walk)
        if self._drafting:
            self._drafting.finish(ids)
        yield FinishedEvent(writing.finish or "cancelled", writing.text)

    def _run(self, session: Session, ids: Sequence[int], constraints: Sequence[Constraint], room: int) -> _Walk:
        """The pass behind the token that was chosen last, with a draft if one pays."""
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


def advance(session: Session, token: int) -> torch.Tensor:
    """Feed one token; the model's scores behind it, float32 [at least the vocabulary]."""
    logits = session.feed([token])
    assert logits is not None, "a single token is one chunk"
    return logits
