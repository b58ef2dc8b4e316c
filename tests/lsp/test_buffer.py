"""Documents kept in step with a client."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types

from guiderail.lsp.buffer import Buffer, path_of
from guiderail.text.document import Document
from guiderail.text.lines import line_starts
from guiderail.text.positions import Encoding

PIECES = ("", "a", "foo(", "):\n", "\n", "\r\n", "\r", "µ", "🙂", "𝒳y", "\x0c", "\u2028", "    ", "x = 1\n", "\t")
ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")


def units(text: str, encoding: str) -> int:
    return {"utf-8": lambda: len(text.encode()), "utf-16": lambda: len(text.encode("utf-16-le")) // 2}.get(
        encoding, lambda: len(text)
    )()


class Client:
    """An editor that keeps its text as a list of lines, by the protocol's own definition, and edits it."""

    def __init__(self, text: str, encoding: Encoding) -> None:
        self.text, self.encoding = text, encoding

    def position(self, offset: int) -> types.Position:
        before = self.text[:offset]
        if before.endswith("\r") and self.text[offset : offset + 1] == "\n":
            before = before[:-1]  # no editor stands between the two
        lines = re.split(r"\r\n|\r|\n", before)
        return types.Position(len(lines) - 1, units(lines[-1], self.encoding))

    def replace(self, start: int, end: int, text: str) -> types.TextDocumentContentChangePartial:
        start, end = self._outside_pairs(start), self._outside_pairs(end)
        span = types.Range(self.position(start), self.position(end))
        self.text = self.text[:start] + text + self.text[end:]
        return types.TextDocumentContentChangePartial(range=span, text=text)

    def _outside_pairs(self, offset: int) -> int:
        return offset - (self.text[offset - 1 : offset + 1] == "\r\n" and offset > 0)


def random_change(client: Client, rng: random.Random):
    if rng.random() < 0.01:
        client.text = "".join(rng.choices(PIECES, k=rng.randrange(30)))
        return types.TextDocumentContentChangeWholeDocument(client.text)
    start = rng.randint(0, len(client.text))
    end = min(len(client.text), start + (rng.randint(0, 12) if rng.random() < 0.5 else 0))
    if rng.random() < 0.02:
        start, end = 0, len(client.text)
    return client.replace(start, end, "".join(rng.choices(PIECES, k=rng.choice((0, 1, 1, 1, 2, 6)))))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_after_thousands_of_edits_text_and_lines_are_right(encoding: Encoding) -> None:
    """After 5,000 random edits, several in one message, the text is the client's, and so are its lines."""
    rng = random.Random(encoding)
    client = Client("", encoding)
    buffer = Buffer("untitled:1", "python", "", 0, encoding)
    edited = 0
    while edited < 5000:
        changes = [random_change(client, rng) for _ in range(rng.choice((1, 1, 1, 2, 5)))]
        buffer.apply(changes, edited)
        edited += len(changes)
        assert buffer.text == client.text
        if edited % 50 < len(changes):
            assert buffer.document.line_starts == Document(client.text).line_starts


@settings(max_examples=200, deadline=None)
@given(st.text("a\r\n", max_size=12), st.integers(0, 12), st.integers(0, 12), st.text("b\r\n", max_size=4))
def test_mended_lines_are_those_of_the_new_text(text: str, start: int, end: int, new: str) -> None:
    """Whatever is cut from or put between carriage returns and line feeds, the index equals a fresh one."""
    buffer = Buffer("untitled:1", "python", text, 0, "utf-16")
    span = types.Range(buffer.position(min(start, len(text))), buffer.position(min(end, len(text))))
    begin, stop = sorted(buffer.offset(place) for place in (span.start, span.end))
    buffer.apply([types.TextDocumentContentChangePartial(range=span, text=new)])
    assert buffer.text == text[:begin] + new + text[stop:]
    assert buffer.document.line_starts == Document(buffer.text).line_starts


@given(st.lists(st.tuples(*[st.integers(0, 10_000)] * 4), max_size=5))
def test_edits_outside_the_text_stay_inside(ranges: list[tuple[int, int, int, int]]) -> None:
    """A position after a line is its end, one after the text its end, and a range that runs backwards is turned."""
    buffer = Buffer("untitled:1", "python", "one\ntwo\n", 0, "utf-16")
    for a, b, c, d in ranges:
        span = types.Range(types.Position(a, b), types.Position(c, d))
        buffer.apply([types.TextDocumentContentChangePartial(range=span, text="x")])
        assert buffer.document.line_starts == Document(buffer.text).line_starts


def test_form_feeds_and_line_separators_end_no_line() -> None:
    """After U+000C and U+2028 the next line is still the next line feed's."""
    buffer = Buffer("untitled:1", "python", "a\x0cb\u2028c\nsecond\n", 0, "utf-16")
    span = types.Range(types.Position(1, 0), types.Position(1, 6))
    buffer.apply([types.TextDocumentContentChangePartial(range=span, text="line")])
    assert buffer.text == "a\x0cb\u2028c\nline\n"


@pytest.mark.parametrize("text", ["x", "one\ntwo\n", ""])
def test_a_change_reads_only_the_lines_it_touches(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a file is, its line ends are looked for only in the lines that a change touches."""
    line = "    value = compute(first, second)\n"
    buffer = Buffer("file:///tmp/a.py", "python", line * 10_000, 0, "utf-16")
    assert buffer.position(0) == types.Position(0, 0)  # the lines are found at the first question
    read: list[str] = []
    monkeypatch.setattr("guiderail.text.lines.line_starts", lambda part: read.append(part) or line_starts(part))
    span = types.Range(types.Position(9_000, 4), types.Position(9_001, 2))
    buffer.apply([types.TextDocumentContentChangePartial(range=span, text=text)])
    assert read == [line[:4] + text + line[2:]]


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 9), st.sampled_from(("", "\ud83d", "µ\r", "🙂\n"))), max_size=6
    )
)
def test_a_document_is_not_read_again_for_what_is_known(changes: list[tuple[int, int, str]]) -> None:
    """Lines, and whether there are halves of characters, are carried along, and are those of a fresh look."""
    buffer = Buffer("untitled:1", "python", "one 🙂\r\ntwo\nthree\rfour\n", 0, "utf-32")
    for start, length, text in changes:
        span = types.Range(*(buffer.position(min(at, len(buffer.text))) for at in (start, start + length)))
        buffer.apply([types.TextDocumentContentChangePartial(range=span, text=text)])
        document = buffer.document
        assert document.line_starts == Document(buffer.text).line_starts
        assert document.text == re.sub("[\ud800-\udfff]", "\ufffd", buffer.text)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("length", [0, 3, 9_999])
def test_the_first_lines_end_is_the_documents(ending: str, length: int) -> None:
    """Whatever ends the first line, and wherever, ends the lines that are suggested."""
    text = "x" * length + ending + "two\n"
    assert Document(text).line_ending == ending
    assert Document("x" * length).line_ending == "\n"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_lone_surrogate_is_passed_on_as_a_replacement(encoding: Encoding) -> None:
    """Half a character, which JavaScript clients can send, moves no column and reaches no tokenizer."""
    half = Buffer("untitled:1", "python", "x = 🙂\ud83d\ny", 0, encoding)
    assert half.document.text == "x = 🙂\ufffd\ny"
    whole = Buffer("untitled:1", "python", half.document.text, 0, encoding)
    places = [half.position(offset) for offset in range(len(half.text) + 1)]
    assert places == [whole.position(offset) for offset in range(len(half.text) + 1)]
    half.apply([types.TextDocumentContentChangePartial(range=types.Range(places[5], places[6]), text="🙂")])
    assert half.text == half.document.text == "x = 🙂🙂\ny"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("file:///a/b%20c.py", "/a/b c.py"),
        ("untitled:Untitled-1", None),
        ("vscode-notebook-cell:/a/n.ipynb#W0", "/a/n.ipynb"),
        ("git:/a/b.py?ref", None),
        ("vscode-remote://ssh/a.py", None),
        ("file:///a%00b", None),
        ("http://[", None),
        ("", None),
    ],
)
def test_a_uri_names_a_path_or_none(uri: str, expected: str | None) -> None:
    """Only what lies on this machine has a path; no URI is an error."""
    path = path_of(uri)
    assert (path.as_posix() if path else None) == expected


@pytest.mark.parametrize("host", ["", "localhost", "LOCALHOST"])
@pytest.mark.parametrize(
    ("written", "path"), [("/a/b.py", "/a/b.py"), ("/a%20b/%C3%A4.py", "/a b/ä.py"), ("/a%23/b", "/a#/b")]
)
def test_the_own_machine_may_be_named(host: str, written: str, path: str) -> None:
    """RFC 8089: no host, or localhost."""
    assert path_of(f"file://{host}{written}") == Path(path)
