"""Token Recycling (Luo et al. 2024, arXiv 2408.08696): the candidates of past steps are the drafts of later ones.

A matrix holds for every token the likeliest tokens after it, as they were when it was last run. A draft is the tree of
candidates of candidates. The paper's tree is fixed; here the tree is grown by how often a candidate of each rank turned
out to be right, and the cost of a pass decides how much of it is run (`DraftSelector`). At the paper's sizes it pays
on a GPU alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guiderail.cache.tree import ROOT, TokenTree
from guiderail.decoding.drafting.draft import Draft, Drafter, Verified
from guiderail.decoding.drafting.rates import HitRates
from guiderail.decoding.spec import BuildContext, DrafterSpec, Metadata, parameter

if TYPE_CHECKING:
    from guiderail.decoding.constraints.constraint import Constraint

PRIORS = (0.4, 0.13, 0.07, 0.05, 0.04, 0.03, 0.02, 0.02)  # of a candidate by its rank, before anything is known


@dataclass(frozen=True, kw_only=True)
class RecyclingSpec(DrafterSpec):
    """Drafts the tree of the tokens that were likeliest after the same tokens earlier."""

    metadata = Metadata(
        summary="draft a tree of the tokens that were likely after the same token earlier",
        paper="Token Recycling, arXiv 2408.08696, sections 3.1 and 3.2",
        cost="no forward pass; 32 bytes a token of the vocabulary, and the best eight of each token that is run",
        use="beside suffix, as auto does; alone it gains little on a CPU",
    )
    nodes: int = parameter(80, "most tokens of a draft", low=1, high=256)
    depth: int = parameter(6, "most tokens in a row", low=1, high=16)

    def build(self, context: BuildContext) -> Recycling:
        """See `DrafterSpec.build`."""
        return Recycling(len(context.vocabulary.token_bytes), self.nodes, self.depth)


class Recycling(Drafter):
    """Drafts from the matrix, which is kept from request to request.

    Parameters
    ----------
    vocabulary
        Ids; what a padded model scores after them is never drafted.
    nodes, depth
        Tokens of a draft, and in a row, at most.
    """

    def __init__(self, vocabulary: int, nodes: int = 80, depth: int = 6) -> None:
        self._vocabulary = vocabulary
        self._nodes = nodes
        self._depth = depth
        self._likeliest: dict[int, list[int]] = {}  # the likeliest tokens after each token that was run
        self._rates = HitRates(PRIORS)

    def propose(self, ids: Sequence[int], constraints: Sequence[Constraint], room: int) -> Draft | None:
        """The tree of the likeliest nodes; see `Drafter.propose`."""
        rates = [self._rates[rank] for rank in range(len(PRIORS))]
        draft = Draft(TokenTree(), [])
        # (-chance, age, token, parent, rank): the likeliest is added next; equal ones in the order they were found.
        heap: list[tuple[float, int, int, int, int]] = []
        found = 0

        def push(token: int, parent: int, chance: float) -> None:
            nonlocal found
            for rank, child in enumerate(self._likeliest.get(token, ())):
                heapq.heappush(heap, (-chance * rates[rank], found, child, parent, rank))
                found += 1

        push(ids[-1], ROOT, 1.0)
        while heap and len(draft.tree) < self._nodes:
            chance, _, token, parent, rank = heapq.heappop(heap)
            node = draft.tree.add(token, parent)
            draft.chances.append(-chance)
            draft.labels.append(rank)
            if draft.tree.depths[node] + 1 < min(self._depth, room):
                push(token, node, -chance)
        return draft

    def learn(self, verified: Verified) -> None:
        """See `Drafter.learn`; every token of the pass counts, the rejected ones too."""
        self._rates.learn(verified, self)
        best = verified.logits[:, : self._vocabulary].topk(min(len(PRIORS), self._vocabulary)).indices.tolist()
        self._likeliest.update(zip(verified.tree.tokens, best, strict=True))
