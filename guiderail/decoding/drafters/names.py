"""Drafting from the names that are legal: what a monitor allows is a tree of tokens, verified in one pass.

Where one name is left the rest of it is forced, but for how it is cut into tokens: that is the model's choice, so it is
drafted and not skipped, and what is decoded stays the same. Where several are left the tree holds them all, each node
with the share of them that go through it; the price of a wide pass decides how much of it is run (`Drafting`), which on
a CPU is hardly ever more than a forced end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guiderail.cache.tree import ROOT, TokenTree
from guiderail.decoding.draft import Draft, Drafter, Verified
from guiderail.decoding.drafters.rates import HitRates, tried
from guiderail.decoding.part import About, DrafterPart, Situation, parameter
from guiderail.decoding.vocabulary import Vocabulary

if TYPE_CHECKING:
    from guiderail.decoding.constraint import Constraint

SHARES = 10  # classes of nodes by the share of the names before them that go through them


@dataclass(frozen=True, kw_only=True)
class NamesPart(DrafterPart):
    """Drafts the names that monitors allow."""

    about = About(
        summary="what monitors leave of a name: its forced end, or all that is legal as a tree",
        paper="",
        cost="no forward pass; microseconds a name",
    )
    names: int = parameter(32, "most names of a draft", low=1, high=1000)

    def build(self, situation: Situation) -> ListedNames:
        """See `DrafterPart.build`."""
        return ListedNames(situation.vocabulary, self.names)


class ListedNames(Drafter):
    """The drafter.

    Parameters
    ----------
    vocabulary
        The model's tokens by their bytes.
    most
        Names of a draft at most: of more, each is too unlikely.
    """

    def __init__(self, vocabulary: Vocabulary, most: int = 32) -> None:
        self._vocabulary = vocabulary
        self._most = most
        self._rates = HitRates([(share + 0.5) / (SHARES + 1) for share in range(SHARES + 1)])

    def propose(self, ids: Sequence[int], constraints: Sequence[Constraint], room: int) -> Draft | None:
        """The names that the first constraint allows that lists some; see `Drafter.propose`."""
        listed = (c.continuations(self._most) for c in constraints)
        paths = [self._tokens(rest)[:room] for rest in next(filter(None, listed), ())]
        if not any(paths):
            return None
        through = Counter(tuple(path[:depth]) for path in paths for depth in range(len(path) + 1))
        draft = Draft(TokenTree(), [])
        nodes: dict[tuple[int, ...], int] = {(): ROOT}
        for prefix in sorted(through, key=lambda one: (len(one), -through[one], one)):
            if prefix:
                parent = prefix[:-1]
                nodes[prefix] = draft.tree.add(prefix[-1], nodes[parent])
                label = through[prefix] * SHARES // through[parent]
                above = draft.chances[nodes[parent]] if parent else 1.0
                draft.labels.append(label)
                draft.chances.append(above * self._rates[label])
        return draft

    def learn(self, verified: Verified) -> None:
        """See `Drafter.learn`."""
        draft = verified.draft
        if draft is not None and draft.owner is self:
            for node, hit in tried(verified):
                self._rates.add(draft.labels[node - 1], hit)

    def _tokens(self, text: bytes) -> list[int]:
        """A text cut into the longest tokens from the left, as models nearly always cut a name."""
        tokens = []
        while text:
            node = self._vocabulary.longest_prefix(text)
            if node < 0:
                break
            token = int(self._vocabulary.ids[node])
            tokens.append(token)
            text = text[len(self._vocabulary.token_bytes[token]) :]
        return tokens
