"""Drafting legal names: what a monitor allows becomes a tree of tokens that one pass verifies.

Where one name is left the rest of it is forced, but for how it is cut into tokens: that is the model's choice, so it is
drafted and not skipped, and what is decoded stays the same. Where several are left the tree holds them all, each node
with the share of them that go through it. The cost of a wide pass decides how much of it is run (`DraftSelector`),
which on a CPU is hardly ever more than a forced end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guiderail.cache.tree import ROOT, TokenTree
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.drafting.draft import Draft, Drafter, Verified
from guiderail.decoding.drafting.rates import HitRates
from guiderail.decoding.spec import BuildContext, DrafterSpec, Metadata, parameter

if TYPE_CHECKING:
    from guiderail.decoding.constraints.constraint import Constraint

SHARES = 10  # classes of nodes by the share of the names before them that go through them


@dataclass(frozen=True, kw_only=True)
class NamesSpec(DrafterSpec):
    """Drafts the names that monitors allow."""

    metadata = Metadata(
        summary="what monitors leave of a name: its forced end, or all that is legal as a tree",
        paper="",
        cost="no forward pass; microseconds a name",
        use="with monitors, as auto does; without them it proposes nothing",
    )
    names: int = parameter(32, "most names of a draft", low=1, high=1000)

    def build(self, context: BuildContext) -> ListedNames:
        """See `DrafterSpec.build`."""
        return ListedNames(context.vocabulary, self.names)


class ListedNames(Drafter):
    """Drafts the names that constraints list.

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
        """The names listed by the first constraint that lists any; see `Drafter.propose`."""
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
        self._rates.learn(verified, self)

    def _tokens(self, text: bytes) -> list[int]:
        """Tokenise a text by the longest match from the left, as models nearly always do with a name."""
        tokens = []
        while text:
            node = self._vocabulary.longest_prefix(text)
            if node < 0:
                break
            token = int(self._vocabulary.ids[node])
            tokens.append(token)
            text = text[len(self._vocabulary.token_bytes[token]) :]
        return tokens
