"""What a model's own tokenizer may do to a text: its patterns come from whoever made the model."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from guiderail.decoding.constraints.word_trie import WordTrie
from guiderail.model.store import EMBEDDED_FOLDER
from guiderail.model.tokenizer import LONGEST_TOKEN, MOST_CHARACTERS, MOST_IDS, Tokenizer, TokenizerError

SOON_S = 20.0  # of the processor's time; the library gives a pattern up after a tenth of a second


pytestmark = pytest.mark.skipif(not (EMBEDDED_FOLDER / "tokenizer.json").is_file(), reason="there is no embedded model")


def test_an_id_takes_no_memory() -> None:
    """One of four billion took 32 GB."""
    specification = json.loads((EMBEDDED_FOLDER / "tokenizer.json").read_text())
    vocabulary = specification["model"]["vocab"]
    vocabulary[next(reversed(vocabulary))] = MOST_IDS + 1  # in 32 MB, for the sake of a tree where nothing stops it
    with pytest.raises(TokenizerError, match="ids up to"):
        Tokenizer(specification)


def test_a_pattern_that_takes_for_ever_is_an_error_in_one_line() -> None:
    """The library panics then, which is no Exception: the command line ended in a traceback."""
    specification = json.loads((EMBEDDED_FOLDER / "tokenizer.json").read_text())
    split = {"type": "Split", "pattern": {"Regex": r"(x+x+)+y|[\s\S]"}, "behavior": "Isolated", "invert": False}
    specification["pre_tokenizer"]["pretokenizers"][0] = split
    tokenizer = Tokenizer(specification)
    assert tokenizer.decode_bytes(tokenizer.encode("def f(x):")) == b"def f(x):"
    began = time.thread_time()
    with pytest.raises(TokenizerError, match="takes too long on this text"):
        tokenizer.encode("x" * 200)
    assert time.thread_time() - began < SOON_S


@pytest.mark.parametrize("count", [2, 24])
def test_a_text_does_not_grow_before_it_is_split(count: int) -> None:
    """Each stage writes a character that is not ASCII as two: of 40 stages the first text took all memory, at load.

    24 of them take a gigabyte, in a tree where nothing stops that.
    """
    specification = json.loads((EMBEDDED_FOLDER / "tokenizer.json").read_text())
    stages = [{"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}] * count
    inner = {"type": "Sequence", "pretokenizers": stages[1:]}
    specification["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [stages[0], inner]}
    with pytest.raises(TokenizerError, match="more than once"):
        Tokenizer(specification)


def memory_map() -> int:
    """Bytes of this process's address space."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def added(name: str, number: int, special: bool = False) -> dict[str, Any]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": number, "content": name, "special": special} | flags


@pytest.mark.parametrize("place", ["added", "vocabulary"])
def test_a_token_of_megabytes_is_refused_before_it_is_prepared(place: str) -> None:
    """One of 20 MB among the added ones took 42 s to load, and among the others more memory than there is."""
    specification = json.loads((EMBEDDED_FOLDER / "tokenizer.json").read_text())
    number, name = 1 + max(specification["model"]["vocab"].values()), "x" * (LONGEST_TOKEN + 1)
    if place == "added":
        specification["added_tokens"].append(added(name, number))
    else:
        specification["model"]["vocab"][name] = number
    with pytest.raises(TokenizerError, match=f"a token of {len(name)} characters"):
        Tokenizer(specification)


def test_all_tokens_together_are_bounded() -> None:
    specification = json.loads((EMBEDDED_FOLDER / "tokenizer.json").read_text())
    first = 1 + max(specification["model"]["vocab"].values())
    for number in range(MOST_CHARACTERS // LONGEST_TOKEN + 1):
        specification["model"]["vocab"][f"{number:0{LONGEST_TOKEN}}"] = first + number
    with pytest.raises(TokenizerError, match="characters together"):
        Tokenizer(specification)


def test_many_added_tokens_of_two_kinds_in_turn_take_as_long_as_of_one() -> None:
    """The library's search was built anew at each turn: 4,000 took 4 s, 16,000 more than 4 minutes."""
    specification = json.loads((EMBEDDED_FOLDER / "tokenizer.json").read_text())
    first = 1 + max(specification["model"]["vocab"].values())
    names = [f"<turn-{number}>" for number in range(8_000)]
    specification["added_tokens"] += [added(name, first + at, bool(at % 2)) for at, name in enumerate(names)]
    began = time.thread_time()
    tokenizer = Tokenizer(specification)
    assert time.thread_time() - began < 5  # it took 15 s
    assert [tokenizer.special.get(name) for name in names] == [at + first if at % 2 else None for at in range(8_000)]
    assert tokenizer.encode(names[0]) == [first]
    assert tokenizer.decode(tokenizer.encode(names[1])) == names[1]  # text that spells one stays text


@pytest.mark.skipif(sys.platform != "linux", reason="no such limit elsewhere")
def test_one_long_word_does_not_take_as_much_for_every_other() -> None:
    """A word of 64,000 letters among 8,000 took 15 GB."""
    import resource

    words = {f"w{number}".encode(): [number] for number in range(8_000)} | {b"x" * 64_000: [8_000]}
    limits, now = resource.getrlimit(resource.RLIMIT_AS), memory_map()
    resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), limits[1]))
    try:
        trie = WordTrie(words, {})
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    found = trie.lists(["w12", "x" * 64_000, "w", ""])
    assert found is not None
    assert found[0].tolist() == [1, 12, 8_000]
    assert found[1].tolist() == [2, 1, 0, 0]
