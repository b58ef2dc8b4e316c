"""A GGUF file works wherever a model's folder works."""

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from gguf import GGMLQuantizationType
from huggingface_hub import constants

from guiderail.model import store
from guiderail.model.fingerprint import fingerprint
from guiderail.model.load import describe
from tests.cli.conftest import Result
from tests.helpers.gguf import write_gguf
from tests.helpers.hub import fill_cache, linked_to_blobs
from tests.helpers.tiny import tiny_model_folder

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder and the file made from it."""
    root = tmp_path_factory.mktemp("twins")
    folder = tiny_model_folder("qwen2", root / "hub")
    return folder, write_gguf(folder, root / "tiny-f32.gguf")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUIDERAIL_THREADS", "1")
    monkeypatch.setenv("GUIDERAIL_MONITORS", "off")


def _statuses(done: Result) -> dict[str, str]:
    return {check["name"]: check["status"] for check in json.loads(done.out)["checks"]}


def test_complete_writes_what_it_writes_from_the_folder(guiderail: Run, twins: tuple[Path, Path]) -> None:
    Path("code.py").write_text("def size(path):\n    return os.\n")
    position = ("complete", "code.py", "--line", "2", "--max-tokens", "8", "--until", "tokens")
    folder, file = (guiderail(*position, "--model", str(place)) for place in twins)
    assert folder.code == file.code == 0
    assert folder.out == file.out != ""


def test_show_says_what_it_says_of_the_folder_and_names_the_file(guiderail: Run, twins: tuple[Path, Path]) -> None:
    folder, file = (json.loads(guiderail("models", "show", str(place), "--json").out) for place in twins)
    same = {"architecture", "family", "parameters", "fim", "layouts", "context_length", "bytes_needed", "fits"}
    assert {key: folder[key] for key in same} == {key: file[key] for key in same}
    assert (folder["file"], file["file"], file["folder"]) == (None, twins[1].name, str(twins[1].parent))
    assert f"file                {twins[1].name}" in guiderail("models", "show", str(twins[1])).out.splitlines()


def test_use_writes_where_the_file_is(guiderail: Run, twins: tuple[Path, Path], home: Path) -> None:
    shutil.copy(twins[1], "here.gguf")
    assert guiderail("models", "use", "here.gguf").code == 0
    config = tomllib.loads((home / "config" / "guiderail" / "config.toml").read_text())
    assert config["model"] == str(Path("here.gguf").resolve())
    assert json.loads(guiderail("models", "show", "--json").out)["in_use"]


def test_the_doctor_runs_it(guiderail: Run, twins: tuple[Path, Path]) -> None:
    done = guiderail("doctor", "--json", "--model", str(twins[1]))
    assert done.code == 0
    found = _statuses(done)
    assert found["model files"] == "note"  # nothing says what the file must be
    assert {found[name] for name in ("model", "tokenizer", "forward pass", "live cache")} == {"ok"}


def test_a_pulled_file_is_compared_with_what_the_hub_has(
    guiderail: Run, twins: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the files in the snapshot, the one that was pulled."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(twins[1], source / "tiny-f32.gguf")
    write_gguf(twins[0], source / "tiny-q8_0.gguf", GGMLQuantizationType.Q8_0)
    snapshot = linked_to_blobs(fill_cache(tmp_path / "hub", "owner/tiny", source))
    several = guiderail("models", "show", "owner/tiny")
    assert (several.code, several.err.count("\n")) == (1, 1)
    assert "has several models: tiny-f32.gguf, tiny-q8_0.gguf" in several.err
    store.write_pins({store.file_key("owner/tiny"): "tiny-f32.gguf"})
    assert json.loads(guiderail("models", "show", "owner/tiny", "--json").out)["file"] == "tiny-f32.gguf"
    monkeypatch.setenv("GUIDERAIL_MODEL", "owner/tiny")
    assert _statuses(guiderail("doctor", "--json"))["model files"] == "ok"
    blob = (snapshot / "tiny-f32.gguf").resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    done = guiderail("doctor", "--json")
    assert _statuses(done)["model files"] == "failed"
    assert "guiderail models rm owner/tiny" in done.out


def test_a_file_that_is_no_model_is_one_line(guiderail: Run) -> None:
    Path("broken.gguf").write_bytes(b"GGUF" + bytes(60))
    for command in (("models", "show"), ("models", "use")):
        done = guiderail(*command, "broken.gguf")
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert done.err.startswith(f"guiderail: {Path('broken.gguf').absolute()} is ")


def test_files_of_one_model_in_two_precisions_have_two_fingerprints(twins: tuple[Path, Path], tmp_path: Path) -> None:
    """Also under one commit of the hub: what is calibrated for one is not for the other."""
    other = write_gguf(twins[0], tmp_path / "tiny-q8_0.gguf", GGMLQuantizationType.Q8_0)
    marks = {fingerprint(describe(str(path))) for path in (twins[1], other)}
    assert len(marks) == 2
