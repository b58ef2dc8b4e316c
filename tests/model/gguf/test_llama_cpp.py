"""llama.cpp reads the same files and decodes the same: the tests' converter follows its conventions, not ours."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from guiderail.benchmarks.llama_cpp import LlamaCpp, Waiting
from guiderail.decoding.session import Session
from guiderail.model.load import load
from tests.helpers.gguf import write_gguf
from tests.model.gguf.conftest import MODELS

TOKENS = 12
END = 2  # of the made-up vocabulary
NEAR = 2e-3  # of a score: sums are taken in another order


@pytest.mark.e2e
@pytest.mark.parametrize("name", MODELS)
def test_llama_cpp_decodes_the_same_tokens(
    name: str, hub_folder: Callable[[str], Path], gguf_file: Callable[..., Path], tmp_path: Path
) -> None:
    """Each of its greedy tokens is the likeliest one here, or as good as that.

    It is given a vocabulary of words alone: its server holds back halves of characters. Ends of text are left out.
    """
    pytest.importorskip("xllamacpp")
    model = load(str(gguf_file(name)), device="cpu", dtype="float32")
    within = 25 if "phi3" in name else 60  # llama.cpp leaves Phi-3's window out, transformers does not
    ids = model.tokenizer.encode(Path(__file__).read_text()[:400])[:within]
    rival = LlamaCpp(
        write_gguf(hub_folder(name), tmp_path / "words.gguf", vocabulary=False), Waiting(threads=1), 256, exact=True
    )
    try:
        theirs = rival.tokens(ids, TOKENS)
    finally:
        rival.close()
    session, given, gaps = Session(model), ids, []
    for token in theirs:
        scores = session.feed(given)
        assert scores is not None
        scores = scores.clone()
        scores[END] = -math.inf
        gaps.append(float(scores.max() - scores[token]))
        given = [token]
    assert len(gaps) == TOKENS
    assert max(gaps) < NEAR
