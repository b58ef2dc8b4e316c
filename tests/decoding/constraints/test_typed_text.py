"""Token healing against brute force over the whole vocabulary."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.constraints.masks import allowed, full_mask
from guiderail.decoding.constraints.typed_text import TypedText
from guiderail.decoding.constraints.vocabulary import Vocabulary

# A small alphabet makes prefixes collide; 0xff is the byte after which nothing sorts.
TOKEN = st.binary(max_size=4).map(lambda b: bytes(b"ab\xfe\xff"[x % 4] for x in b))


@given(st.lists(TOKEN, min_size=1, max_size=60), TOKEN.filter(bool))
def test_compatible_equals_brute_force(tokens: list[bytes], required: bytes) -> None:
    """A token fits a required text exactly if one of the two is a prefix of the other."""
    got = Vocabulary(tokens).compatible(required)
    want = [i for i, t in enumerate(tokens) if t and (required.startswith(t) or t.startswith(required))]
    assert sorted(got.tolist()) == want


@given(st.lists(TOKEN, max_size=40), TOKEN.filter(bool), st.randoms(use_true_random=False))
def test_any_allowed_path_writes_the_typed_text(tokens: list[bytes], typed: bytes, random) -> None:
    """Whatever allowed tokens are taken, what is written begins with the typed text; going back undoes a step."""
    tokens = tokens + [bytes([b]) for b in b"ab\xfe\xff"]
    constraint = TypedText(Vocabulary(tokens), tokens, typed)
    written = b""
    while not constraint.is_satisfied:
        mask = full_mask(len(tokens))
        constraint.fill_mask(mask)
        choices = allowed(mask, len(tokens)).nonzero().flatten().tolist()
        constraint.accept(random.choice(choices))
        constraint.rollback(1)
        again = full_mask(len(tokens))
        constraint.fill_mask(again)
        assert np.array_equal(mask, again)
        token = random.choice(choices)
        constraint.accept(token)
        written += tokens[token]
    assert written.startswith(typed)


@given(st.lists(st.text(" \ta", min_size=1, max_size=4), max_size=30), st.text(" a", max_size=4), st.randoms())
def test_no_blank_follows_where_the_indentation_is_as_deep_as_it_gets(texts: list[str], typed: str, random) -> None:
    """Whatever tokens join what was typed with what comes next; after that blanks are free again."""
    tokens = [text.encode() for text in [*texts, " ", "\t", "a"]]
    constraint = TypedText(Vocabulary(tokens), tokens, typed.encode(), may_indent=False)
    written = b""
    while not constraint.is_satisfied:
        mask = full_mask(len(tokens))
        constraint.fill_mask(mask)
        token = random.choice(allowed(mask, len(tokens)).nonzero().flatten().tolist())
        constraint.accept(token)
        written += tokens[token]
    assert written.startswith(typed.encode())
    assert written[len(typed) :][:1] not in (b"", b" ", b"\t")
