"""The laws of `guiderail doctor`: it finds what is broken, and never breaks itself."""

import hashlib
import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants

from guiderail.cli import doctor
from guiderail.model import store
from guiderail.model.checksums import SUMS, compare, digests
from guiderail.model.store import EMBEDDED_FOLDER
from guiderail.monitors.analysis.servers import PYREFLY
from guiderail.settings import Settings
from tests.cache.shapes import model_of
from tests.cli.conftest import Result
from tests.helpers.hub import fill_cache, linked_to_blobs
from tests.monitors.python.layouts import environment, write

Run = Callable[..., Result]


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that a test may damage, as the one that the settings name."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    monkeypatch.setenv("GUIDERAIL_MODEL", str(folder))
    monkeypatch.setenv("GUIDERAIL_THREADS", "1")
    return folder


@pytest.fixture
def pulled(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model in the hub's cache, as its client leaves it, as the one that the settings name."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("GUIDERAIL_MODEL", "owner/tiny")
    monkeypatch.setenv("GUIDERAIL_THREADS", "1")
    return linked_to_blobs(fill_cache(tmp_path / "hub", "owner/tiny", tiny_model))


def write_checksums(folder: Path) -> None:
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def statuses(run: Run, code: int) -> dict[str, tuple[str, str, str]]:
    result = run("doctor", "--json")
    assert (result.code, result.err) == (code, "")
    report = json.loads(result.out)
    assert report["ok"] is (code == 0)
    return {check["name"]: (check["status"], check["detail"], check["remedy"]) for check in report["checks"]}


def test_a_healthy_machine(guiderail: Run, copy: Path) -> None:
    """With a sound model every check passes, the model having really run."""
    write_checksums(copy)
    found = statuses(guiderail, 0)
    assert [name for name, (status, *_) in found.items() if status == "ok"] == [
        "python", "settings", "torch", "memory", "model files", "model", "tokenizer", "forward pass",
        "live cache",
    ]  # fmt: skip
    assert "checksums right" in found["model files"][1]
    assert " ms" in found["forward pass"][1]
    assert found["analysers"][0] == "note"


@pytest.mark.skipif(not EMBEDDED_FOLDER.exists(), reason="this checkout has no embedded weights")
def test_the_shipped_weights_are_those_that_are_listed() -> None:
    """Every file of the embedded model is in its list of checksums, unchanged."""
    wanted = digests(EMBEDDED_FOLDER)
    assert {path.name for path in EMBEDDED_FOLDER.iterdir()} - {SUMS} == wanted.keys()
    assert set(compare(EMBEDDED_FOLDER, wanted, math.inf).same) == wanted.keys()


def damage(path: Path) -> None:
    """Change the last byte."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_a_damaged_file_is_named_with_a_remedy(guiderail: Run, copy: Path) -> None:
    """A changed byte fails the check, names the file and says what to do."""
    write_checksums(copy)
    damage(copy / "model.safetensors")
    status, detail, remedy = statuses(guiderail, 1)["model files"]
    assert status == "failed"
    assert detail.endswith("damaged or missing: model.safetensors")
    assert "again" in remedy


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_pulled_model_is_compared_with_what_the_hub_has(guiderail: Run, pulled: Path, name: str) -> None:
    """Its cache names each content by a digest: large files by their SHA-256, small ones by git's."""
    assert statuses(guiderail, 0)["model files"][::2] == ("ok", "")
    damage(pulled / name)
    status, detail, remedy = statuses(guiderail, 1)["model files"]
    assert (status, detail.rpartition("; ")[2]) == ("failed", f"damaged or missing: {name}")
    assert remedy == "Fetch it again: guiderail models rm owner/tiny, then guiderail models pull owner/tiny"


def test_what_is_large_is_compared_when_it_is_asked_for(
    guiderail: Run, pulled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A doctor is quick: it says what it left out, and --full leaves out nothing."""
    monkeypatch.setattr(doctor, "QUICK_BYTES", 4096)
    damage(pulled / "model.safetensors")
    status, detail, remedy = statuses(guiderail, 0)["model files"]
    assert (status, remedy) == ("note", "Compare all: guiderail doctor --full")
    assert "not compared: " in detail and detail.endswith("model.safetensors")
    assert guiderail("doctor", "--full").code == 1


def test_a_folder_of_somebody_is_not_compared_and_that_is_said(guiderail: Run, copy: Path) -> None:
    """Where nothing says what files must be, the check promises nothing."""
    status, detail, _ = statuses(guiderail, 0)["model files"]
    assert status == "note"
    assert f"neither a {SUMS} nor the hub's cache says what they must be" in detail


def test_the_shipped_model_must_have_its_checksums(guiderail: Run, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taking the list away does not make a changed model pass."""
    monkeypatch.setattr(store, "EMBEDDED_FOLDER", copy)
    monkeypatch.setenv("GUIDERAIL_MODEL", "embedded")
    write_checksums(copy)
    assert statuses(guiderail, 0)["model files"][0] == "ok"
    (copy / SUMS).unlink()
    assert statuses(guiderail, 1)["model files"][::2] == ("failed", "Install guiderail again")


def test_only_who_can_be_asked_is_listed(guiderail: Run, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler on the search path is no analyser; one that is installed is named, and who is asked."""
    programs = copy.parent / "bin"
    programs.mkdir()
    for name in ("tsc", "javac", "cc", "jedi-language-server"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(sys, "executable", str(copy / "python"))
    assert statuses(guiderail, 0)["analysers"][1] == "python: jedi installed, nobody is asked"  # it runs the project
    monkeypatch.setenv("GUIDERAIL_TRUST", "always")
    assert statuses(guiderail, 0)["analysers"] == ("note", "python: jedi installed, jedi is asked", "")
    result = guiderail("doctor", "--analyser", "ty", "--json")
    check = json.loads(result.out)["checks"][-1]
    assert check["detail"] == "python: jedi installed, nobody is asked"
    assert check["remedy"] == "Install ty: pip install ty"
    monkeypatch.setenv("PATH", str(copy))
    assert statuses(guiderail, 0)["analysers"][2].endswith(PYREFLY.obtain)


def test_missing_weights_fail_with_a_remedy(guiderail: Run, copy: Path) -> None:
    """A folder without weights fails, and what needs them is left out."""
    (copy / "model.safetensors").unlink()
    found = statuses(guiderail, 1)
    failed = [check for check in found.values() if check[0] == "failed"]
    assert len(failed) == 1
    assert failed[0][2]
    assert "forward pass" not in found


def test_weights_that_are_not_numbers_fail(guiderail: Run, copy: Path) -> None:
    """A model whose weights are NaN is refused when it is loaded."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    save_file(
        {name: torch.full_like(tensor, float("nan")) for name, tensor in weights.items()},
        copy / "model.safetensors",
        metadata={"format": "pt"},
    )
    status, detail = statuses(guiderail, 1)["model"][:2]
    assert status == "failed"
    assert "not all numbers" in detail


def test_an_unknown_model_and_a_wrong_setting_fail(guiderail: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and model are diagnosed, not fallen over."""
    monkeypatch.setenv("GUIDERAIL_MODEL", "/no/such/folder")
    assert statuses(guiderail, 1)["model files"][0] == "failed"
    monkeypatch.setenv("GUIDERAIL_DTYPE", "int3")
    status, detail, _ = statuses(guiderail, 1)["settings"]
    assert status == "failed"
    assert "GUIDERAIL_DTYPE" in detail


def test_the_table_says_what_to_do(guiderail: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal each check is a line, and a failure has its remedy below."""
    monkeypatch.setenv("GUIDERAIL_DTYPE", "int3")
    result = guiderail("doctor")
    assert result.code == 1
    assert "failed  settings" in result.out
    assert result.out.endswith("checks failed\n")


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("GPT-2, learned positions", "note", "depend on the position"),
        ("DeepSeek-V2, latent attention", "note", "no rotation moves the keys"),
        ("longrope", "ok", "up to 256 tokens (longrope positions)"),
        ("YaRN", "ok", "follows edits; moving a key"),
    ],
)
def test_the_doctor_says_whether_a_cache_can_be_patched(name: str, status: str, words: str) -> None:
    """What keeps an architecture from being patched stands in the report, and how far one can be."""
    check = doctor._cache(model_of(name))
    assert check.status == status
    assert words in check.detail


def test_the_doctor_says_that_the_python_of_the_settings_does_not_exist(tmp_path: Path) -> None:
    """Another one would be taken without a word."""
    check = doctor._imports(Settings(python=str(tmp_path / "nowhere" / "python")), tmp_path / "a.py")
    assert (check.status, bool(check.remedy)) == ("failed", True)
    assert "nowhere" in check.detail
    environment(tmp_path / "nowhere")
    assert doctor._imports(Settings(python=str(tmp_path / "nowhere")), tmp_path / "a.py").status == "note"


def test_the_doctor_says_where_a_files_modules_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its interpreter, import roots and packages; with a warning and a remedy where nothing is known."""
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    file = write(tmp_path, {"pyproject.toml": "", "backend/app/main.py": ""}) / "backend" / "app" / "main.py"
    check = doctor._imports(Settings(), file)
    assert (check.status, bool(check.remedy)) == ("note", True)
    assert "no environment" in check.detail
    site = environment(tmp_path / ".venv", "installed", version="3.12.3")
    for place in (file, file.parent):
        check = doctor._imports(Settings(), place)
        assert (check.status, check.remedy) == ("ok", "")
        found = ("Python 3.12", str(tmp_path / ".venv"), str(tmp_path / "backend"), "1 distributions", str(site))
        assert all(word in check.detail for word in found)
