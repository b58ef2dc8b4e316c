"""A tiny corpus, tokenizer and recipe, made from files of the standard library."""

from __future__ import annotations

import json
import sysconfig
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from training.corpus import Document
from training.pack import Packed, load_packed, pack
from training.recipe import Recipe, parse_recipe
from training.stdlib import STDLIB
from training.tokenizer import save_tokenizer, train_tokenizer

MODULES = ("json/__init__.py", "json/decoder.py", "json/encoder.py", "bisect.py", "textwrap.py", "stat.py", "heapq.py")


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    root = Path(sysconfig.get_paths()["stdlib"])
    texts = {name: (root / name).read_text(encoding="utf-8") for name in MODULES}
    texts["wide.py"] = 'GREETING = "grüße 🎉"\nvalues = [' + ", ".join(map(str, range(300))) + "]\n"
    return [Document(STDLIB, path, text) for path, text in texts.items()]


@pytest.fixture(scope="session")
def tokenizer(documents: list[Document]) -> Tokenizer:
    return train_tokenizer((document.text for document in documents), 512)


@pytest.fixture(scope="session")
def work(documents: list[Document], tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder as the pack stage leaves it."""
    folder = tmp_path_factory.mktemp("work")
    for part in ("corpus", "packed"):
        (folder / part).mkdir()
    (folder / "corpus" / "train.jsonl").write_text("".join(json.dumps(asdict(d)) + "\n" for d in documents))
    save_tokenizer(tokenizer, folder / "tokenizer", context=128)
    pack(documents, tokenizer, folder / "packed" / "train")
    pack(documents[:2], tokenizer, folder / "packed" / "validation")
    return folder


@pytest.fixture(scope="session")
def packed(work: Path) -> Packed:
    return load_packed(work / "packed" / "train")


@pytest.fixture
def recipe(work: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Recipe:
    """Two layers, a few hundred tokens, no compiler."""
    table = {
        "work": str(work),
        "export": str(tmp_path / "export"),
        "data": {"vocab": 512},
        "model": {"dim": 32, "layers": 2, "heads": 4, "kv_heads": 2, "head_dim": 8, "ffn": 48, "context": 128},
        "mixture": {"fim": 0.5, "bare": 0.25, "psm": 0.35, "spm": 0.45, "efim": 0.2},
        "run": {
            "device": "cpu", "dtype": "fp32", "compile": False, "threads": 1, "total_tokens": 2048, "warmup_steps": 2,
            "lanes": 3, "loss_chunk": 50, "validation_rows": 2, "validation_context": 64,
        },
        "phases": [
            {"until": 0.5, "context": 64, "rows": 2, "accumulate": 2},
            {"until": 1.0, "context": 128, "rows": 1},
        ],
    }  # fmt: skip
    return replace(parse_recipe(table, "tiny"), name=request.node.name)
