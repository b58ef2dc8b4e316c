"""The laws of `guiderail doctor`: it finds what is broken, and never breaks itself."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from guiderail.cli.doctor import CHECKSUMS, broken_files
from guiderail.model.store import EMBEDDED_FOLDER
from tests.cli.conftest import Result

Run = Callable[..., Result]


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that a test may damage, as the one that the settings name."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    monkeypatch.setenv("GUIDERAIL_MODEL", str(folder))
    monkeypatch.setenv("GUIDERAIL_THREADS", "1")
    return folder


def write_checksums(folder: Path) -> None:
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != CHECKSUMS)
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


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
    ]  # fmt: skip
    assert "checksums right" in found["model files"][1]
    assert " ms" in found["forward pass"][1]
    assert found["analysers"][0] == "note"


@pytest.mark.skipif(not EMBEDDED_FOLDER.exists(), reason="this checkout has no embedded weights")
def test_the_shipped_weights_are_those_that_are_listed() -> None:
    """Every file of the embedded model is in its list of checksums, unchanged."""
    sums = (EMBEDDED_FOLDER / CHECKSUMS).read_text(encoding="utf-8")
    listed = {line.split("  ", 1)[1] for line in sums.splitlines()}
    assert {path.name for path in EMBEDDED_FOLDER.iterdir()} - {CHECKSUMS} == listed
    assert list(broken_files(EMBEDDED_FOLDER, sums)) == []


def test_a_damaged_file_is_named_with_a_remedy(guiderail: Run, copy: Path) -> None:
    """A changed byte fails the check, names the file and says what to do."""
    write_checksums(copy)
    with (copy / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    status, detail, remedy = statuses(guiderail, 1)["model files"]
    assert status == "failed"
    assert "model.safetensors" in detail
    assert "guiderail models pull" in remedy


def test_missing_weights_fail_with_a_remedy(guiderail: Run, copy: Path) -> None:
    """A folder without weights fails, and what needs them is left out."""
    (copy / "model.safetensors").unlink()
    found = statuses(guiderail, 1)
    failed = [check for check in found.values() if check[0] == "failed"]
    assert len(failed) == 1
    assert failed[0][2]
    assert "forward pass" not in found


def test_weights_that_are_not_numbers_fail(guiderail: Run, copy: Path) -> None:
    """A model whose scores are NaN does not pass the forward pass."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    save_file(
        {name: torch.full_like(tensor, float("nan")) for name, tensor in weights.items()},
        copy / "model.safetensors",
        metadata={"format": "pt"},
    )
    assert statuses(guiderail, 1)["forward pass"][0] == "failed"


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


def test_checksums_know_changed_and_missing_files(tmp_path: Path) -> None:
    """Exactly the files that differ from their line are named."""
    for name in ("a", "b c", "d"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    write_checksums(tmp_path)
    sums = (tmp_path / CHECKSUMS).read_text(encoding="utf-8")
    assert list(broken_files(tmp_path, sums)) == []
    (tmp_path / "b c").write_text("other", encoding="utf-8")
    (tmp_path / "d").unlink()
    assert list(broken_files(tmp_path, sums)) == ["b c", "d"]
