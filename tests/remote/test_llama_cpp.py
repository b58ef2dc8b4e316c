"""llama.cpp's own server with the embedded model's weights: the texts are those of the same file in this process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.benchmarks.llama_cpp import export
from guiderail.engine.engine import Engine
from guiderail.engine.request import CompletionRequest
from guiderail.engine.suggestion import Suggestion
from guiderail.engine.time_limits import TimeLimits
from guiderail.model.load import load
from guiderail.settings import Settings
from guiderail.text.document import Document

pytestmark = pytest.mark.e2e

LIMITS = TimeLimits(context_s=5.0, ngrams_s=0.0, analyser_s=60.0)
STACK = """class Stack:
    def __init__(self):
        self.items = []

    def shove(self, x):
        self.items.append(x)


s = Stack()
s.|
"""
ACCOUNT = """class Account:
    def __init__(self, owner: str, total: int = 0) -> None:
        self.owner_name = owner
        self.total_cents = total


def show(account: Account) -> str:
    return f"{account.|}"
"""
PATH = "from pathlib import Path\n\n\ndef lines(path: Path) -> list[str]:\n    return path.|\n"
LOCK = "import threading\n\nlock = threading.Lock()\n\n\ndef work():\n    lock.|\n"
HALF = "import os\n\n\ndef size(path: str) -> int:\n    return os.path.gets|\n"
TEXTS = (STACK, ACCOUNT, PATH, LOCK, HALF)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model as a GGUF file, with the splitting of words that llama.cpp knows."""
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    model = load("embedded", device="cpu", dtype="float32", threads=1)
    export(model.plain_module(), path, model.info.folder / "tokenizer.json")
    return path


@pytest.fixture(scope="module")
def url(weights: Path) -> Iterator[str]:
    """The address of a server with it."""
    command = [sys.executable, "-P", "-m", "guiderail.benchmarks.llama_server", str(weights), "1", "2048", "1", "4096"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().decode().strip()
        finally:
            process.kill()


def written(model: str, *, monitors: bool) -> list[Suggestion]:
    """What a model writes at each cursor."""
    settings = Settings(
        model=model, device="cpu", dtype="float32", threads=1, monitors=monitors, verdict="off", max_tokens=16,
        drafter="off", project_ngrams="off", confidence="off",
    )  # fmt: skip
    engine = Engine(LIMITS)
    engine.load(settings)
    try:
        return [
            engine.complete(
                CompletionRequest(
                    document=Document(text.replace("|", ""), language="python"),
                    offset=text.index("|"),
                    settings=settings,
                )
            ).suggestions[0]
            for text in TEXTS
        ]
    finally:
        engine.unload()


@pytest.mark.parametrize("monitors", [True, False])
def test_the_texts_are_those_of_this_process(weights: Path, url: str, monitors: bool) -> None:
    """Greedy texts, their reasons to end, and what monitors forbade are the same; a refusal costs one request."""
    here, there = written(str(weights), monitors=monitors), written(url, monitors=monitors)
    assert [(one.written, one.finish) for one in there] == [(one.written, one.finish) for one in here]
    assert [one.score for one in there] == pytest.approx([one.score for one in here], abs=0.05)
    for one, other in zip(there, here, strict=True):
        assert one.passes <= 8
        if monitors:
            assert one.monitored is not None
            assert other.monitored is not None
            assert [watch.receiver for watch in one.monitored.watches if watch.legal] == [
                watch.receiver for watch in other.monitored.watches if watch.legal
            ]
    if monitors:
        assert max(one.passes for one in there) > 1, "something was refused"


def test_a_grammar_alone_is_obeyed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told no candidates, the server keeps to its grammar: no text leaves the names that exist."""
    monkeypatch.setattr("guiderail.remote.byte_walk.ByteWalk.best", lambda *_: None)
    found = written(url, monitors=True)
    assert found[1].written.startswith(("owner_name", "total_cents", "__"))
    assert hasattr(Path, found[2].written.partition("(")[0].split(".")[0].split()[0])
    assert max(one.passes for one in found) > 1
