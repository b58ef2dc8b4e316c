"""Halves of a character that come separately: the text stays the client's, or the document is lost and says so."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types

from guiderail.lsp.buffer import Buffer
from guiderail.text.positions import Encoding
from tests.lsp.client import connected

HIGH, LOW = "\ud83d", "\ude00"
PIECES = ("", "a", "µ", "中", "🙂", HIGH, LOW, "\n", "\r\n", f"{HIGH}a", f"a{LOW}", f"{LOW}{HIGH}")
EDITS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5), st.sampled_from(PIECES)), max_size=12)


class Utf16Client:
    """An editor whose text is a sequence of UTF-16 units, as JavaScript's is; its columns count what was agreed on."""

    def __init__(self, encoding: Encoding) -> None:
        self.units: list[str] = []
        self.encoding = encoding

    @property
    def text(self) -> str:
        data = "".join(self.units).encode("utf-16-le", "surrogatepass")
        return data.decode("utf-16-le", "surrogatepass")

    def width(self, units: list[str]) -> int:
        text = "".join(units).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        by_encoding = {"utf-8": len(text.encode("utf-8", "surrogatepass")), "utf-16": len(units), "utf-32": len(text)}
        return by_encoding[self.encoding]

    def place(self, at: int) -> types.Position:
        before = self.units[:at]
        line = before.count("\n")
        start = len(before) - before[::-1].index("\n") if line else 0
        return types.Position(line, self.width(before[start:]))

    def replace(self, at: int, length: int, text: str) -> types.TextDocumentContentChangePartial:
        start = at % (len(self.units) + 1)
        end = min(len(self.units), start + length)
        if self.encoding == "utf-32":  # which has no column for a place inside a character
            start, end = (at - _is_pair(self.units, at) for at in (start, end))
        span = types.Range(self.place(start), self.place(end))
        data = text.encode("utf-16-le", "surrogatepass")
        self.units[start:end] = [data[i : i + 2].decode("utf-16-le", "surrogatepass") for i in range(0, len(data), 2)]
        return types.TextDocumentContentChangePartial(range=span, text=json.loads(json.dumps(text)))


class Utf8Client:
    """An editor whose text is bytes that need not be UTF-8, as Vim's is."""

    def __init__(self) -> None:
        self.data = b""

    def place(self, at: int) -> types.Position:
        before = self.data[:at]
        return types.Position(before.count(b"\n"), len(before) - (before.rfind(b"\n") + 1))

    def replace(self, at: int, length: int, text: str) -> types.TextDocumentContentChangePartial:
        start = at % (len(self.data) + 1)
        end = min(len(self.data), start + length)
        span = types.Range(self.place(start), self.place(end))
        self.data = self.data[:start] + text.encode("utf-8", "surrogatepass") + self.data[end:]
        return types.TextDocumentContentChangePartial(range=span, text=text)


def without_carriage_returns(edits: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Line ends of one kind: an edit between a carriage return and its line feed has no position of its own."""
    return [(at, length, text.replace("\r\n", "\n")) for at, length, text in edits]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@settings(max_examples=250, deadline=None)
@given(edits=EDITS)
def test_a_client_that_keeps_utf16_is_followed_or_lost(encoding: Encoding, edits: list[tuple[int, int, str]]) -> None:
    """Wherever it cuts and whatever it inserts: text and columns are its own, or the document is lost."""
    client, buffer = Utf16Client(encoding), Buffer("untitled:1", "python", "", 0, encoding)
    for version, edit in enumerate(without_carriage_returns(edits), 1):
        buffer.apply([client.replace(*edit)], version)
        if buffer.is_out_of_sync:
            return
        assert buffer.text == client.text  # whole characters as such: else the columns after them differ
        known = {(at.line, at.character) for at in map(buffer.position, range(len(buffer.text) + 1))}
        outside = [at for at in range(len(client.units) + 1) if not _is_pair(client.units, at)]
        assert {(at.line, at.character) for at in map(client.place, outside)} == known


def _is_pair(units: list[str], at: int) -> bool:
    """Whether a place is in the middle of a character."""
    return 0 < at < len(units) and "\ud800" <= units[at - 1] <= "\udbff" and "\udc00" <= units[at] <= "\udfff"


@settings(max_examples=250, deadline=None)
@given(edits=EDITS)
def test_a_client_that_keeps_bytes_is_followed_or_lost(edits: list[tuple[int, int, str]]) -> None:
    """An edit inside a character, or halves that meet, leave the very bytes, or lose the document."""
    client, buffer = Utf8Client(), Buffer("untitled:1", "python", "", 0, "utf-8")
    for version, edit in enumerate(without_carriage_returns(edits), 1):
        buffer.apply([client.replace(*edit)], version)
        if buffer.is_out_of_sync:
            return
        assert buffer.text.encode("utf-8", "surrogatepass") == client.data


@settings(max_examples=200, deadline=None)
@given(edits=EDITS)
def test_a_text_whose_halves_joined_is_as_one_that_was_opened_whole(edits: list[tuple[int, int, str]]) -> None:
    """Its lines, its text without halves and its cursor are those of a document that was opened with the text."""
    client, buffer = Utf16Client("utf-16"), Buffer("untitled:1", "python", "", 0, "utf-16")
    for version, one in enumerate(without_carriage_returns(edits), 1):
        buffer.apply([client.replace(*one)], version)
        if buffer.is_out_of_sync:
            return
        fresh = Buffer("untitled:1", "python", buffer.text, 0, "utf-16")
        assert fresh.document.line_starts == buffer.document.line_starts
        assert fresh.document.text == buffer.document.text
        assert 0 <= buffer.cursor <= len(buffer.text)


@pytest.mark.parametrize("order", ["high first", "low first", "what is between goes"])
def test_halves_join_where_columns_count_utf16(order: str) -> None:
    """Two messages make one character, as they do in the editor."""
    buffer = Buffer("untitled:1", "python", "x = ", 0, "utf-16")
    steps = {
        "high first": [(4, 4, HIGH), (5, 5, LOW)],
        "low first": [(4, 4, LOW), (4, 4, HIGH)],
        "what is between goes": [(4, 4, f"{HIGH}a{LOW}"), (5, 6, "")],
    }[order]
    for start, end, text in steps:
        span = types.Range(types.Position(0, start), types.Position(0, end))
        buffer.apply([types.TextDocumentContentChangePartial(range=span, text=text)])
    assert not buffer.is_out_of_sync
    assert buffer.text == buffer.document.text == "x = 😀"
    assert buffer.position(5) == types.Position(0, 6)


@pytest.mark.asyncio
@pytest.mark.parametrize(("encoding", "width"), [("utf-8", 3), ("utf-32", 1)])
async def test_elsewhere_the_client_is_told(encoding: str, width: int) -> None:
    """Nobody knows how wide halves side by side are for the client: it is asked for the text anew, which mends it."""
    offers: dict[str, Any] = {"general": {"positionEncodings": [encoding]}}
    async with connected(capabilities=offers) as client:
        uri = client.open("x = ")
        client.change(uri, 0, 4, 4, HIGH)
        assert await client.ghost(uri, 0, 4 + width)
        client.change(uri, 0, 4 + width, 4 + width, LOW)
        assert await client.ghost(uri, 0, 4) == []
        found = await client.ask("guiderail/status", {"uri": uri})
        assert (found["state"], found["remedy"]) == ("disabled", "Close the file and open it again")
        client.edit(uri, {"text": "x = 😀"})
        assert await client.ghost(uri, 0, 99)
        assert client.engine.asked == ["x = \ufffd", "x = 😀"]
