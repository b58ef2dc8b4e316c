"""Speculative decoding: the tokens of plain decoding, with tokens that were drafted and answers that come late.

A pass runs the last token and a draft after it; as many tokens are decoded as the draft has right, and one more (arXiv
2211.17192). A token whose constraint still waits for an answer is chosen without it and checked later
(`deferred_choice`). Either way the tokens are those of `Plain`: the same ones at greedy and with drafts that were
picked, the same in distribution with drafts that were drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch

from guiderail.cache.tree import TokenTree
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.drafting.draft import Draft, Verified
from guiderail.decoding.drafting.selector import DraftSelector
from guiderail.decoding.drafting.verification import Drawn, Verifier
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, advance, staged
from guiderail.decoding.methods.deferred_choice import DeferredChoice, Step
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.sampling import Sampler

if TYPE_CHECKING:
    from guiderail.decoding.session import Session


class Speculative:
    """Decodes a text in passes that may hold several of its tokens.

    Parameters
    ----------
    sampler
        How a token is chosen.
    drafting
        The drafters; None for none.
    """

    def __init__(self, sampler: Sampler, drafting: DraftSelector | None = None) -> None:
        self._chooser = sampler
        self._drafting = drafting

    def decode(
        self, session: Session, logits: torch.Tensor, request: DecodeRequest, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`."""
        run = _Run(self._chooser, self._drafting, session, logits, request, constraints)
        if self._drafting:
            self._drafting.begin(run.ids)
        while not run.text.finish and not request.cancelled():
            run.forward()
            has_scores = True
            while has_scores:
                has_scores = run.step()
                yield from run.certain_events()
            run.settle()
        if self._drafting:
            self._drafting.finish(run.ids)
        text = run.certain_text
        yield FinishedEvent(text.finish or "cancelled", text.text)


class _Run:
    """The decoding of one text.

    Attributes
    ----------
    ids
        The prompt and what was decoded.
    text
        What was decoded, the tokens that are not certain yet included.
    """

    def __init__(
        self,
        sampler: Sampler,
        drafting: DraftSelector | None,
        session: Session,
        logits: torch.Tensor,
        request: DecodeRequest,
        constraints: Sequence[Constraint],
    ) -> None:
        self.ids = list(session.ids)
        self.text = PartialText(request)
        self._prompt = len(self.ids)
        self._chooser, self._drafting = sampler, drafting
        self._session, self._request, self._constraints = session, request, constraints
        self._choices = DeferredChoice(sampler, constraints)
        self._pass = _Pass(TokenTree(), logits[None])

    def forward(self) -> None:
        """Run the last token, with a draft if one pays; nothing where the prompt's scores are still to be used."""
        if len(self.ids) == self._prompt:
            return
        tree = TokenTree.chain(self.ids[-1:])
        draft = self._drafting.draft(self.ids, self._constraints, self.text.room - 1) if self._drafting else None
        if draft is None:
            self._pass = _Pass(tree, advance(self._session, self.ids[-1])[None])
            return
        for token, parent in zip(draft.tree.tokens, draft.tree.parents, strict=True):
            tree.add(token, parent + 1)
        self._pass = _Pass(tree, self._session.feed_tree(tree), draft)

    def step(self) -> bool:
        """Choose the next token; whether the pass holds the scores after it and the text goes on."""
        raw = self._pass.logits[: len(self._request.token_bytes)]
        scores = staged(raw, self.ids, len(self.ids) - self._prompt, self._request)
        verifier = partial(Verifier, self._chooser, self._pass.drawn())
        step = Step(len(self.ids), self.text, raw, scores, verifier)
        self._choices.choose(step)
        self.ids.append(step.token)
        self.text = step.after
        changed = self._choices.check(wait=self.text.finish is not None)
        if changed is not None:
            self._go_back(changed)
        return not self.text.finish and changed is None and self._pass.descend(step.token)

    def certain_events(self) -> Iterator[Event]:
        """The tokens that have become certain; one that ends the text without belonging to it is no event."""
        for step in self._choices.taken():
            if len(step.after.tokens) > len(step.before.tokens):
                yield step.after.event(step.raw)

    @property
    def certain_text(self) -> PartialText:
        """The text up to the first token that is not certain."""
        first = self._choices.first_open
        return self.text if first is None else first.before

    def settle(self) -> None:
        """Append the decoded path of the pass to the session's sequence, once, and tell the drafters."""
        done = self._pass
        if done.settled or not done.path:
            return
        done.settled = True
        if done.draft is not None:
            self._session.keep(done.path)
        if self._drafting:
            before = self._session.ids[: len(self._session.ids) - len(done.path)]
            self._drafting.learn(Verified(before, done.tree, done.rows, done.path, done.draft))

    def _go_back(self, step: Step) -> None:
        """Cut the text and the session's sequence back to a step whose token changed and must be run again."""
        if not self._pass.settled:
            # Where the pass's first token is in the sequence; without a draft it was fed already.
            begun = self._session.length - (self._pass.draft is None)
            self._pass.path = self._pass.path[: max(0, step.position - begun)]
        self.settle()
        self._session.rollback(max(0, self._session.length - step.position))
        self.ids[step.position :] = [step.token]
        self.text = step.after


class _Pass:
    """A forward pass over a tree, and how far down it has been decoded; with an empty tree, the prompt's pass.

    Parameters
    ----------
    tree
        Node 0 is the token that was decoded last, node i + 1 the draft's node i.
    rows
        The model's scores after each node, float32 [nodes, at least the vocabulary].
    draft
        What was drafted; None if nothing was.

    Attributes
    ----------
    path
        The nodes that were decoded, from node 0 on.
    settled
        Whether the session's sequence has them.
    """

    def __init__(self, tree: TokenTree, rows: torch.Tensor, draft: Draft | None = None) -> None:
        self.tree = tree
        self.rows = rows
        self.draft = draft
        self.path = [0] if len(tree) else []
        self.settled = False

    @property
    def logits(self) -> torch.Tensor:
        """The model's scores after the last decoded node."""
        return self.rows[self.path[-1] if self.path else 0]

    def drawn(self) -> Drawn | None:
        """The tokens drawn after the last decoded node; None where there are none, or they were picked."""
        if self.draft is None or (q := self.draft.drawn.get(self.path[-1] - 1)) is None:
            return None
        if repeated := self.draft.repeated.get(self.path[-1] - 1):
            return Drawn(q, repeated, independent=True)
        return Drawn(q, [self.tree.tokens[child] for child in self.tree.children(self.path[-1])])

    def descend(self, token: int) -> bool:
        """Descend to the child with this token; whether there is one."""
        if self.draft is not None:
            for child in self.tree.children(self.path[-1]):
                if self.tree.tokens[child] == token:
                    self.path.append(child)
                    return True
        return False
