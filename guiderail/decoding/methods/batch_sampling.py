"""Batch sampling: several texts are drawn at once, one token of each in every forward pass.

Drawn one after the other, each text reads all weights for every token. But texts do not depend on each other, so they
are branches of one tree after the prompt. Each has random numbers, stages and constraints of its own. Its tokens are
those that it would have alone (`Plain`), but for the rounding of a wider pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from guiderail.cache.tree import ROOT, TokenTree
from guiderail.decoding.constraints.choice import choose
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, TokenEvent, staged
from guiderail.decoding.partial_text import PartialText

if TYPE_CHECKING:
    import torch

    from guiderail.decoding.sampling import Sampler
    from guiderail.decoding.session import Session


class SampledText:
    """One of the texts that are drawn together.

    Parameters
    ----------
    request
        What ends it, and its stages; `n` has no meaning here.
    constraints
        Its own.
    sampler
        How its tokens are chosen.
    ids
        The sequence that it begins after.
    logits
        The model's scores there, float32 [at least the vocabulary].
    """

    def __init__(
        self,
        request: DecodeRequest,
        constraints: Sequence[Constraint],
        sampler: Sampler,
        ids: Sequence[int],
        logits: torch.Tensor,
    ) -> None:
        self.text = PartialText(request)
        self.node = ROOT
        self._constraints = constraints
        self._chooser = sampler
        self._ids = list(ids)
        self._prompt = len(self._ids)
        self._events: list[TokenEvent] = []
        self.move(logits)

    @property
    def token(self) -> int:
        """The last chosen token."""
        return self._ids[-1]

    @property
    def awaits(self) -> bool:
        """Whether the next token depends on an answer that has not come yet."""
        return any(one.awaits(None) for one in self._constraints)

    def move(self, logits: torch.Tensor, node: int = ROOT) -> None:
        """Go on from this node of the tree, after which the model's scores are `logits`."""
        self._raw, self.node = logits[: len(self.text.request.token_bytes)], node

    def step(self) -> None:
        """Choose the next token; waits for the answers that it depends on."""
        before = self.text
        scores = staged(self._raw, self._ids, len(self._ids) - self._prompt, before.request)
        token = choose(self._constraints, scores, self._chooser)
        for constraint in self._constraints:
            constraint.accept(token)
        self._ids.append(token)
        self.text = before.add(token)
        if len(self.text.tokens) > len(before.tokens):
            self._events.append(self.text.event(self._raw))

    def events(self) -> Iterator[Event]:
        """The events of its tokens and of its end."""
        yield from self._events
        yield FinishedEvent(self.text.finish or "cancelled", self.text.text)


def sample_batch(session: Session, draws: Sequence[SampledText], cancelled: Callable[[], bool]) -> None:
    """Decode the texts to their ends, side by side after the session's sequence, which stays as it is."""
    tree, live = TokenTree(), list(draws)
    while live and not cancelled():
        # A text that waits for an answer is left out while another can go on.
        moved = [one for one in live if not one.awaits] or live[:1]
        for one in moved:
            one.step()
        live = [one for one in live if not one.text.finish]
        moved = [one for one in moved if not one.text.finish]
        if moved:
            nodes = [tree.add(one.token, one.node) for one in moved]
            rows = session.feed_tree(tree)[-len(moved) :]
            for one, row, node in zip(moved, rows, nodes, strict=True):
                one.move(row, node)
