"""Masks over identifiers against brute force over the whole vocabulary."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.constraints.identifier_trie import (
    IdentifierTrie,
    _can_be,
    follows,
    identifier_length,
    in_identifier,
)
from guiderail.decoding.constraints.masks import allowed, full_mask
from guiderail.decoding.constraints.name_sets import Names, NamesOrNew, NamesOrNone, NoneOf
from guiderail.decoding.constraints.vocabulary import Vocabulary
from tests.helpers.constraints import OneOf

# Letters of one to four bytes, one foreign character of two bytes that shares its first with a letter, and the rest.
LETTERS = "ab_1é\u4e2d𝒳"
FOREIGN = " (.×→\n🙂"
NAME = st.text(LETTERS, min_size=1, max_size=5)
TEXT = st.text(LETTERS + FOREIGN, max_size=6)
SLICE = st.tuples(TEXT, st.integers(0, 5), st.integers(0, 12)).map(lambda t: t[0].encode()[t[1] : t[1] + t[2]])
TOKEN = st.one_of(SLICE, SLICE, st.binary(max_size=3))
BYTES = [bytes([b]) for b in range(256)]
TAIL = st.sampled_from(["", "", "a", "é1"])


@cache
def whole_characters() -> dict[tuple[bytes, bool], str]:
    """For each half of a character, a whole one that begins with it: one in identifiers (True), one in none (False)."""
    found: dict[tuple[bytes, bool], str] = {}
    for code in range(0x80, 0x110000):
        if not 0xD800 <= code < 0xE000:
            data = chr(code).encode()
            for cut in range(1, len(data)):
                found.setdefault((data[:cut], in_identifier(chr(code))), chr(code))
    return found


def completions(written: bytes) -> list[str]:
    """Texts that begin with `written`: half a character at its end becomes each of the names' letters, and others."""
    found = [written] if is_text(written) else []
    for cut in range(1, 4):
        head, half = written[:-cut], written[-cut:]
        if is_text(head) and not is_text(written):
            letters = [letter for letter in LETTERS if letter.encode().startswith(half)]
            others = [whole_characters()[key] for key in ((half, True), (half, False)) if key in whole_characters()]
            found += [head + character.encode() for character in (*letters, *others)]
    return [data.decode() for data in found]


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_legal(text: str, names: list[str]) -> bool:
    """Whether some text beginning with `text` is one of the names with something after it that is no identifier."""
    word = next((text[:n] for n in range(len(text), -1, -1) if all(in_identifier(c) for c in text[:n])), "")
    return any(name.startswith(word) for name in names) if word == text else word in names


def brute_force(table: list[bytes], names: list[str], written: bytes, tail: str) -> list[int]:
    found = []
    for index, data in enumerate(table):
        if data:
            fits = any(is_legal(text, names) for text in completions(written + data))
        else:
            fits = is_text(written) and (written.decode() + tail) in names
        if fits:
            found.append(index)
    return found


@settings(deadline=None, max_examples=60)
@given(st.lists(TOKEN, max_size=20), st.lists(NAME, min_size=1, max_size=6), TAIL, st.booleans(), st.data())
def test_masks_of_perhaps_and_none_equal_brute_force(
    tokens: list[bytes], names: list[str], tail: str, perhaps: bool, data: st.DataObject
) -> None:
    """A name if any name at all, and none of some names: a token is allowed exactly if some legal text goes on so."""

    def legal(text: str, *, ends: bool = False) -> bool:
        word = next(text[:n] for n in range(len(text), -1, -1) if all(in_identifier(c) for c in text[:n]))
        if perhaps:
            begins = text[:1] and (text[0] == "_" or text[0].isalpha() or not text[0].isascii())
            return not begins or (word in names if ends else is_legal(text, names))
        return word not in names if ends or word != text else True

    table = [*tokens, *BYTES, b""]
    kind = NamesOrNone if perhaps else NoneOf
    language = kind(IdentifierTrie(Vocabulary(table)), names, tail)
    constraint, written = OneOf(language, table), b""
    while not constraint.is_satisfied:
        choices, expected = mask_of(constraint, len(table)), []
        possible = [completions(written + piece) for piece in table]
        for index, piece in enumerate(table):
            if piece:
                fits = any(map(legal, possible[index]))
            else:
                fits = not written or (is_text(written) and legal(written.decode() + tail, ends=True))
            if fits:
                expected.append(index)
        assert [i for i in choices if possible[i]] == [i for i in expected if possible[i]]
        token = data.draw(st.sampled_from(choices))
        if not table[token]:
            break
        constraint.accept(token)
        written += table[token]


def mask_of(constraint: OneOf, size: int) -> list[int]:
    mask = full_mask(size)
    constraint.fill_mask(mask)
    return allowed(mask, size).nonzero().flatten().tolist()


@settings(deadline=None, max_examples=200)
@given(st.lists(TOKEN, max_size=50), st.lists(NAME, min_size=1, max_size=6), TAIL, st.data())
def test_masks_equal_brute_force(tokens: list[bytes], names: list[str], tail: str, data: st.DataObject) -> None:
    """On any path through any vocabulary, halves of characters included, a token is allowed exactly if it fits."""
    table = [*tokens, *BYTES, b""]
    constraint = OneOf(Names(IdentifierTrie(Vocabulary(table)), names, tail), table)
    written = b""
    while not constraint.is_satisfied:
        choices = mask_of(constraint, len(table))
        assert choices == brute_force(table, names, written, tail)
        token = data.draw(st.sampled_from(choices))
        if not table[token]:
            break
        constraint.accept(token)
        constraint.rollback(1)
        assert mask_of(constraint, len(table)) == choices
        constraint.accept(token)
        written += table[token]
        assert any(is_legal(text, names) for text in completions(written))


@settings(deadline=None)
@given(st.lists(NAME, min_size=1, max_size=5), NAME)
def test_what_is_typed_already_counts(names: list[str], typed: str) -> None:
    """A half-typed name leaves the names that begin with it; a typed word that none begins with is let go."""
    table = [*BYTES, b""]
    constraint = OneOf(Names(IdentifierTrie(Vocabulary(table)), names), table, typed.encode())
    assert constraint.is_satisfied == (not any(name.startswith(typed) for name in names))
    assert constraint.is_satisfied or mask_of(constraint, len(table)) == brute_force(table, names, typed.encode(), "")


def test_tokens_after_a_dot() -> None:
    """Tokens may end a name and go on, or end within it; a space, another name and the end may not come."""
    table = [b"app", b"append", b"append(", b"append(x", b"appendix", b" append", b"(", b"end", b"", b"end\xc3"]
    names = Names(IdentifierTrie(Vocabulary(table)), ["append", "clear"])
    assert mask_of(OneOf(names, table), len(table)) == [0, 1, 2, 3]
    assert mask_of(OneOf(names, table, b"app"), len(table)) == [7, 9]
    assert mask_of(OneOf(names, table, b"append"), len(table)) == [5, 6, 8]


def test_what_is_no_identifier_is_no_name() -> None:
    """Names an analyser invents, such as labels with brackets or spaces, are left out."""
    names = Names(IdentifierTrie(Vocabulary(BYTES)), ["ok", "not ok", "f()", "", "größe"])
    assert len(names) == 2


def test_half_a_character_finishes_no_forbidden_name_that_it_may_lengthen() -> None:
    """After a forbidden é, half a character that may become a letter is allowed; one that cannot is not."""
    table = ["é".encode() + b"\xc3", b"\xc3", "é".encode() + b"\xf0\x9f\x98", b"\xf0\x9f\x98", "é(".encode(), b"("]
    names = NoneOf(IdentifierTrie(Vocabulary(table)), ["é"])
    assert mask_of(OneOf(names, table), len(table)) == [0, 1, 3, 5]
    assert mask_of(OneOf(names, table, "é".encode()), len(table)) == [0, 1, 2, 4]


def test_extra_characters_of_identifiers() -> None:
    """In languages whose names hold a dollar sign it lengthens a name and may be in one."""
    table = [b"a", b"$", b"a$b", b"(", b"a$("]
    names = Names(IdentifierTrie(Vocabulary(table), extra="$"), ["a$b"])
    assert mask_of(OneOf(names, table), len(table)) == [0, 2]
    assert mask_of(OneOf(names, table, b"a"), len(table)) == [1]
    assert identifier_length(b"a$b-c", "$") == 3


@pytest.mark.parametrize(
    ("half", "possible"), [(b"\xc3", True), (b"\xe4\xb8", False), (b"\xe2", True), (b"\xf0\x9f", True)]
)
def test_half_a_character_may_be_foreign(half: bytes, possible: bool) -> None:
    """Half a character ends a name only if some whole one does: none of the Chinese characters U+4E00 to U+4E3F."""
    assert _can_be(half, in_identifiers=False) == possible
    assert follows(half) == possible


def test_bytes_that_are_no_text_follow_nothing() -> None:
    """Bytes that no character begins with, or that break one, never fit."""
    assert not follows(b"\xff")
    assert not follows(b" \xc3(")
    assert follows(b" \xc3")


def test_ids_of_equal_bytes_are_all_found() -> None:
    """Two ids that write the same are allowed together."""
    table = [b"a", b"a", b"a(", b"a("]
    names = Names(IdentifierTrie(Vocabulary(table)), ["a"])
    assert np.array_equal(mask_of(OneOf(names, table), 4), [0, 1, 2, 3])


@settings(deadline=None)
@given(st.lists(TOKEN, max_size=50), st.lists(NAME, min_size=1, max_size=6), st.text(LETTERS, max_size=4))
def test_new_names_cannot_be_used(tokens: list[bytes], names: list[str], typed: str) -> None:
    """Where a name may be defined, exactly the tokens that call, index or dereference an unknown one are forbidden."""
    table = [*tokens, *BYTES, *(text.encode() + b"(" for text in names), b""]
    constraint = OneOf(NamesOrNew(IdentifierTrie(Vocabulary(table)), names), table, typed.encode())
    forbidden = []
    for index, data in enumerate(table):
        length = identifier_length(data)
        rest = data[length:]
        if (
            rest[:1] in (b"(", b".", b"[")
            and follows(rest)
            and typed.encode() + data[:length] not in map(str.encode, names)
        ):
            forbidden.append(index)
    assert sorted({*range(len(table))} - {*mask_of(constraint, len(table))}) == forbidden


@settings(deadline=None)
@given(st.lists(TOKEN, max_size=50), st.lists(NAME, min_size=1, max_size=4), st.text(LETTERS, max_size=3))
def test_a_new_name_is_none_that_is_barred(tokens: list[bytes], barred: list[str], typed: str) -> None:
    """Where a name may be defined, a barred one can be lengthened and not finished, unless it exists."""
    table = [*tokens, *BYTES, *(text.encode() + b" " for text in barred), b""]
    trie = IdentifierTrie(Vocabulary(table))
    free = OneOf(NamesOrNew(trie, ["a"]), table, typed.encode())
    bound = OneOf(NamesOrNew(trie, ["a"], "", frozenset(barred)), table, typed.encode())
    taken = {*mask_of(free, len(table))} - {*mask_of(bound, len(table))}
    known = {name.encode() for name in barred} - {b"a"}
    for index in taken:
        assert (typed.encode() + table[index])[: identifier_length(typed.encode() + table[index])] in known
    for index, data in enumerate(table):
        whole = typed.encode() + data
        if data and whole.isascii() and follows(whole[identifier_length(whole) :] or b"a"):
            is_barred = whole[: identifier_length(whole)] in known and identifier_length(whole) < len(whole)
            assert not (is_barred and index in mask_of(bound, len(table)))
