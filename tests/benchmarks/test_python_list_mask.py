"""The rival's mask."""

from hypothesis import given
from hypothesis import strategies as st

from guiderail.benchmarks.python_list_mask import PythonListMask
from guiderail.decoding.constraints.identifier_trie import IdentifierTrie
from guiderail.decoding.constraints.masks import allowed
from guiderail.decoding.constraints.name_sets import Names
from guiderail.decoding.constraints.vocabulary import Vocabulary

TABLE = [*(bytes([i]) for i in range(32, 127)), b"ab", b"abc", b"b(", b"a.", b"ab(", b"ca ", b"bc", b"c\n"]


@given(st.sets(st.text("abc", min_size=1, max_size=4), min_size=1))
def test_it_forbids_what_ours_forbids(names: set[str]) -> None:
    """On plain ASCII tokens both ways agree, so that their costs are of the same thing."""
    ours = allowed(Names(IdentifierTrie(Vocabulary(TABLE)), names).mask(b""), len(TABLE))
    assert PythonListMask(TABLE).forbidden(sorted(names)) == [i for i, may in enumerate(ours.tolist()) if not may]


def test_its_times_are_positive() -> None:
    """Making the list and looking it up both take time."""
    assert min(PythonListMask(TABLE).times(["abc"])) > 0
