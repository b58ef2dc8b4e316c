"""Drafting by the model itself: its first layers and its unembedding guess what all of its layers will say.

The layer at which a draft ends and the draft's length are chosen as decoding goes, by the tokens that they are expected
to bring for the layers that they run (DEL, arXiv 2504.05598). The guesses of all candidate layers are compared with
what the model then says, more seldom the longer none pays. Drafts use the keys and values that the sequence has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from guiderail.cache.tree import TokenTree
from guiderail.decoding.drafting.by_tokens import legal
from guiderail.decoding.drafting.draft import Draft, Drafter, Verified
from guiderail.decoding.drafting.growth import SHAPES, Growth, Shape, class_of, learn, new_rates
from guiderail.decoding.drafting.pass_cost import PassCosts, pass_costs_of
from guiderail.decoding.drafting.rates import HitRates
from guiderail.decoding.drafting.selector import WORTHWHILE
from guiderail.decoding.sampling import Sampler, Sampling
from guiderail.decoding.spec import BuildContext, DrafterSpec, Metadata, parameter
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from guiderail.decoding.constraints.constraint import Constraint
    from guiderail.decoding.session import Session
    from guiderail.model.model import Model

EIGHTHS = range(2, 8)  # of the model's layers: where a draft may end
PRIOR = 0.5  # share of tokens that a layer guesses, before anything is known
FIRST = 4  # comparisons of all candidates that are made at once; then the passes between two double
MOST_BETWEEN = 512
STREAM = -2  # of random numbers: drafts must not be drawn with those that verify them


@dataclass(frozen=True, kw_only=True)
class EarlyExitSpec(DrafterSpec):
    """Drafts with the model's own first layers."""

    metadata = Metadata(
        summary="the model's first layers propose the next tokens; which layer they end at is chosen as decoding goes",
        paper="DEL, arXiv 2504.05598; early exit without training",
        cost="a part of a pass for each token in a row; no memory",
        use="for models trained to exit early; else no layer pays (Qwen2.5-Coder 0.5B: 22 of 24 are right at 80 %)",
    )
    tree: str = parameter("chain", "the shape of a draft", choices=SHAPES)
    length: int = parameter(6, "most tokens in a row", low=1, high=64)
    nodes: int = parameter(6, "most tokens of a draft", low=1, high=96)
    width: int = parameter(2, "chains of rsd and spectr, tokens of a level of rsd-s", low=1, high=16)
    layer: int = parameter(0, "the layer at which a draft ends; 0 chooses it as decoding goes", low=0, high=1000)

    def build(self, context: BuildContext) -> EarlyExit:
        """See `DrafterSpec.build`."""
        model, session = context.model, context.session
        if session is None or not model.can_exit:
            raise UsageError(f"{model.info.name} cannot stop after its first layers", "Choose another drafter")
        if self.layer >= model.layers:
            raise UsageError(f"early-exit.layer is {self.layer}", f"The model has {model.layers} layers")
        shape = Shape(tree=self.tree, nodes=self.nodes, depth=self.length, width=self.width)
        pass_costs = context.kept(PassCosts, lambda: pass_costs_of(model))
        return EarlyExit(session, exits_of(model, self.layer), pass_costs, shape)


@dataclass(slots=True)
class Exit:
    """A layer at which a draft may end.

    Parameters
    ----------
    layers
        That are run.
    cost
        Of a pass that ends there, in passes over all layers.

    Attributes
    ----------
    right
        How often its likeliest token is the model's.
    rates
        How often drafted tokens are right, by their probability: of greedy decoding (True), and of draws.
    """

    layers: int
    cost: float
    right: HitRates = field(default_factory=lambda: HitRates([PRIOR]), init=False)
    rates: dict[bool, HitRates] = field(default_factory=lambda: {True: new_rates(), False: new_rates()}, init=False)

    def gain(self, pass_cost: Callable[[int], float], length: int) -> float:
        """Tokens expected in the time of one pass with drafts of the best length, `length` at most."""
        share = self.right[0]
        best, expected, reach = 0.0, 1.0, 1.0
        for count in range(1, length + 1):
            reach *= share
            expected += reach
            best = max(best, expected / (count * self.cost + pass_cost(count + 1)))
        return best


def exits_of(model: Model, layer: int = 0) -> list[Exit]:
    """The candidates; the unembedding, which each of them runs too, counts by its share of the weights."""
    chosen = [layer] if layer else sorted({max(1, model.layers * part // 8) for part in EIGHTHS} - {model.layers})
    head = min(model.info.table / max(model.info.parameters, 1), 0.9)
    return [Exit(layers, head + (1 - head) * layers / model.layers) for layers in chosen]


class EarlyExit(Drafter):
    """Drafts with the first layers of the model that is drafted for.

    Parameters
    ----------
    session
        The model's sequence, which lacks the token that was decoded last.
    exits
        Where drafts may end.
    pass_cost
        The cost of a pass, in passes over one token.
    shape
        What a draft may look like.
    """

    def __init__(
        self, session: Session, exits: Sequence[Exit], pass_cost: Callable[[int], float], shape: Shape
    ) -> None:
        self._session = session
        self._vocabulary = len(session.model.tokenizer.token_bytes)
        self._exits = exits
        self._pass_cost = pass_cost
        self._shape = shape
        self._sampler = Sampler(Sampling())
        self._used: Exit | None = None  # of the last draft
        self._guesses: list[tuple[int, int]] = []  # of all candidates for the pass that comes, with their classes
        self._compared, self._wait = 0, 0

    @property
    def promise(self) -> float:
        """See `Drafter.promise`; without bound where the candidates are to be compared."""
        return math.inf if self._is_due else self._gain(self._best)

    @property
    def _is_due(self) -> bool:
        return self._wait == 0 and not self._guesses and len(self._exits) > 0

    @property
    def _best(self) -> Exit:
        return max(self._exits, key=self._gain)

    def _gain(self, one: Exit) -> float:
        return one.gain(self._pass_cost, self._shape.depth)

    def prepare(self, sampling: Sampling) -> None:
        """See `Drafter.prepare`."""
        self._sampler = Sampler(sampling, STREAM)
        self._guesses = []

    @torch.inference_mode()
    def propose(self, ids: Sequence[int], constraints: Sequence[Constraint], room: int) -> Draft | None:
        """What the best candidate guesses; see `Drafter.propose`."""
        if self._is_due:
            self._guesses = [self._guess(one, ids[-1]) for one in self._exits]
        one = self._best
        if self._gain(one) <= WORTHWHILE:
            return None
        run = TokenTree.chain(ids[-1:])

        def scores(tree: TokenTree) -> torch.Tensor:
            if not len(tree):
                return legal(self._scores(one, run)[0], constraints)[None]
            for node in range(len(run) - 1, len(tree)):
                run.add(tree.tokens[node], tree.parents[node] + 1)
            return self._scores(one, run)

        self._used = one
        is_greedy = self._sampler.sampling.greedy
        nodes = self._shape.nodes
        price = one.cost + (0.0 if is_greedy else (self._pass_cost(nodes + 1) - 1) / nodes)
        growth = Growth(self._shape, scores, self._sampler, one.rates[is_greedy])
        return growth.grow(room, lambda reach: reach > price)

    def _guess(self, one: Exit, token: int) -> tuple[int, int]:
        """A candidate's likeliest token after one that comes next, and the class of its probability."""
        q = self._scores(one, TokenTree.chain([token]))[0].softmax(-1)
        return int(q.argmax()), class_of(float(q.max()))

    def _scores(self, one: Exit, tree: TokenTree) -> torch.Tensor:
        return self._session.feed_tree(tree, layers=one.layers)[:, : self._vocabulary]

    def learn(self, verified: Verified) -> None:
        """See `Drafter.learn`; a comparison counts whoever drafted."""
        said = int(verified.logits[0, : self._vocabulary].argmax())
        if self._guesses:
            for one, (guess, label) in zip(self._exits, self._guesses, strict=True):
                one.right.add(0, guess == said)
                one.rates[True].add(label, guess == said)
            self._guesses = []
            self._compared += 1
            self._wait = 0 if self._compared < FIRST else min(1 << (self._compared - FIRST + 2), MOST_BETWEEN)
        elif self._wait:
            self._wait -= 1
        draft = verified.draft
        if draft is None or draft.owner is not self or self._used is None:
            return
        learn(self._used.rates[self._sampler.sampling.greedy], verified)
        self._used.right.add(0, draft.tree.tokens[0] == said)
