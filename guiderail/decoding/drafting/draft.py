"""The contract of a drafter: it proposes tokens that one forward pass then verifies."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guiderail.cache.tree import ROOT, TokenTree

if TYPE_CHECKING:
    import torch

    from guiderail.decoding.constraints.constraint import Constraint
    from guiderail.decoding.sampling import Sampling
    from guiderail.decoding.stages.ngram_counts import NgramCounts


@dataclass(slots=True)
class Draft:
    """A tree of proposed tokens.

    Parameters
    ----------
    tree
        After the token that was decoded last.
    chances
        For each node, the guessed probability that decoding gets there: a node's is at most its parent's. It decides
        how much of the draft is worth running; a wrong guess costs time and nothing else.
    drawn
        Where children were drawn at random, in their order: by their parent (`ROOT` included) the distribution they
        were drawn from, float32 [vocabulary]. They were drawn without replacement, unless `repeated` has them. Empty
        where the children were picked and not drawn. What decides whether a token is drawn at all may depend on those
        drawn before it, and not on itself.
    repeated
        Where children were drawn independently: by their parent the tokens in the order drawn, those that came again
        included. How many they are must not depend on which they are.
    labels
        The drafter's own notes on each node, given back to it with the result.
    plan
        Where children were drawn: the chances of all nodes that there might have been, falling; `labels` then are a
        node's place in it. What is run is decided by it, and so does not depend on what was drawn.
    is_whole
        Whether all of it is run or none, as the drafter's promise decides: it was drawn, without a plan. A token that
        is left out because of what it is would change the distribution.
    owner
        Who drafted; set by `DraftSelector`.
    """

    tree: TokenTree
    chances: list[float]
    drawn: dict[int, torch.Tensor] = field(default_factory=dict)
    repeated: dict[int, list[int]] = field(default_factory=dict)
    labels: list[int] = field(default_factory=list)
    plan: Sequence[float] = ()
    is_whole: bool = False
    owner: Drafter | None = None

    def best(self, count: int) -> Draft:
        """Cut the draft to its `count` likeliest nodes, or those of the first `count` places of the plan.

        Of equal chances those that were added first. A whole draft stays as it is.
        """
        if self.is_whole:
            return self
        nodes = range(len(self.tree))
        if self.plan:
            kept = [node for node in nodes if self.labels[node] < count]
        else:
            kept = sorted(sorted(nodes, key=lambda node: (-self.chances[node], node))[:count])
        place = {ROOT: ROOT} | {node: i for i, node in enumerate(kept)}
        tree = TokenTree()
        for node in kept:
            tree.add(self.tree.tokens[node], place[self.tree.parents[node]])
        return Draft(
            tree,
            [self.chances[node] for node in kept],
            {place[node]: q for node, q in self.drawn.items() if node in place},
            labels=[self.labels[node] for node in kept] if self.labels else [],
            plan=self.plan,
            owner=self.owner,
        )


@dataclass(frozen=True, slots=True)
class Verified:
    """One forward pass and its result.

    Parameters
    ----------
    ids
        The sequence before the pass.
    tree
        What was run: node 0 is the token that had been decoded, node i + 1 the draft's node i.
    logits
        After each node, float32 [nodes, at least the vocabulary].
    path
        The nodes that turned out to be decoded, from node 0 on.
    draft
        What was drafted; None if nothing was.
    """

    ids: Sequence[int]
    tree: TokenTree
    logits: torch.Tensor
    path: Sequence[int]
    draft: Draft | None = None


class Drafter(ABC):
    """Proposes tokens. Whatever it proposes, what is decoded stays the same; only the speed changes.

    It is kept between requests, and used by one thread at a time.
    """

    @property
    def promise(self) -> float:
        """Tokens that its drafts usually bring in the time of one pass, the time of drafting included.

        Where another draft promises more it is not asked. Infinite for those that draft in no time.
        """
        return math.inf

    def wait(self) -> None:  # noqa: B027
        """Wait until all that drafts is loaded."""

    def prepare(self, sampling: Sampling) -> None:  # noqa: B027
        """Learn how the next text's tokens are going to be chosen; called before `begin`."""

    def begin(self, ids: Sequence[int], project: NgramCounts | None) -> None:  # noqa: B027
        """Prepare for a text after the prompt `ids`; `project` holds the project's other files, if any."""

    @abstractmethod
    def propose(self, ids: Sequence[int], constraints: Sequence[Constraint], room: int) -> Draft | None:
        """Propose what may come after `ids` (the prompt, and all that was decoded), at most `room` tokens deep.

        The constraints have accepted what was decoded; they may be asked for masks, and moved on if they are rolled
        back. None for no idea.
        """

    def learn(self, verified: Verified) -> None:  # noqa: B027
        """Learn from the result of a pass; called after every pass, also those without a draft or with another's."""

    def finish(self, ids: Sequence[int]) -> None:  # noqa: B027
        """The text has ended; `ids` is the prompt and all that was decoded."""
