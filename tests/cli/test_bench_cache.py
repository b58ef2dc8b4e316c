"""`guiderail bench cache` with a tiny model."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.benchmarks import cache as benchmark
from guiderail.cli.main import run
from tests.helpers.models import tiny_folder


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short plan, and measured costs kept out of the user's folder."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path)
    monkeypatch.setattr(benchmark, "QUICK", replace(benchmark.QUICK, tokens=(300, 400), runs=1))


def command(*more: str) -> int:
    model = ("--model", str(tiny_folder("qwen3")), "--device", "cpu", "--threads", "1")
    return run(["bench", "cache", "--quick", "--no-llama-cpp", *model, *more])


def test_the_table_the_crossovers_the_json_and_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every row has its keys; for each length and size of an edit the table says from where on a patch is quicker."""
    target, picture = tmp_path / "figures.json", tmp_path / "times.svg"
    assert command("--json", str(target), "--picture", str(picture)) == 0
    assert capsys.readouterr().out.count("a patch is quicker") == 4
    record = json.loads(target.read_text())
    wanted = {
        "device",
        "tokens",
        "edit_at",
        "changed",
        "policy",
        "full_s",
        "truncate_s",
        "patch_s",
        "encoded",
        "rotated",
    }
    assert len(record["rows"]) == 12
    assert all(wanted <= row.keys() for row in record["rows"])
    assert len(record["meta"]["crossovers"]) == 4
    assert picture.read_text().startswith("<svg ")


def test_a_model_that_takes_none_of_the_lengths_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that says so."""
    monkeypatch.setattr(benchmark, "QUICK", replace(benchmark.QUICK, tokens=(5000,)))
    assert command() == 2
    assert "none of the lengths fits" in capsys.readouterr().err
