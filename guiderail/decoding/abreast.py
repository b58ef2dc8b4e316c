"""Several drawn texts at once: one token of each in every forward pass.

Drawn one after the other, each text reads all weights for every token. But texts do not depend on each other, so they
are branches of one tree after the prompt. Each has random numbers, stages and constraints of its own and says what it
would say alone (`Plain`), but for the rounding of a wider pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from guiderail.cache.tree import ROOT, TokenTree
from guiderail.decoding.choice import choose
from guiderail.decoding.constraint import Constraint
from guiderail.decoding.method import Event, FinishedEvent, Request, TokenEvent, staged
from guiderail.decoding.writing import Writing

if TYPE_CHECKING:
    import torch

    from guiderail.decoding.sampling import Chooser
    from guiderail.decoding.session import Session


class Draw:
    """One of the texts.

    Parameters
    ----------
    request
        What ends it, and its stages; `n` has no meaning here.
    constraints
        Its own.
    chooser
        How its tokens are chosen.
    ids
        The sequence that it begins after.
    logits
        The model's scores there, float32 [at least the vocabulary].
    """

    def __init__(
        self,
        request: Request,
        constraints: Sequence[Constraint],
        chooser: Chooser,
        ids: Sequence[int],
        logits: torch.Tensor,
    ) -> None:
        self.writing = Writing(request)
        self.node = ROOT
        self._constraints = constraints
        self._chooser = chooser
        self._ids = list(ids)
        self._prompt = len(self._ids)
        self._events: list[TokenEvent] = []
        self.stand(logits)

    @property
    def token(self) -> int:
        """The one that was chosen last."""
        return self._ids[-1]

    @property
    def awaits(self) -> bool:
        """Whether the next token depends on an answer that has not come yet."""
        return any(one.awaits(None) for one in self._constraints)

    def stand(self, logits: torch.Tensor, node: int = ROOT) -> None:
        """Be where the model's scores are `logits`, after this node of the tree."""
        self._raw, self.node = logits[: len(self.writing.request.token_bytes)], node

    def step(self) -> None:
        """Choose the next token; what is awaited for it is waited for."""
        before = self.writing
        scores = staged(self._raw, self._ids, len(self._ids) - self._prompt, before.request)
        token = choose(self._constraints, scores, self._chooser)
        for constraint in self._constraints:
            constraint.accept(token)
        self._ids.append(token)
        self.writing = before.add(token)
        if len(self.writing.tokens) > len(before.tokens):
            self._events.append(self.writing.event(self._raw))

    def events(self) -> Iterator[Event]:
        """Its tokens and its end."""
        yield from self._events
        yield FinishedEvent(self.writing.finish or "cancelled", self.writing.text)


def draw(session: Session, draws: Sequence[Draw], cancelled: Callable[[], bool]) -> None:
    """Write the texts to their ends, side by side after the session's sequence, which stays as it is."""
    tree, live = TokenTree(), list(draws)
    while live and not cancelled():
        # A text whose answer is on its way stands back while another can go on.
        moved = [one for one in live if not one.awaits] or live[:1]
        for one in moved:
            one.step()
        live = [one for one in live if not one.writing.finish]
        moved = [one for one in moved if not one.writing.finish]
        if moved:
            nodes = [tree.add(one.token, one.node) for one in moved]
            rows = session.feed_tree(tree)[-len(moved) :]
            for one, row, node in zip(moved, rows, nodes, strict=True):
                one.stand(row, node)
