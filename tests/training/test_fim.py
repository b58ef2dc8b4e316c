from __future__ import annotations

import random

import pytest
from tokenizers import Tokenizer

from training.corpus import Document
from training.fim import HOLES, LAYOUTS, MARK, Cut, Piece, choose_cut, lay_out
from training.rows import split_after
from training.tokenizer import END, MIDDLE, PREFIX, SUFFIX


@pytest.fixture(scope="module")
def piece(documents: list[Document], tokenizer: Tokenizer) -> Piece:
    lines = documents[4].text.splitlines(keepends=True)[120:170]
    newline = tokenizer.encode("\n").ids[0]
    return Piece(lines, split_after(tokenizer.encode("".join(lines)).ids, newline))


def parts(tokens: list[int], tokenizer: Tokenizer) -> tuple[str, str, str]:
    """The text between the markers: after the prefix marker, the suffix marker, the middle marker."""
    prefix, suffix, middle = (tokens.index(mark) for mark in (PREFIX, SUFFIX, MIDDLE))
    assert prefix < suffix < middle and tokens[-1] == END
    spans = tokens[prefix + 1 : suffix], tokens[suffix + 1 : middle], tokens[middle + 1 : -1]
    first, second, third = map(tokenizer.decode, spans)
    return first, second, third


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(12))
def test_every_layout_holds_the_source_exactly(piece: Piece, tokenizer: Tokenizer, layout: str, seed: int):
    """Put together in the layout's order, the parts are the source again, whatever the cut."""
    rng = random.Random(seed)
    source = "".join(piece.lines)
    cut = choose_cut(piece.lines, rng)
    marked = lay_out(piece, cut, layout, lambda t: tokenizer.encode(t).ids, rng)
    hole = [token - MARK for token in marked if token >= MARK]
    assert hole[-1] == END and tokenizer.decode(hole[:-1]) == source[cut.start : cut.stop]
    before, suffix, middle = parts([token % MARK for token in marked], tokenizer)
    assert before + middle + suffix == source
    assert suffix == source[cut.stop :]
    if layout == "psm":
        assert before == source[: cut.start]
    if layout == "spm":
        assert before == ""
    if layout == "efim":
        assert source[: cut.start].startswith(before)


def test_tokens_break_at_the_cursor(piece: Piece, tokenizer: Tokenizer):
    """Prefix and middle are tokenised apart even where a layout runs them together."""
    source = "".join(piece.lines)
    start = source.index("self") + 2
    encode = lambda text: tokenizer.encode(text).ids  # noqa: E731
    tokens = [t % MARK for t in lay_out(piece, Cut(start, start + 10), "spm", encode, random.Random(0))]
    tail = tokens[tokens.index(MIDDLE) + 1 : -1]
    assert tail == encode(source[:start]) + encode(source[start : start + 10])


def test_holes_are_of_all_kinds_and_inside_the_text(piece: Piece):
    """Cuts lie in order inside the text; some are empty, some end their line, some stand inside a word."""
    source, rng = "".join(piece.lines), random.Random(3)
    cuts = [choose_cut(piece.lines, rng) for _ in range(600)]
    assert all(0 <= cut.start <= cut.stop <= len(source) for cut in cuts)
    ends = sum(source[cut.stop : cut.stop + 1] == "\n" for cut in cuts)
    inside = sum(source[cut.start - 1 : cut.start + 1].isidentifier() for cut in cuts if cut.start)
    assert ends > 300 and inside > 80 and any(cut.start == cut.stop for cut in cuts)
    assert sum(HOLES.values()) == pytest.approx(1)


def test_a_block_ends_where_the_indentation_does():
    """The hole of a block reaches its last line and not beyond."""
    lines = ["def f():\n", "    if a:\n", "        b()\n", "\n", "        c()\n", "    d()\n"]
    cuts = {choose_cut(lines, random.Random(seed)) for seed in range(400)}
    source = "".join(lines)
    assert any(source[cut.start : cut.stop] == "b()\n\n        c()" for cut in cuts)
    assert any(source[cut.start : cut.stop].startswith("if a:") and source[: cut.stop].endswith("d()") for cut in cuts)


def test_blank_pieces_can_be_cut():
    """A piece without any written line has an empty hole."""
    assert choose_cut(["\n", "\n"], random.Random(0)) == Cut(0, 0)
