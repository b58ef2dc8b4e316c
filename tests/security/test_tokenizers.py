"""What a model's own tokenizer may do to a text: its patterns come from whoever made the model."""

import json
import time

import pytest

from guiderail.model.store import EMBEDDED_FOLDER
from guiderail.model.tokenizer import MOST_IDS, Tokenizer, TokenizerError

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
