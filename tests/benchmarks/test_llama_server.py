"""llama.cpp's server as an engine to type against."""

import asyncio
import json
from pathlib import Path

import pytest

from guiderail.benchmarks.llama_cpp import Waiting, export
from guiderail.benchmarks.llama_server import LlamaServer
from guiderail.errors import GuiderailError
from guiderail.model.load import load
from tests.benchmarks.test_llama_library import BUILD, needs_build
from tests.editors.parrot import SAID, parrot_folder
from tests.helpers.models import tiny_folder, tiny_model


@pytest.mark.e2e
@pytest.mark.asyncio
@pytest.mark.parametrize("build", [None, pytest.param(BUILD, marks=needs_build)], ids=["installed", "of a folder"])
async def test_it_fills_in_with_our_weights_and_vocabulary(build: str | None, tmp_path: Path) -> None:
    """The exported model says in llama.cpp what it says here, in words; of waiting requests the newest is sent."""
    model = load(str(parrot_folder(tmp_path / "parrot", " " + SAID)), device="cpu", dtype="float32")
    export(model.plain_module(), tmp_path / "model.gguf", model.info.folder / "tokenizer.json")
    cut = lambda text, cursor: (text[:cursor], text[cursor:])  # noqa: E731
    server = LlamaServer(tmp_path / "model.gguf", Waiting(threads=1), 256, 32, cut, build)
    await server.start()
    try:
        await server.ping()
        first = asyncio.create_task(server.ask("a.py", "x =", 3))
        await asyncio.sleep(0)  # it is sent
        second = asyncio.create_task(server.ask("a.py", "y =", 3))
        await asyncio.sleep(0)
        for request in (first, second):
            request.cancel()
        assert await server.ask("a.py", "z =\n", 3) == " " + SAID
        assert first.cancelled()
        assert second.cancelled()
    finally:
        await server.stop()


@pytest.mark.e2e
@pytest.mark.asyncio
async def test_a_server_that_ends_at_once_is_an_error(tmp_path: Path) -> None:
    """A file that is no model is told in one line, not waited for."""
    (tmp_path / "model.gguf").write_bytes(b"nothing")
    server = LlamaServer(tmp_path / "model.gguf", Waiting(threads=1), 256, 32, lambda text, _: (text, ""))
    with pytest.raises(GuiderailError, match="ended"):
        await server.start()
    await server.stop()


def test_a_vocabulary_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Without the tokens for infilling there is nothing to ask llama.cpp for."""
    described = json.loads((tiny_folder("guiderail") / "tokenizer.json").read_text(encoding="utf-8"))
    described["added_tokens"] = []
    (tmp_path / "tokenizer.json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(GuiderailError, match="vocabulary"):
        export(tiny_model("qwen3").module, tmp_path / "model.gguf", tmp_path / "tokenizer.json")
