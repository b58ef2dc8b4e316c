"""Branches side by side against sessions of their own."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.session import Session
from tests.helpers.models import tiny_model

PROMPT = list(range(5, 60))


def started() -> Session:
    session = Session(tiny_model("qwen3"))
    session.feed(PROMPT)
    return session


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=3), st.integers(3, 200)), max_size=6))
def test_branches_are_sessions_of_their_own(script: list[tuple[list[int], int]]) -> None:
    """Fed, doubled and dropped in any way, each branch's logits are those of a session fed its tokens."""
    session = started()
    branches = session.branch(3)
    for sources, token in script:
        branches.follow([source % len(branches) for source in sources])
        logits = branches.feed([token + i for i in range(len(branches))])
        for branch in range(len(branches)):
            alone = Session(session.model).feed(PROMPT + branches.ids(branch))
            assert alone is not None
            assert (logits[branch] - alone).abs().max() <= 1e-5 * alone.abs().max()
    assert session.ids == PROMPT


def test_a_pass_feeds_all_branches() -> None:
    session = started()
    before = session.passes
    branches = session.branch(5)
    branches.feed([3, 4, 5, 6, 7])
    branches.feed([3, 4, 5, 6, 7])
    assert session.passes == before + 2


def test_a_kept_branch_becomes_the_sequence() -> None:
    """All of it, or its beginning; then the session goes on as if it had been fed."""
    for tokens, expected in ((None, [4, 9]), (1, [4])):
        session = started()
        branches = session.branch(2)
        branches.feed([3, 4])
        branches.feed([8, 9])
        branches.keep(1, tokens)
        assert session.ids == PROMPT + expected
        alone, after = Session(session.model).feed([*PROMPT, *expected, 11]), session.feed([11])
        assert alone is not None and after is not None
        assert torch.allclose(after, alone, atol=1e-5 * float(alone.abs().max()))
