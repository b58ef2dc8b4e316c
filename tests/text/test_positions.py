"""Columns in code units and in code points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.text.positions import Encoding, to_column, to_units

LINES = st.text(alphabet=st.sampled_from("aµ中𝒳🙂\ud800\x0c\u2028 \0"), max_size=12)
UNITS = {
    "utf-8": lambda text: len(text.encode("utf-8", "surrogatepass")),
    "utf-16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "utf-32": len,
}


@pytest.mark.parametrize("encoding", UNITS)
@given(line=LINES, data=st.data())
def test_units_are_those_of_the_encoding_and_back(encoding: Encoding, line: str, data: st.DataObject) -> None:
    """A column becomes the number of code units before it, and these become the column again."""
    column = data.draw(st.integers(0, len(line)))
    units = to_units(line, column, encoding)
    assert units == UNITS[encoding](line[:column])
    assert to_column(line, units, encoding) == column


@pytest.mark.parametrize("encoding", UNITS)
@given(line=LINES, units=st.integers(0, 60))
def test_any_number_is_a_column(encoding: Encoding, line: str, units: int) -> None:
    """A number inside a character means its beginning, one after the line its end."""
    column = to_column(line, units, encoding)
    assert 0 <= column <= len(line)
    assert to_units(line, column, encoding) <= units
    if column < len(line):
        assert to_units(line, column + 1, encoding) > units
