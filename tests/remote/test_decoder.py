"""The law of remote decoding: a server that is checked and asked again writes what masks at every token would give."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from llguidance import LLMatcher, LLTokenizer
from llguidance.gbnf_to_lark import gbnf_to_lark

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.identifier_trie import IdentifierTrie
from guiderail.decoding.constraints.name_sets import Names, NamesOrNew, NamesOrNone, NoneOf
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.method import DecodeRequest, FinishedEvent
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.stops import NeverStop
from guiderail.prompt.prompt import Prompt
from guiderail.remote.byte_walk import ByteWalk
from guiderail.remote.decoder import MOST_REQUESTS, RemoteDecoder
from guiderail.remote.grammar import gbnf, regex
from guiderail.remote.language import BYTE_VOCABULARY, END, LegalTexts, Node, tree
from guiderail.remote.server import End, ModelServer, Piece, Query

NAMES = ("append", "app", "apply", "été", "extend", "x2")
WORDS = [
    "append",
    "app",
    "ly",
    "end",
    "ext",
    "été",
    "é",
    "x2",
    "x",
    "2",
    "pop",
    ".",
    ".app",
    ".pop",
    "(",
    ")",
    " ",
    "\n",
]
WORDS += [*"apendlyt"]  # all letters of the names: no name leads nowhere
TOKENS = [word.encode() for word in WORDS] + [b""]  # the last one ends the text
KINDS = (Names, NamesOrNew, NamesOrNone, NoneOf)
LENGTH = 12


@cache
def trie(of_bytes: bool) -> IdentifierTrie:
    return IdentifierTrie(BYTE_VOCABULARY if of_bytes else Vocabulary(TOKENS))


class AfterDot(Constraint):
    """After a dot one of the names, over some vocabulary: a monitor without an analyser.

    Names that begin with x are seldom meant where `seldom` is less than 0.
    """

    def __init__(self, kind: type[Names], of_bytes: bool, seldom: float = 0.0) -> None:
        vocabulary = BYTE_VOCABULARY if of_bytes else Vocabulary(TOKENS)
        self._data = vocabulary.token_bytes
        self._legal = kind(trie(of_bytes), NAMES)
        self._usual = Names(trie(of_bytes), [name for name in NAMES if not name.startswith("x")])
        self._seldom = seldom
        self._texts = [b""]

    @property
    def constraining(self) -> tuple[tuple[LegalTexts, bytes], ...]:
        _, dot, written = self._texts[-1].rpartition(b".")
        return ((self._legal, written),) if dot and self._legal.place(written) == "inside" else ()

    @property
    def is_satisfied(self) -> bool:
        return not self.constraining

    def fill_mask(self, bitmask: np.ndarray) -> None:
        for legal, written in self.constraining:
            bitmask &= legal.mask(written)

    def penalty(self, tokens: Sequence[int]) -> float:
        _, dot, written = self._texts[-1].rpartition(b".")
        data = b"".join(self._data[token] for token in tokens)
        is_usual = self._usual.place(written) != "inside" or self._usual.place(written + data) != "lost"
        return 0.0 if not dot or (is_usual and data) else self._seldom

    def accept(self, token: int) -> None:
        self._texts.append(self._texts[-1] + self._data[token])

    def rollback(self, tokens: int) -> None:
        if tokens:
            del self._texts[-tokens:]


def scores(seed: int, written: tuple[int, ...]) -> list[float]:
    """A model: scores of all tokens after these, all different."""
    draw = random.Random(f"{seed} {written}")
    return [draw.random() * 8 - 8 for _ in TOKENS]


class ToyServer(ModelServer):
    """A greedy server: it obeys grammars token by token, and tells a few candidates.

    Parameters
    ----------
    candidates
        How many it tells.
    """

    def __init__(self, seed: int, candidates: int, *, obeys: bool = True) -> None:
        self._seed, self._candidates, self._obeys = seed, candidates, obeys

    def write(self, query: Query, cancelled: Callable[[], bool]) -> Generator[Piece | End, None, None]:
        written = tuple(token for piece in query.written for token in piece.ids)
        node: list[Node] | None = [query.language] if query.language and self._obeys else None
        half = b""
        for _ in range(query.max_tokens):
            now = scores(self._seed, written)
            ranked = sorted(range(len(TOKENS)), key=lambda token: -now[token])
            fitting = [token for token in ranked if node is None or moved(node, half + TOKENS[token], TOKENS[token])]
            if not fitting:
                yield End("eos")
                return
            token = fitting[0]
            told = tuple(Piece(TOKENS[one], (one,), now[one]) for one in ranked[: self._candidates])
            yield Piece(TOKENS[token], (token,), now[token], told)
            if not TOKENS[token]:
                yield End("eos")
                return
            if node is not None:
                node, half = list(moved(node, half + TOKENS[token], TOKENS[token])), rest(half + TOKENS[token])
            written += (token,)
        yield End("length")


def rest(data: bytes) -> bytes:
    """The half character that bytes end in."""
    return data[len(data.decode(errors="ignore").encode()) :]


def moved(nodes: list[Node], data: bytes, token: bytes) -> list[Node]:
    """Where a grammar is after a token; empty if it allows none. An empty token is the end of the text."""
    if not token:
        return nodes if any(node.ends for node in nodes) else []
    for letter in data.decode(errors="ignore"):
        nodes = [after for node in nodes if (after := node.after(letter)) is not None]
    return nodes


def masked(seed: int, constraint: AfterDot) -> bytes:
    """The greedy text under masks of tokens, as in-process decoding makes it."""
    written: tuple[int, ...] = ()
    while len(written) < LENGTH:
        raw = scores(seed, written)
        now = [value + constraint.penalty([token]) for token, value in enumerate(raw)]
        ranked = sorted(range(len(TOKENS)), key=lambda token: -now[token])
        token = next(token for token in ranked if is_legal(constraint, token))
        if not TOKENS[token] or is_broken(b"".join(TOKENS[one] for one in (*written, token))):
            break
        constraint.accept(token)
        written += (token,)
    return b"".join(TOKENS[token] for token in written)


def is_broken(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.reason != "unexpected end of data"
    return False


def is_legal(constraint: AfterDot, token: int) -> bool:
    """Whether every byte of a token is legal: as masks judge it, with triggers inside the token."""
    walk = ByteWalk(monitor=follower(constraint))
    return walk.take(TOKENS[token]) is None


def follower(constraint: AfterDot) -> AfterDot:
    """The same constraint over bytes, at the same place."""
    made = AfterDot(type(constraint._legal), of_bytes=True)
    for byte in constraint._texts[-1]:
        made.accept(byte)
    return made


def remote(server: ModelServer, constraint: AfterDot, greedy: bool = True) -> tuple[bytes, RemoteDecoder, str]:
    """The text that a server writes when it is checked, and how it ended."""
    request = DecodeRequest(token_bytes=(), stop=NeverStop(), max_tokens=LENGTH)
    sampling = Sampling(temperature=0.0 if greedy else 1.0)
    decoder = RemoteDecoder(server, Prompt((), "prefix"), request, sampling, ByteWalk(monitor=constraint))
    *tokens, end = decoder.events()
    assert isinstance(end, FinishedEvent)
    return b"".join(event.data for event in tokens), decoder, end.reason  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("candidates", [0, 3, len(TOKENS)])
def test_a_checked_server_writes_the_masked_text(kind: type[Names], candidates: int) -> None:
    """Whether the server tells candidates or obeys a grammar, the greedy text is that of masks at every token."""
    differing, refused = [], 0
    for seed in range(60):
        wanted = masked(seed, AfterDot(kind, of_bytes=False))
        found, decoder, _ = remote(ToyServer(seed, candidates), AfterDot(kind, of_bytes=True))
        refused += len(decoder.refused)
        if found.decode(errors="ignore") != wanted.decode(errors="ignore"):
            differing.append((seed, wanted, found))
    assert not differing
    assert refused > 5, "the law was tried"


def test_a_seldom_name_gives_way_to_a_likelier_one() -> None:
    """Where all candidates are told, what monitors make less likely is outweighed as in masked decoding."""
    other = 0
    for seed in range(60):
        wanted = masked(seed, AfterDot(Names, of_bytes=False, seldom=-4.6))
        found, _, _ = remote(ToyServer(seed, len(TOKENS)), AfterDot(Names, of_bytes=True, seldom=-4.6))
        assert found.decode(errors="ignore") == wanted.decode(errors="ignore")
        other += wanted != masked(seed, AfterDot(Names, of_bytes=False))
    assert other, "the law was tried"


@pytest.mark.parametrize("greedy", [True, False])
def test_a_server_that_keeps_to_nothing_is_not_asked_for_ever(greedy: bool) -> None:
    """A server that ignores its grammar makes the text end before the first illegal name, after a few requests."""
    for seed in range(30):
        text, decoder, _ = remote(ToyServer(seed, 0, obeys=False), AfterDot(Names, of_bytes=True), greedy)
        assert decoder.requests <= MOST_REQUESTS
        walk = ByteWalk(monitor=AfterDot(Names, of_bytes=True))
        assert walk.take(text) is None


def test_one_request_is_enough_where_nothing_is_refused() -> None:
    """A text that is legal by itself costs one request, however many triggers it has."""
    for seed in range(60):
        _, decoder, _ = remote(ToyServer(seed, 3), AfterDot(NoneOf, of_bytes=True))
        assert decoder.requests == 1 + len(decoder.refused)


TOKENIZER = LLTokenizer("byte")


def accepts(matcher: LLMatcher, text: bytes) -> bool:
    """Whether an engine's grammar takes a text to its end."""
    matcher = matcher.deep_copy()
    ids = TOKENIZER.tokenize_bytes(text)
    return matcher.try_consume_tokens(ids) == len(ids) and matcher.is_accepting()


def texts() -> list[str]:
    """Texts after a dot: names and what is none, with what may and may not follow."""
    draw = random.Random(1)
    parts = [*NAMES, "a", "ap", "appx", "pop", "", "_", "9", "ét", "日本"]
    ends = ["", "(", " = 1", ".pop", "x", "\n", "\\", "]", "-", "^", "é", '"']
    return [draw.choice(parts) + draw.choice(ends) + draw.choice(ends) for _ in range(400)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("notation", ["gbnf", "regex"])
def test_both_notations_say_what_the_tree_says(kind: type[Names], notation: str) -> None:
    """An engine that servers use reads a grammar and an expression as the tree means them, for all ASCII and beyond."""
    legal = kind(trie(True), NAMES)
    root = tree(((legal, b""),))
    source = (
        LLMatcher.grammar_from_lark(gbnf_to_lark(gbnf(root))) if notation == "gbnf"
        else LLMatcher.grammar_from_regex(regex(root))
    )  # fmt: skip
    matcher = LLMatcher(TOKENIZER, source)
    assert not matcher.is_error(), matcher.get_error()
    for text in texts():
        nodes = moved([root], text.encode(), b"x")
        assert accepts(matcher, text.encode()) == any(node.ends for node in nodes), text


@pytest.mark.parametrize("kind", KINDS)
def test_a_tree_is_never_narrower_than_the_law(kind: type[Names]) -> None:
    """Every legal text is in the tree; and of a plain set of ASCII names nothing else is."""
    legal = kind(trie(True), NAMES)
    root = tree(((legal, b""),))
    for text in texts():
        by_bytes = ByteWalk(monitor=AfterDot(kind, of_bytes=True))
        by_bytes.take(b".")
        is_right = by_bytes.take(text.encode()) is None and by_bytes.take(b"") is None
        is_told = any(node.ends for node in moved([root], text.encode(), b"x"))
        assert is_told or not is_right, text
        if kind is Names and "." not in text and text.isascii():
            assert is_told == is_right, text


def test_a_huge_set_stays_small() -> None:
    """Of a hundred thousand names the tree keeps the first letters, and each is still legal by it."""
    names = [f"{letter}{number:05}_member" for number in range(4000) for letter in "abcdefghijklmnopqrstuvwxyz"]
    root = tree(((Names(trie(True), names), b""),))
    assert len(gbnf(root)) < 200_000
    assert len(regex(root)) < 400_000
    assert all(any(node.ends for node in moved([root], name.encode(), b"x")) for name in names[:: len(names) // 50])
    assert not moved([root], b"A", b"x")


def test_a_typed_word_is_written_first() -> None:
    """A half-typed word is required of the server, and no blank after it where an indentation is full."""
    walk = ByteWalk("a[é".encode(), may_indent=False)
    node = walk.required()
    assert node is not None
    for text, fits in (("a[éx", True), ("a[é x", False), ("a[é\tx", False), ("a[e", False), ("a[é\n", True)):
        assert bool(moved([node], text.encode(), b"x")) is fits
    assert walk.take(b"a[") is None
    assert walk.take(b"e") == 0
    assert walk.take("é".encode()) is None
    assert walk.take(b" ") == 0
    assert walk.take(b"x ") is None
    assert walk.required() is None


def test_the_end_is_no_byte() -> None:
    """The id that ends a text is beyond all bytes, and has none."""
    assert BYTE_VOCABULARY.token_bytes[END] == b""
    assert replace(Piece(b"a"), data=b"").data == b""
