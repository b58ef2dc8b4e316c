"""Whole names: the likeliest name wins, whatever its first token, and each probability is the model's own."""

from collections.abc import Sequence
from itertools import product
from typing import Any, cast

import pytest
import torch

from guiderail.decoding.constraints.identifier_trie import IdentifierTrie
from guiderail.decoding.constraints.name_sets import Names
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.method import DecodeRequest, FinishedEvent
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.methods.whole_names import NameEndings, OneName, WholeNames
from guiderail.decoding.sampling import Sampler, Sampling
from guiderail.decoding.stops import NeverStop
from tests.helpers.constraints import OneOf
from tests.helpers.toy import ToySession, random_scores

TABLE = [b"a", b"b", b"ab", b"_", b"(", b".", b"b(", b"\n"]
NAMES = ["ab", "aa", "b", "ba_b", "abab"]


class Listed(OneOf):
    """One of some names, which it lists."""

    def continuations(self, most: int) -> Sequence[bytes]:
        written = self.written[-1]
        if self.is_satisfied:
            return ()
        rests = [name.encode()[len(written) :] for name in NAMES if name.encode().startswith(written)]
        return rests if len(rests) <= most else ()


def decode(method: WholeNames | Plain, seed: int) -> str:
    scores = random_scores(len(TABLE), seed)
    rule = Listed(Names(IdentifierTrie(Vocabulary(TABLE)), NAMES), TABLE)
    request = DecodeRequest(token_bytes=TABLE, stop=NeverStop(), max_tokens=6)
    end = list(method.decode(cast(Any, ToySession(scores, [5])), scores([5]), request, [rule]))[-1]
    assert isinstance(end, FinishedEvent)
    return end.text


def whole(most: int = 256) -> WholeNames:
    return WholeNames(Sampler(Sampling()), Vocabulary(TABLE), cut, most)


def cut(name: str) -> list[int]:
    """A name in the longest tokens, from the left."""
    tokens, rest = [], name.encode()
    while rest:
        tokens.append(max((i for i, data in enumerate(TABLE) if rest.startswith(data)), key=lambda i: len(TABLE[i])))
        rest = rest[len(TABLE[tokens[-1]]) :]
    return tokens


def spellings(name: str) -> list[list[int]]:
    """Every way to write a name by longest matches, and a last token that ends it."""
    found, written, rest = [], [], name.encode()
    while True:
        found += [
            [*written, i]
            for i, data in enumerate(TABLE)
            if data.startswith(rest) and data[len(rest) :][:1] in b"(.\n" and len(data) > len(rest)
        ]
        if not rest:
            return found
        token = max((i for i, data in enumerate(TABLE) if rest.startswith(data)), key=lambda i: len(TABLE[i]))
        written, rest = [*written, token], rest[len(TABLE[token]) :]


def test_the_name_with_the_largest_probability_is_taken() -> None:
    """Against multiplying out every spelling; and token by token another one is taken at times."""
    differ = 0
    for seed in range(40):
        scores = random_scores(len(TABLE), seed)

        def probability(tokens: list[int], scores=scores) -> float:
            value = 1.0
            for place, token in enumerate(tokens):
                value *= float(scores([5, *tokens[:place]]).softmax(-1)[token])
            return value

        chances = {name: sum(map(probability, spellings(name))) for name in NAMES}
        best = max(chances, key=chances.__getitem__)
        text = decode(whole(), seed)
        assert text.startswith(best) and text[len(best) : len(best) + 1] in ("(", ".", "\n", "")
        differ += not decode(Plain(Sampling()), seed).startswith(text[: len(best) + 1])
    assert 3 < differ < 37


@pytest.mark.parametrize("most", [2, 4])
def test_of_too_many_names_none_is_preferred(most: int) -> None:
    """It decodes as plain decoding does, up to where fewer are left."""
    for seed in range(10):
        plain, found = decode(Plain(Sampling()), seed), decode(whole(most), seed)
        assert found[:1] == plain[:1]


def test_one_name_allows_its_parts_and_what_ends_it() -> None:
    """Token by token, whatever the spelling; then anything."""
    endings = NameEndings(Vocabulary(TABLE))
    written: set[bytes] = set()
    for tokens in product(range(len(TABLE)), repeat=3):
        rule = OneName(endings, b"ab")
        for place, token in enumerate(tokens):
            if rule.is_satisfied:
                written.add(b"".join(TABLE[one] for one in tokens[:place]))
                break
            mask = torch.full((1,), -1, dtype=torch.int32).numpy()
            rule.fill_mask(mask)
            if not mask[0] >> token & 1:
                break
            rule.accept(token)
            if place == 2 and rule.is_satisfied:
                written.add(b"".join(TABLE[one] for one in tokens))
    assert written == {b"ab(", b"ab.", b"ab\n"}
    rule = OneName(endings, b"ab")
    rule.accept(0)
    rule.rollback(1)
    rule.accept(2)
    assert not rule.is_satisfied
