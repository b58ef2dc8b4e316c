"""llama.cpp as a library: what is kept of a cache, and that a build in a folder of its own decodes the same."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.benchmarks.llama_cpp import LlamaCpp, Waiting, export
from guiderail.benchmarks.llama_library import Library
from guiderail.errors import GuiderailError
from tests.helpers.models import tiny_model

BUILD = os.environ.get("LLAMA_CPP_BUILD")
needs_build = pytest.mark.skipif(not BUILD, reason="LLAMA_CPP_BUILD names no folder with llama-cpp-python")
IDS = list(range(300, 340))


class Memory(list[int]):
    """A cache that moves tokens as llama.cpp's does, to see what is left in it."""

    def llama_memory_seq_rm(self, _memory: object, _sequence: int, start: int, end: int) -> None:
        self[start : len(self) if end < 0 else end] = [-1] * ((len(self) if end < 0 else end) - start)

    def llama_memory_seq_add(self, _memory: object, _sequence: int, start: int, end: int, by: int) -> None:
        self[start + by : end + by] = self[start:end]


def library(held: list[int]) -> Library:
    made = Library.__new__(Library)
    made._c, made._memory, made._held = Memory(held), None, list(held)
    return made


@pytest.mark.parametrize(
    ("ids", "reuse", "kept"),
    [
        (IDS, 16, 39),  # all but the last token, whose scores are wanted
        ([*IDS[:10], *IDS[13:]], 16, 36),  # a deletion: its rest is found further left
        ([*IDS[:10], *IDS[13:]], 30, 10),  # too short a run
        ([*IDS[:10], *IDS[13:]], 1, 10),  # the common beginning alone
        ([*IDS[:10], 7, 8, *IDS[10:]], 4, 10),  # an insertion: nothing stands further left
        ([5], 16, 0),
    ],
)
def test_what_is_kept_is_what_stands_there(ids: list[int], reuse: int, kept: int) -> None:
    """What a cache holds after it was fitted is the beginning of the new ids, in the cache and in the books."""
    made = library(IDS)
    assert made._fit(ids, reuse) == kept
    assert made._held == ids[:kept]
    assert made._c[:kept] == ids[:kept]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.gguf"
    export(tiny_model("qwen3").module, path)
    return path


@pytest.fixture(params=[None, pytest.param(BUILD, marks=needs_build)], ids=["installed", "of a folder"])
def rival(request: pytest.FixtureRequest, file: Path) -> Iterator[LlamaCpp]:
    found = LlamaCpp(file, Waiting(threads=1), 512, build=request.param, exact=True)
    yield found
    found.close()


@pytest.mark.e2e
def test_any_build_answers_alike(rival: LlamaCpp, file: Path) -> None:
    """The installed build and one in a folder decode the same tokens, encode as many, and say what they are."""
    wanted = LlamaCpp(file, Waiting(threads=1), 512, exact=True)
    try:
        assert rival.tokens(IDS, 8) == wanted.tokens(IDS, 8)
        assert rival.decode(IDS, 8) > 0
        rival.follow(IDS, 8)
        assert rival.follow([*IDS[:20], 9, *IDS[20:]], 8)[1] == 21
        assert [len(found) for found in rival.passes(IDS, (1, 8), 3)] == [3, 3]
        assert "AVX" in rival.system or "NEON" in rival.system
        assert rival.load_s > 0
    finally:
        wanted.close()


@pytest.mark.parametrize("package", ["llama_cpp", "something_else"])
def test_a_folder_without_a_build_is_an_error(tmp_path: Path, file: Path, package: str) -> None:
    """A package that is missing or cannot be imported ends the process; the installed build never stands in for it."""
    (tmp_path / package).mkdir()
    with pytest.raises(GuiderailError, match=r"llama\.cpp ended"):
        LlamaCpp(file, Waiting(threads=1), 512, build=str(tmp_path))


@needs_build
@pytest.mark.e2e
def test_a_library_has_scores_and_lines(file: Path) -> None:
    """The likeliest by the last scores is the token that is decoded, which the line begins with."""
    rival = LlamaCpp(file, Waiting(threads=1), 512, build=BUILD, exact=True)
    try:
        scores = rival.scores(IDS, 4)
        assert scores.shape == (4, tiny_model("qwen3").vocab_size)
        (token,) = rival.tokens(IDS, 1)
        assert scores[-1].argmax() == token
        assert f"t{token - 3}" in rival.line(IDS, 1)
        assert rival.memory() > 1e6
    finally:
        rival.close()
