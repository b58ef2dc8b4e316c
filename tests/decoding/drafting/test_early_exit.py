"""Drafts of a model's own first layers: what they see, which layer is chosen, and that nothing else changes."""

import math
from collections.abc import Sequence
from typing import Any, cast

import pytest
import torch

from guiderail.cache.tree import TokenTree
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.drafting.early_exit import EarlyExit, EarlyExitSpec, Exit, exits_of
from guiderail.decoding.drafting.growth import Shape
from guiderail.decoding.drafting.pass_cost import PassCosts
from guiderail.decoding.drafting.selector import WORTHWHILE, DraftSelector
from guiderail.decoding.method import DecodeRequest, TokenEvent
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.spec import BuildContext
from guiderail.decoding.stops import NeverStop
from guiderail.errors import UsageError
from tests.decoding.drafting.test_growth import SHAPES, expected, not_the_last_one
from tests.helpers.models import tiny_model
from tests.helpers.outcomes import outcomes
from tests.helpers.toy import ToyModel

FREE = PassCosts((1, 2), (1000.0, 1000.0))
PROMPT = list(range(5, 40))


def decode(
    session: Any,  # a `Session`, or a toy one
    prompt: list[int],
    drafter: EarlyExit | None,
    sampling: Sampling,
    tokens: int,
    rules: Sequence[Constraint] = (),
) -> tuple[int, ...]:
    logits = session.fit(prompt)
    request = DecodeRequest(
        token_bytes=[b"x"] * len(session.model.tokenizer.token_bytes), stop=NeverStop(), max_tokens=tokens
    )
    selector = DraftSelector([drafter], FREE, sampling=sampling) if drafter else None
    events = list(Plain(sampling, 0, selector).decode(session, logits, request, rules))
    return tuple(event.id for event in events if isinstance(event, TokenEvent))


@pytest.mark.parametrize("family", ["qwen2", "gemma2", "starcoder2"])
def test_all_layers_as_an_early_exit_are_the_model(family: str) -> None:
    """And fewer are not; whatever was run in part, the sequence and its scores stay as they were."""
    session = Session(tiny_model(family))
    session.fit(PROMPT)
    tree = TokenTree.chain([7, 8])
    layers = session.model.layers
    assert session.model.can_exit and layers > 1
    whole = session.feed_tree(tree)
    assert torch.allclose(session.feed_tree(tree, layers=layers), whole, atol=1e-4)
    part = session.feed_tree(tree, layers=1)
    assert not torch.allclose(part, whole, atol=1e-2)
    grown = TokenTree.chain([7])
    first = session.feed_tree(grown, layers=1)
    grown.add(8, 0)
    assert torch.allclose(torch.cat([first, session.feed_tree(grown, layers=1)]), part, atol=1e-4)
    with pytest.raises(ValueError, match="kept"):
        session.keep([0, 1])
    assert torch.allclose(session.feed_tree(tree), whole, atol=1e-5)
    assert session.ids == PROMPT and session.passes == 2


@pytest.mark.parametrize("family", ["qwen2", "gemma2", "starcoder2"])
@pytest.mark.parametrize("tree", ["chain", "dyspec"])
def test_greedy_tokens_are_the_same(family: str, tree: str) -> None:
    model = tiny_model(family)
    plain, session = decode(Session(model), PROMPT, None, Sampling(), 24), Session(model)
    for layers in range(1, model.layers + 1):
        session = Session(model)
        drafter = EarlyExit(session, [Exit(layers, 0.1)], FREE, Shape(tree=tree, nodes=4))
        assert decode(session, PROMPT, drafter, Sampling(), 24) == plain
    assert session.passes < 12  # the last one's guesses are all right


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.tree}-{shape.nodes}")
def test_the_distribution_is_exactly_that_of_decoding_without_drafts(
    monkeypatch: pytest.MonkeyPatch, shape: Shape, constrained: bool
) -> None:
    """By every outcome of every draw."""
    sampling = Sampling(temperature=1.0)

    def program() -> tuple[int, ...]:
        session = cast(Any, ToyModel().session())
        drafter = EarlyExit(session, [Exit(2, 0.01), Exit(6, 0.02)], FREE, shape)
        rules = [not_the_last_one()] if constrained else []
        return decode(session, [0, 1], drafter, sampling, 3, rules)

    assert outcomes(monkeypatch, program) == pytest.approx(expected(3, constrained=constrained), abs=1e-6)


def learned(costs: dict[int, float], tokens: int = 80) -> EarlyExit:
    """A drafter after decoding a toy text."""
    session = cast(Any, ToyModel(vocabulary=20).session())
    drafter = EarlyExit(session, [Exit(*one) for one in costs.items()], FREE, Shape(tree="chain", nodes=6, depth=6))
    decode(session, [0, 1], drafter, Sampling(), tokens)
    return drafter


def test_the_layer_with_the_most_tokens_for_its_cost_is_chosen() -> None:
    """One that is nearly always right beats a cheaper one that is not, and loses where it costs nearly a pass."""
    assert learned({1: 0.2, 7: 0.3})._best.layers == 7
    assert learned({1: 0.05, 7: 0.95})._best.layers == 1


def test_where_no_layer_pays_none_drafts_and_few_passes_are_compared() -> None:
    drafter = learned({4: 0.97, 7: 0.99}, tokens=300)
    assert drafter._gain(drafter._best) <= WORTHWHILE
    assert 4 <= drafter._compared < 12
    assert drafter.promise in (math.inf, drafter._gain(drafter._best))


def test_candidates_lie_within_the_model_and_cost_less_than_all_of_it() -> None:
    model = tiny_model("qwen2")
    for one in exits_of(model):
        assert 1 <= one.layers < model.layers and 0 < one.cost < 1
    context = BuildContext(
        model=model, vocabulary=Vocabulary(model.tokenizer.token_bytes), session=Session(model), store={PassCosts: FREE}
    )
    assert [one.layers for one in EarlyExitSpec(layer=1).build(context)._exits] == [1]
    with pytest.raises(UsageError, match="layers"):
        EarlyExitSpec(layer=model.layers).build(context)
