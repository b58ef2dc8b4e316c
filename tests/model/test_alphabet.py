"""The bytes that the names in a byte-level vocabulary stand for."""

import pytest

from guiderail.model import token_bytes


@pytest.mark.parametrize(
    "odd", [[], ["<｜fim▁begin｜>"], ["\U0010ffff"], ["a\U0010ffffb", "é日"], ["\u0000"], [" "], ["", "ÿ"]], ids=repr
)
def test_all_names_of_an_alphabet_are_read_as_each_is_alone(odd: list[str]) -> None:
    """Names with a character outside of it stand for no bytes, whatever stands beside them."""
    names = ["Ġdef", *odd, "Ċ", "é", "!", *odd]
    found = list(token_bytes._read_alphabet(names))
    assert found == [next(iter(token_bytes._read_alphabet([name]))) for name in names]
    outside = [name for name in names if set(name) - token_bytes._ALPHABET.keys()]
    assert all(not data for name, data in zip(names, found, strict=True) if name in outside)
    assert found[0] == b" def"
