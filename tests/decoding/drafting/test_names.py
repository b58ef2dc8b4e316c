"""Drafting from legal names: the tree, and that nothing is decoded differently."""

from collections.abc import Sequence

import pytest

from guiderail.cache.tree import TokenTree
from guiderail.decoding.constraints.identifier_trie import IdentifierTrie
from guiderail.decoding.constraints.name_sets import Names
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.drafting.draft import Verified
from guiderail.decoding.drafting.names import ListedNames
from guiderail.decoding.drafting.selector import DraftSelector
from guiderail.decoding.method import DecodeRequest, TokenEvent
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.stops import NeverStop
from tests.helpers.constraints import OneOf
from tests.helpers.models import tiny_model

TABLE = [b"", *(bytes([i]) for i in range(97, 123)), b"ab", b"abc", b"de"]
NAMES = ["checksum_of_parts", "checksum_of_whole", "other_name_entirely"]


class Listed(OneOf):
    """A name of a list, which a drafter may see."""

    def continuations(self, most: int) -> Sequence[bytes]:
        """See `Constraint.continuations`."""
        return self.names.rests(self.written[-1], most)


def propose(drafter: ListedNames, *rests: bytes, room: int = 9):
    class Fixed:
        def continuations(self, most: int) -> Sequence[bytes]:
            return rests if len(rests) <= most else ()

    draft = drafter.propose([], [Fixed()], room)  # type: ignore[list-item]
    if draft is None:
        return None
    return {b"".join(TABLE[t] for t in draft.tree.ids(node)): draft.chances[node] for node in range(len(draft.tree))}


def test_a_forced_end_is_a_chain_of_the_longest_tokens() -> None:
    """One name is left: each token of its rest in turn, the chance falling as it goes on."""
    chances = propose(ListedNames(Vocabulary(TABLE)), b"abcdex")
    assert chances is not None
    assert list(chances) == [b"abc", b"abcde", b"abcdex"]
    assert list(chances.values()) == sorted(chances.values(), reverse=True)
    assert propose(ListedNames(Vocabulary(TABLE)), b"abcdex", room=1) == {b"abc": chances[b"abc"]}


def test_several_names_are_a_tree() -> None:
    """What they share is drafted once, and is likelier than what they do not; too many names are none."""
    drafter = ListedNames(Vocabulary(TABLE), most=3)
    chances = propose(drafter, b"abcx", b"abcy", b"z")
    assert chances is not None
    assert set(chances) == {b"abc", b"z", b"abcx", b"abcy"}
    assert chances[b"abc"] > chances[b"z"]
    assert chances[b"abc"] > chances[b"abcx"] == chances[b"abcy"]
    assert propose(drafter, b"a", b"b", b"c", b"d") is None
    assert propose(drafter) is None


def test_it_learns_how_often_it_is_right() -> None:
    """A forced end that the model never writes so is soon not worth a wide pass."""
    drafter, chances = ListedNames(Vocabulary(TABLE)), []

    class Fixed:
        def continuations(self, most: int) -> Sequence[bytes]:
            return [b"abc"]

    for _ in range(20):
        draft = drafter.propose([], [Fixed()], 5)  # type: ignore[list-item]
        assert draft is not None
        chances.append(draft.chances[0])
        draft.owner = drafter
        pass_over = TokenTree.chain([1, draft.tree.tokens[0]])
        drafter.learn(Verified([], pass_over, None, [0], draft))  # type: ignore[arg-type]
    assert chances[-1] < chances[0] / 2


@pytest.mark.parametrize("sampling", [Sampling(), *(Sampling(temperature=1.0, seed=seed) for seed in range(4))])
def test_drafts_change_nothing_but_the_passes(sampling: Sampling) -> None:
    """Under a list of names the tokens are the same with and without drafts, in fewer passes over all."""
    model = tiny_model("qwen3")
    table = model.tokenizer.token_bytes
    vocabulary, session = Vocabulary(table), Session(model)
    names = Names(IdentifierTrie(vocabulary), NAMES)
    request = DecodeRequest(token_bytes=table, stop=NeverStop(), max_tokens=12)
    found, passes = [], []
    for drafting in (None, DraftSelector([ListedNames(vocabulary)], lambda count: 1.0 + count / 1000)):
        logits, before = session.fit([5, 6, 7]), session.passes
        assert logits is not None
        events = list(Plain(sampling, 0, drafting).decode(session, logits, request, [Listed(names, table)]))
        found.append([event.id for event in events if isinstance(event, TokenEvent)])
        passes.append(session.passes - before)
    assert found[0] == found[1]
    assert passes[1] < passes[0]
