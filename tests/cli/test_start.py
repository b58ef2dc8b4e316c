"""What the first suggestion waits for."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.gguf import write_gguf
from tests.helpers.tiny import tiny_model_folder

CODE = """
import atexit, sys
from guiderail.cli.main import main
atexit.register(lambda: print(*({"transformers", "scipy", "huggingface_hub"} & sys.modules.keys()), file=sys.stderr))
main()
"""


def imported(*arguments: str) -> list[str]:
    """Which of the slow libraries a whole `guiderail complete` imports."""
    call = [sys.executable, "-c", CODE, "complete", "--max-tokens", "2", *arguments]
    done = subprocess.run(
        call, input="def f(x):\n    return ", capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.split("\n")[-2].split()


@pytest.mark.e2e
def test_the_embedded_model_starts_without_transformers() -> None:
    """Its import takes longer than all else that is done before the first suggestion."""
    assert imported() == []


@pytest.mark.e2e
@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "mistral"])
def test_llama_shaped_models_start_without_transformers(family: str, tmp_path: Path) -> None:
    """Those of a folder, and one of a GGUF file, in 8 bit as well."""
    folder = tiny_model_folder(family, tmp_path / "model")
    assert imported("--model", str(folder)) == []
    if family == "qwen2":
        path = write_gguf(folder, tmp_path / "model.gguf")
        assert imported("--model", str(path), "--dtype", "int8") == []


@pytest.mark.e2e
def test_other_models_still_take_its_module(tmp_path: Path) -> None:
    """So the tests above can fail."""
    assert "transformers" in imported("--model", str(tiny_model_folder("starcoder2", tmp_path / "model")))
