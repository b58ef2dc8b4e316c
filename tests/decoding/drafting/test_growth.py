"""Drafts grown from a model's distributions: their shapes, and that none of them changes what is decoded."""

from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.cache.tree import ROOT, TokenTree
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.drafting import by_tokens
from guiderail.decoding.drafting.draft_model import DraftModel
from guiderail.decoding.drafting.growth import Growth, Shape, new_rates, perturbed
from guiderail.decoding.drafting.pass_cost import PassCosts
from guiderail.decoding.drafting.selector import DraftSelector
from guiderail.decoding.method import DecodeRequest, TokenEvent
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.sampling import Sampler, Sampling
from guiderail.decoding.stops import NeverStop
from tests.helpers.constraints import AllowedAfter
from tests.helpers.outcomes import outcomes
from tests.helpers.statistics import follows
from tests.helpers.toy import ToyModel, ToySession

FREE = PassCosts((1, 2), (1000.0, 1000.0))  # so slow that every draft pays
PROMPT = [0, 1]
SHAPES = [
    Shape(tree="chain", nodes=2, depth=2),
    Shape(tree="rsd", nodes=3, depth=2, width=2),
    Shape(tree="spectr", nodes=4, depth=2, width=2),
    Shape(tree="dyspec", nodes=3, depth=2),
]


def drafting(shape: Shape, sampling: Sampling, noise: float) -> DraftSelector:
    target, draft = cast(Any, ToyModel()), cast(Any, ToyModel(noise=noise))
    drafter = DraftModel(target.tokenizer, None, FREE, shape, stop=0.999)
    drafter.start(lambda: draft)
    drafter.wait()
    assert drafter.promise > 1
    return DraftSelector([drafter], FREE, sampling=sampling)


def decode(
    selector: DraftSelector | None, sampling: Sampling, constraints: Sequence[Constraint] = (), tokens: int = 3
) -> tuple[tuple[int, ...], ToySession]:
    model = ToyModel()
    session = model.session()
    request = DecodeRequest(token_bytes=model.tokenizer.token_bytes, stop=NeverStop(), max_tokens=tokens)
    method = Plain(sampling, 0, selector)
    events = list(method.decode(cast(Any, session), session.fit(PROMPT), request, constraints))
    return tuple(event.id for event in events if isinstance(event, TokenEvent)), session


def not_the_last_one() -> AllowedAfter:
    """No token may come twice in a row."""
    return AllowedAfter(lambda taken: [token for token in range(3) if not taken or token != taken[-1]])


def expected(tokens: int, *, constrained: bool) -> dict[tuple[int, ...], float]:
    """The probability of each text by multiplying those of its tokens."""
    model, found = ToyModel(), {}
    for text in product(range(3), repeat=tokens):
        probability = 1.0
        for place, token in enumerate(text):
            scores = model.scores([*PROMPT, *text[:place]])
            if constrained and place:
                scores[text[place - 1]] = -torch.inf
            probability *= float(scores.softmax(-1)[token])
        if probability:
            found[text] = probability
    return found


@pytest.fixture(autouse=True)
def toy_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_tokens, "Session", ToyModel.session)


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.tree}-{shape.nodes}")
def test_the_distribution_is_exactly_that_of_decoding_without_drafts(
    monkeypatch: pytest.MonkeyPatch, shape: Shape, constrained: bool
) -> None:
    """By every outcome of every draw, those of the draft and those of its verification; not by sampling."""
    sampling = Sampling(temperature=1.0)
    narrow: list[int] = []

    def program() -> tuple[int, ...]:
        constraints = [not_the_last_one()] if constrained else []
        ids, session = decode(drafting(shape, sampling, 0.7), sampling, constraints)
        narrow.append(session.passes)
        return ids

    found = outcomes(monkeypatch, program)
    assert found == pytest.approx(expected(3, constrained=constrained), abs=1e-6)
    assert min(narrow) < 2  # a whole draft was accepted at times


@pytest.mark.parametrize("constrained", [False, True])
def test_so_is_that_of_a_stochastic_beam(constrained: bool) -> None:
    """Its order comes from noise that cannot be gone through: 800 texts, each from a seed of its own."""
    shape, counts = Shape(tree="rsd-s", nodes=4, depth=2, width=2), Counter[tuple[int, ...]]()
    for seed in range(800):
        sampling = Sampling(temperature=1.0, seed=seed)
        constraints = [not_the_last_one()] if constrained else []
        counts[decode(drafting(shape, sampling, 0.7), sampling, constraints)[0]] += 1
    assert follows(counts, expected(3, constrained=constrained))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6), st.floats(-3, 3), st.integers(0, 999))
def test_perturbed_scores_have_the_largest_that_is_given(scores: list[float], most: float, seed: int) -> None:
    """And the order that the noise alone gives them."""
    total = torch.tensor(scores, dtype=torch.float64).log_softmax(-1)
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(len(scores), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = perturbed(total, most, generator)
    assert float(found.max()) == pytest.approx(most)
    assert found.argsort().tolist() == (total - (-uniform.log()).log()).argsort().tolist()


@pytest.mark.parametrize("shape", [*SHAPES, Shape(tree="rsd-s", nodes=4, depth=2)], ids=lambda shape: shape.tree)
@pytest.mark.parametrize("noise", [0.0, 0.7, 5.0])
def test_greedy_tokens_are_those_without_drafts(shape: Shape, noise: float) -> None:
    plain, alone = decode(None, Sampling(), tokens=30)
    drafted, session = decode(drafting(shape, Sampling(), noise), Sampling(), tokens=30)
    assert drafted == plain
    if noise == 0.0:
        assert session.passes < 0.6 * alone.passes


def test_a_model_that_agrees_is_never_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """With p equal to q every draw is accepted, so a pass yields the whole draft and one more."""
    shape, sampling, passes = Shape(tree="chain", nodes=2, depth=2), Sampling(temperature=1.0), set()

    def program() -> tuple[int, ...]:
        ids, session = decode(drafting(shape, sampling, 0.0), sampling)
        passes.add(session.passes)
        return ids

    outcomes(monkeypatch, program)
    assert passes == {1}


def grown(shape: Shape, sampling: Sampling, room: int = 9, least: float = 0.0) -> TokenTree:
    session = ToyModel(vocabulary=8).session()

    def scores(tree: TokenTree) -> torch.Tensor:
        return session.feed_tree(tree) if len(tree) else session.fit(PROMPT)[None]

    growth = Growth(shape, scores, Sampler(sampling), new_rates())
    return growth.grow(room, lambda reach: reach > least).tree


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("room", [1, 3, 9])
def test_each_shape_keeps_its_bounds(temperature: float, room: int) -> None:
    """Nodes and depth; a chain never branches, rsd at its root alone, and siblings differ."""
    sampling = Sampling(temperature=temperature, seed=3)
    for tree, nodes, depth in product(("chain", "rsd", "rsd-s", "spectr", "dyspec"), (1, 5, 12), (2, 6)):
        found = grown(Shape(tree=tree, nodes=nodes, depth=depth, width=3), sampling, room)
        branches = {node: found.children(node) for node in range(ROOT, len(found))}
        assert len(found) <= nodes and max(found.depths, default=0) < min(depth, room)
        for children in branches.values():
            assert len({found.tokens[child] for child in children}) == len(children)
        if tree == "chain":
            assert found.depths == list(range(min(nodes, depth, room)))
        if tree == "rsd":
            assert len(branches[ROOT]) == min(3, nodes)
            assert all(len(branches[node]) <= 1 for node in range(len(found)))
        if tree == "dyspec" and nodes == 12:
            assert len(found) == (12 if room > 1 else 8)


def test_the_likeliest_places_of_a_dynamic_tree_come_first() -> None:
    """Each place by the chance that verification gets there; a budget cuts the same tree short."""
    large, small = (grown(Shape(tree="dyspec", nodes=nodes), Sampling()) for nodes in (12, 5))
    assert large.tokens[:5] == small.tokens and large.parents[:5] == small.parents


def test_a_draft_stops_where_a_rejection_is_too_likely() -> None:
    """The stop rule: the higher the bound on what must still be reached, the shorter."""
    sizes = [len(grown(Shape(tree="chain", nodes=12), Sampling(), least=least)) for least in (0.0, 0.1, 0.3, 0.6, 1.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 9 and sizes[-1] == 0 and len(set(sizes)) > 2
