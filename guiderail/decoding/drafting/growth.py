"""Growing a draft from the distributions of a model that drafts.

All shapes but one grow in the same way: the place that verification is likeliest to reach comes next, until a budget of
nodes is spent or no place is worth its price (DySpec, arXiv 2410.11744; the threshold is SpecDec++'s, arXiv
2405.19715). The shapes differ in how many tokens one place may have. "rsd-s" grows level by level, as a beam search
does (RSD-S, arXiv 2402.14160). At a temperature tokens are drawn, and all that was drawn is verified; with greedy
decoding they are the likeliest.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from guiderail.cache.tree import ROOT, TokenTree
from guiderail.decoding.drafting.draft import Draft, Verified
from guiderail.decoding.drafting.rates import HitRates

if TYPE_CHECKING:
    from guiderail.decoding.sampling import Sampler

CLASSES = 10  # classes of tokens by the drafting model's probability
SHAPES = ("dyspec", "chain", "rsd", "rsd-s", "spectr")

# The drafting model's scores after each node that the tree has got since it was last asked, [new nodes, vocabulary];
# asked with an empty tree, those after the sequence.
Scores = Callable[[TokenTree], torch.Tensor]


def class_of(probability: float) -> int:
    """The class of a token that the drafting model gives this probability."""
    return min(int(probability * CLASSES), CLASSES - 1)


def new_rates() -> HitRates:
    """How often tokens of each class are right, before anything is known: as often as their model believes."""
    return HitRates([(one + 0.5) / CLASSES for one in range(CLASSES)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a draft may look like.

    Parameters
    ----------
    tree
        "chain": one token after the other. "rsd": `width` chains that begin with different tokens, drawn without
        replacement (RSD-C, arXiv 2402.14160). "rsd-s": the `width` likeliest places of each level, at a temperature a
        sample of that many without replacement (RSD-S). "spectr": `width` chains drawn independently (arXiv
        2310.15141), which with greedy decoding are one. "dyspec": a tree that branches wherever that is the likeliest.
    nodes, depth
        Tokens of a draft, and in a row, at most.
    width
        Chains of "rsd" and "spectr", places of a level of "rsd-s".
    """

    tree: str = "dyspec"
    nodes: int = 16
    depth: int = 12
    width: int = 2

    def children(self, parent: int) -> int:
        """How many tokens may follow a node."""
        if self.tree == "dyspec":
            return self.nodes
        return self.width if self.tree == "rsd" and parent == ROOT else 1


@dataclass(order=True, slots=True)
class _Place:
    """Where tokens may be added: the likeliest to be reached comes first, of equal ones the oldest."""

    order: tuple[float, int]
    parent: int = field(compare=False)
    draws: int = field(compare=False)  # independent ones, or how many siblings there are already

    @property
    def reach(self) -> float:
        """The guessed probability that verification gets here."""
        return -self.order[0]


@dataclass(frozen=True, slots=True)
class _Beam:
    """A place of the last level: its node, its chance, its log-probability, and what it was ordered by."""

    node: int
    reach: float
    total: float
    key: float


class Growth:
    """One draft while it grows.

    Parameters
    ----------
    shape
        What it may look like.
    scores
        The drafting model.
    sampler
        How tokens are drawn.
    rates
        How often a token of each class was right, where verification got to it.
    """

    def __init__(self, shape: Shape, scores: Scores, sampler: Sampler, rates: HitRates) -> None:
        self._shape = shape
        self._scores = scores
        self._sampler = sampler
        self._rates = rates
        self._is_greedy = sampler.sampling.greedy
        self._independent = shape.tree == "spectr" and not self._is_greedy
        self.draft = Draft(TokenTree(), [], is_whole=not self._is_greedy)
        self._left: list[torch.Tensor] = []  # what is left to draw from after the sequence, then after each node
        self._places: list[_Place] = []
        self._found = 0

    def grow(self, room: int, is_worthwhile: Callable[[float], bool]) -> Draft:
        """Grow the draft.

        Parameters
        ----------
        room
            Tokens in a row at most.
        is_worthwhile
            Whether a place that is reached with this probability is worth a token.
        """
        depth = min(room, self._shape.depth)
        if self._shape.tree == "rsd-s":
            return self._grow_levels(depth, is_worthwhile)
        self._push(1.0, ROOT, self._shape.width if self._independent else 0)
        while self._places and len(self.draft.tree) < self._shape.nodes:
            place = heapq.heappop(self._places)
            if not is_worthwhile(place.reach):
                break
            if self._independent:
                self._draw_all(place, depth)
            else:
                self._draw_next(place, depth)
        return self.draft

    def _grow_levels(self, depth: int, is_worthwhile: Callable[[float], bool]) -> Draft:
        """Grow level by level: of all that may follow the last level, as many as it is wide.

        What decides how many follow a node are values that say nothing of which tokens they are, given those before:
        of perturbed log-probabilities the largest is independent of whose it is. So siblings are a sample without
        replacement, in their order, however many are kept.
        """
        level = [_Beam(ROOT, 1.0, 0.0, 0.0)]
        for _ in range(depth):
            level = [one for one in level if is_worthwhile(one.reach)]
            if not level or len(self.draft.tree) + self._shape.width > self._shape.nodes:
                break
            level = [self._add_to(*found) for found in self._best(level)]
        return self.draft

    def _best(self, level: list[_Beam]) -> list[tuple[_Beam, int, float, float]]:
        """The best tokens after a level: each with its parent, its log-probability and what it is ordered by."""
        found = []
        for one in level:
            total = one.total + self._distribution(one.node).double().log()
            keys = total if self._is_greedy else perturbed(total, one.key, self._sampler.generator)
            best = keys.topk(min(self._shape.width, len(keys)))
            found += [
                (one, token, float(total[token]), key)
                for token, key in zip(best.indices.tolist(), best.values.tolist(), strict=True)
                if key > -math.inf
            ]
        return sorted(found, key=lambda item: -item[-1])[: self._shape.width]

    def _add_to(self, parent: _Beam, token: int, total: float, key: float) -> _Beam:
        place = _Place((-parent.reach, 0), parent.node, 0)
        node, chance = self._add(place, token, math.exp(total - parent.total))
        return _Beam(node, chance, total, key)

    def _draw_next(self, place: _Place, depth: int) -> None:
        """Add one token: the likeliest, or one drawn from what the siblings before it left."""
        left = self._distribution(place.parent)
        token = int(left.argmax()) if self._is_greedy else self._sampler.draw(left)
        probability = float(left[token])
        node, chance = self._add(place, token, probability)
        rest = left.index_fill(0, torch.tensor([token]), 0.0)
        total = float(rest.sum())
        if total > 0:
            self._left[place.parent + 1] = rest / total
            if place.draws + 1 < self._shape.children(place.parent):
                self._push(place.reach - chance, place.parent, place.draws + 1)
        if self.draft.tree.depths[node] + 1 < depth:
            self._push(chance, node, 0)

    def _draw_all(self, place: _Place, depth: int) -> None:
        """Draw one token for each chain that is here, all or none: how many must not depend on which they are."""
        if len(self.draft.tree) + place.draws > self._shape.nodes:
            return
        q = self._distribution(place.parent)
        tokens = [self._sampler.draw(q) for _ in range(place.draws)]
        self.draft.repeated[place.parent] = tokens
        for token in dict.fromkeys(tokens):
            node, chance = self._add(place, token, float(q[token]))
            if self.draft.tree.depths[node] + 1 < depth:
                self._push(chance, node, tokens.count(token))

    def _add(self, place: _Place, token: int, probability: float) -> tuple[int, float]:
        """Add a node; the node, and the chance that it is decoded."""
        label = class_of(probability)
        chance = place.reach * self._rates[label]
        self.draft.chances.append(chance)
        self.draft.labels.append(label)
        return self.draft.tree.add(token, place.parent), chance

    def _push(self, reach: float, parent: int, draws: int) -> None:
        self._found += 1
        heapq.heappush(self._places, _Place((-reach, self._found), parent, draws))

    def _distribution(self, parent: int) -> torch.Tensor:
        """What is left to draw from after a node; if it was not run yet, all new nodes are."""
        if parent + 1 >= len(self._left):
            for row in self._scores(self.draft.tree):
                q = row.softmax(-1).cpu() if self._is_greedy else self._sampler.probabilities(row)
                if not self._is_greedy:
                    self.draft.drawn[len(self._left) - 1] = q
                self._left.append(q)
        return self._left[parent + 1]


def perturbed(total: torch.Tensor, most: float, generator: torch.Generator) -> torch.Tensor:
    """Log-probabilities (float64 [n]) plus Gumbel noise, given that the largest is `most`.

    Stochastic beam search (Kool et al. 2019, arXiv 1903.06059, appendix B.3): the largest of all leaves are then a
    sample without replacement.
    """
    uniform = torch.rand(len(total), generator=generator, dtype=torch.float64).clamp_min(1e-300)
    noisy = total - (-uniform.log()).log()
    lift = most - noisy + torch.log1p(-(noisy - noisy.max()).exp())
    return most - lift.clamp_min(0) - torch.log1p((-lift.abs()).exp())


def learn(rates: HitRates, verified: Verified) -> None:
    """Count the tokens of a grown draft that verification got to: of siblings those up to the one that was right."""
    assert verified.draft is not None
    for node in verified.path:
        for child in verified.tree.children(node):
            is_hit = child in verified.path
            rates.add(verified.draft.labels[child - 1], is_hit)
            if is_hit:
                break
