"""A server's copy of a file, and positions in it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.monitors.analysis.synced_document import SyncedDocument
from guiderail.text.positions import Encoding

ENCODINGS = ("utf-8", "utf-16", "utf-32")
TEXTS = st.text(alphabet=st.sampled_from("aµ中𝒳\ud800\r\n"), max_size=12)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=TEXTS, data=st.data())
def test_positions_lead_back(encoding: Encoding, text: str, data: st.DataObject) -> None:
    """An offset's position leads back to it, but from inside a line end, which is the line's."""
    document = SyncedDocument("file:///a", text, encoding)
    offset = data.draw(st.integers(0, len(text)))
    place = document.position(offset)
    inside = text[offset - 1 : offset + 1] == "\r\n" and offset > 0
    assert document.offset(place.line, place.character) == offset - inside


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(texts=st.lists(TEXTS, min_size=2, max_size=4))
def test_positions_follow_changes(encoding: Encoding, texts: list[str]) -> None:
    """After changes positions are those of the last text."""
    document = SyncedDocument("file:///a", texts[0], encoding)
    for text in texts[1:]:
        document.change(text)
    fresh = SyncedDocument("file:///a", texts[-1], encoding)
    assert document.text == texts[-1]
    places = [document.position(offset) for offset in range(len(texts[-1]) + 1)]
    assert places == [fresh.position(offset) for offset in range(len(texts[-1]) + 1)]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_beginning_of_a_long_line_costs_little(encoding: Encoding) -> None:
    """Fifty thousand positions at the beginning of a line of four megabytes take no longer than of a short one."""
    document, began = SyncedDocument("file:///a", "𝒳é" * 1_000_000 + "\n", encoding), time.process_time()
    for _ in range(50_000):
        assert document.offset(0, 12) <= 12
    assert time.process_time() - began < 8  # to copy the whole line each time takes many times as long
