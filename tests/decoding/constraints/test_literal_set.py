"""Masks over texts against brute force over the whole vocabulary."""

from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.constraints.literal_set import LiteralSet
from guiderail.decoding.constraints.masks import allowed
from guiderail.decoding.constraints.vocabulary import Vocabulary

TEXT = st.text("ab-'\u00e9", min_size=1, max_size=5)
TOKEN = st.one_of(TEXT.map(str.encode), st.binary(min_size=1, max_size=3))


def is_legal(written: bytes, texts: list[str]) -> bool:
    return any(text.encode().startswith(written) or written.startswith(text.encode()) for text in texts)


@settings(deadline=None)
@given(st.lists(TOKEN, max_size=40), st.lists(TEXT, min_size=1, max_size=5), st.data())
def test_masks_equal_brute_force(tokens: list[bytes], texts: list[str], data: st.DataObject) -> None:
    """On any path a token is allowed exactly if one of the texts begins with it all, or the other way round."""
    table = [*tokens, *(bytes([byte]) for byte in range(256)), b""]
    language, written = LiteralSet(Vocabulary(table), texts), b""
    while language.place(written) == "inside":
        fitting = [i for i, piece in enumerate(table) if piece and is_legal(written + piece, texts)]
        found = allowed(language.mask(written), len(table)).nonzero().flatten().tolist()
        assert found == fitting
        written += table[data.draw(st.sampled_from(found))]
    assert language.place(written) == "past"


def test_the_place_of_a_text() -> None:
    """A text is inside until it holds one of the texts, and lost where none leads."""
    language = LiteralSet(Vocabulary([b"a"]), ["ab'", "c"])
    assert [language.place(written) for written in (b"", b"a", b"ab", b"x")] == ["inside", "inside", "inside", "lost"]
    assert language.place(b"cx") == "past"
    assert language.place(b"ab'") == "past"
