"""ASAp and CARS against the exact conditional distribution over a language that can be enumerated."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.method import DecodeRequest, FinishedEvent, TokenEvent
from guiderail.decoding.methods.alignment import Aligned, Tries
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.stops import NeverStop
from guiderail.errors import UsageError
from tests.helpers.constraints import AllowedAfter
from tests.helpers.statistics import follows

TABLE = [b"", b"0", b"1"]
EOS, ZERO, ONE = range(3)
PROMPT = [1, 2, 2]
Text = tuple[int, ...]


@cache
def scores_after(seed: int, ids: Text) -> torch.Tensor:
    generator = torch.Generator().manual_seed(hash((seed, *ids)) % 2**31)
    return torch.randn(3, generator=generator) * 1.5


class Model:
    """A session over three tokens whose probabilities depend on everything before."""

    def __init__(self, seed: int) -> None:
        self.seed, self.ids, self.passes = seed, list(PROMPT), 0

    @property
    def length(self) -> int:
        return len(self.ids)

    def scores(self, ids: list[int]) -> torch.Tensor:
        return scores_after(self.seed, tuple(ids))

    def feed(self, ids: list[int], *, cancelled: object = None) -> torch.Tensor:
        self.ids += ids
        self.passes += 1
        return self.scores(self.ids)

    def rollback(self, tokens: int) -> None:
        del self.ids[len(self.ids) - tokens :]

    def logp(self, text: Text) -> float:
        """Log-probability of a text and its end."""
        whole, total = list(PROMPT), 0.0
        for token in (*text, EOS):
            total += float(self.scores(whole).double().log_softmax(-1)[token])
            whole.append(token)
        return total


class Language(AllowedAfter):
    """The constraint that a text is one of a finite set."""

    def __init__(self, texts: set[Text]) -> None:
        super().__init__(self.fitting)
        self.texts = frozenset(texts)
        self.beginnings = {text[:i] for text in texts for i in range(len(text) + 1)}

    @property
    def key(self) -> frozenset[Text]:
        return self.texts

    def fitting(self, written: list[int]) -> list[int]:
        here = tuple(written)
        fitting = [t for t in (ZERO, ONE) if (*here, t) in self.beginnings]
        return [EOS, *fitting] if here in self.texts else fitting


PALINDROMES = {bits for bits in itertools.product((ZERO, ONE), repeat=6) if bits == bits[::-1]}
SKEWED = {(ZERO,) * 5} | {(ONE, *rest) for rest in itertools.product((ZERO, ONE), repeat=4)}
languages = st.sets(st.lists(st.sampled_from((ZERO, ONE)), min_size=1, max_size=4).map(tuple), min_size=1, max_size=8)


def exact(seed: int, texts: set[Text]) -> dict[Text, float]:
    """Q: the model's distribution, given that the text is in the language."""
    weights = {text: math.exp(Model(seed).logp(text)) for text in texts}
    total = sum(weights.values())
    return {text: weight / total for text, weight in weights.items()}


def draw(
    tries: Tries, seed: int, texts: set[Text], index: int, attempts: int, most: int = 20
) -> tuple[Text, str, Model]:
    session = Model(seed)
    method = Aligned(Sampling(temperature=1.0, seed=9), index, tries, attempts=attempts)
    request = DecodeRequest(token_bytes=TABLE, stop=NeverStop(), max_tokens=most)
    *tokens, end = method.decode(session, session.scores(PROMPT), request, [Language(texts)])  # pyright: ignore
    assert isinstance(end, FinishedEvent)
    return tuple(t.id for t in tokens if isinstance(t, TokenEvent)), end.reason, session


def trie_of(tries: Tries, texts: set[Text]):
    return tries.trie(PROMPT, 1.0, [Language(texts)])


def next_draw(tries: Tries, texts: set[Text]) -> dict[Text, float]:
    """The distribution of ASAp's next sample, from its trie: every text's product of renormalised weights."""
    found = {}
    for text in texts:
        node, p = trie_of(tries, texts).root, 1.0
        for token in (*text, EOS):
            assert node is not None, "every text has been seen"
            place = node.ids.tolist().index(token)
            p *= math.exp(node.logp[place] + node.future[place] - node.log_c)
            node = node.children.get(place)
        found[text] = p
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), languages, st.integers(1, 12))
def test_bounds_are_the_papers_and_only_fall(seed: int, texts: set[Text], samples: int) -> None:
    """After every sample c~ equals its recursive definition over the visited beginnings, exact to 1e-6, and is an
    upper bound of the true c that never rises."""
    tries, visited, last = Tries(), set[Text](), 1.0
    truth = sum(math.exp(Model(seed).logp(text)) for text in texts)
    beginnings = Language(texts).beginnings

    def bound(here: Text) -> float:
        if here not in visited:
            return 1.0
        p = Model(seed).scores([*PROMPT, *here]).double().softmax(-1)
        total = float(p[EOS]) if here in texts else 0.0
        return total + sum(float(p[t]) * bound((*here, t)) for t in (ZERO, ONE) if (*here, t) in beginnings)

    for index in range(samples):
        text, reason, _ = draw(tries, seed, texts, index, attempts=0)
        assert text in texts and reason == "eos"
        visited |= {text[:i] for i in range(len(text) + 1)}
        root = trie_of(tries, texts).root
        assert root is not None
        c = math.exp(root.log_c)
        assert c == pytest.approx(bound(()), abs=1e-6)
        assert truth - 1e-9 <= c <= last + 1e-9
        last = c


@pytest.mark.parametrize("texts", [SKEWED, PALINDROMES])
def test_asap_is_exact_once_it_has_seen_every_text(texts: set[Text]) -> None:
    """Its next sample's distribution equals the exact conditional to 1e-6, however far plain masks were from it."""
    tries, seen, index = Tries(), set[Text](), 0
    while seen < texts:
        seen.add(draw(tries, 3, texts, index, attempts=0)[0])
        index += 1
        assert index < 20_000
    got, want = next_draw(tries, texts), exact(3, texts)
    assert all(got[text] == pytest.approx(want[text], abs=1e-6) for text in texts)


@pytest.mark.parametrize(("texts", "seed"), [(SKEWED, 3), (PALINDROMES, 1)])
def test_cars_draws_the_exact_conditional_from_the_first_text_on(texts: set[Text], seed: int) -> None:
    """First texts of 400 tries that know nothing, and 800 texts of one that learns: both by chi-square (p > 0.001);
    plain masks fail the same test."""
    want = exact(seed, texts)
    first = Counter(draw(Tries(), seed, texts, i, attempts=10_000)[0] for i in range(400))
    tries = Tries()
    later = Counter(draw(tries, seed, texts, i, attempts=10_000)[0] for i in range(800))
    masked = Counter(draw(Tries(), seed, texts, i, attempts=0)[0] for i in range(400))
    assert follows(first, want)
    assert follows(later, want)
    assert not follows(masked, want)


def test_what_is_known_costs_no_pass() -> None:
    """Once every beginning was visited, a text is drawn without the model; before, only new ones are run."""
    tries, seen, index = Tries(), set[Text](), 0
    while seen < SKEWED:
        text, _, session = draw(tries, 3, SKEWED, index, attempts=0)
        seen.add(text)
        assert session.passes <= 6
        index += 1
    assert draw(tries, 3, SKEWED, index, attempts=50)[2].passes == 0


def test_another_prompt_constraint_or_temperature_has_a_trie_of_its_own() -> None:
    tries = Tries()
    one = tries.trie([1], 1.0, [Language(SKEWED)])
    assert tries.trie([1], 1.0, [Language(SKEWED)]) is one
    assert tries.trie([2], 1.0, [Language(SKEWED)]) is not one
    assert tries.trie([1], 0.5, [Language(SKEWED)]) is not one
    assert tries.trie([1], 1.0, [Language(PALINDROMES)]) is not one


def test_texts_too_long_for_the_budget_are_not_drawn_again() -> None:
    """The budget is part of the language: CARS then draws the exact conditional of the short texts."""
    texts = {(ZERO,), (ONE,), (ZERO, ZERO), (ONE, ONE, ONE, ONE)}
    short = {text for text in texts if len(text) < 3}
    tries = Tries()
    counts = Counter(draw(tries, 5, texts, i, attempts=1000, most=3)[0] for i in range(1000))
    assert follows(counts, exact(5, short))


def test_probabilities_are_the_models_own() -> None:
    """At another temperature the events still tell the log-probabilities of the model itself."""
    session = Model(3)
    method = Aligned(Sampling(temperature=0.4), 0, Tries(), attempts=0)
    request = DecodeRequest(token_bytes=TABLE, stop=NeverStop())
    tokens = [
        e
        for e in method.decode(session, session.scores(PROMPT), request, [Language(SKEWED)])  # pyright: ignore
        if isinstance(e, TokenEvent)
    ]
    ids = list(PROMPT)
    for token in tokens:
        assert token.logprob == pytest.approx(float(session.scores(ids).log_softmax(-1)[token.id]), abs=1e-5)
        ids.append(token.id)


@pytest.mark.parametrize(
    "sampling", [Sampling(), Sampling(temperature=1.0, top_p=0.9), Sampling(temperature=1.0, top_k=5)]
)
def test_a_truncated_distribution_is_refused(sampling: Sampling) -> None:
    with pytest.raises(UsageError, match="whole distribution"):
        Aligned(sampling, 0, Tries(), attempts=1)


def test_constraints_that_are_not_known_beforehand_are_refused() -> None:
    """A monitor is found out while decoding: there is no distribution to follow."""

    monitor = AllowedAfter(lambda _: [EOS])
    assert monitor.key is None
    session = Model(3)
    method = Aligned(Sampling(temperature=1.0), 0, Tries(), attempts=1)
    request = DecodeRequest(token_bytes=TABLE, stop=NeverStop())
    with pytest.raises(UsageError, match="monitors"):
        next(method.decode(session, session.scores(PROMPT), request, [monitor]))  # pyright: ignore
