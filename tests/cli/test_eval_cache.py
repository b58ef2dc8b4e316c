"""`guiderail eval pie` and `eval layout`, with a small dataset of our own and a tiny model."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from guiderail.cli.main import run
from guiderail.evaluation import jdk_sources, manifest, packages
from guiderail.evaluation.studies import layout, pie
from tests.evaluation.test_typing_traces import TEXT
from tests.helpers.models import tiny_folder

MODEL = ("--device", "cpu", "--threads", "1")


@pytest.fixture(autouse=True)
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One package with a long file, small plans, and no JDK."""
    name = next(n for n in (f"thing{i}" for i in range(50)) if manifest.digit(n) in manifest.EVALUATION_DIGITS)
    made = tmp_path / "made.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(f"{name}/long.py", TEXT)
    pin = packages.sha256_of(made)
    made.replace(tmp_path / f"{pin}.whl")
    pinned = f'[[package]]\nname = "{name}"\nversion = "1"\nsha256 = "{pin}"\nlicence = "MIT"\n'
    (tmp_path / manifest.DEFAULT).write_text(pinned)
    monkeypatch.setattr(manifest, "datasets_folder", lambda: tmp_path)
    monkeypatch.setattr(packages, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(jdk_sources, "sources", lambda: None)
    monkeypatch.setattr(pie, "QUICK", pie.Plan(samples=1, contexts=(300,), chains=1, edits=2, chain_tokens=200))
    monkeypatch.setattr(layout, "QUICK", layout.Plan(traces=1, prompt_tokens=300, max_tokens=3))


def test_pie_writes_figures_a_picture_and_its_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON has the keys of every row, the picture is SVG, and a second run measures no sample again."""
    kept, picture = tmp_path / "samples.jsonl", tmp_path / "picture.svg"
    command = ["eval", "pie", "--quick", "--model", str(tiny_folder("guiderail")), *MODEL, "--samples", str(kept)]
    assert run([*command, "--json", "-", "--picture", str(picture)]) == 0
    printed = capsys.readouterr()
    assert "Java is left out" in printed.err
    record = json.loads(printed.out)
    rows = [row for row in record["rows"] if "edits" not in row]
    assert record["meta"]["java"] is False and record["meta"]["by_distance"]
    wanted = {"task", "method", "halo", "n", "em", "es", "kl_mean", "kl_p95", "kl_p99", "top1", "truth_logprob"}
    assert all(wanted <= row.keys() for row in rows)
    assert {row["edits"] for row in record["rows"] if "edits" in row} == {1, 2}
    assert picture.read_text().startswith("<svg ")
    assert run([*command, "--picture", str(tmp_path / "picture.png")]) == 2
    assert "ends in .svg" in capsys.readouterr().err
    before = kept.read_text()
    assert run([*command, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][: len(rows)] == rows
    assert kept.read_text() == before


def test_samples_of_another_run_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and the file stays."""
    kept = tmp_path / "samples.jsonl"
    kept.write_text('{"model": "another"}\n')
    command = ["eval", "pie", "--quick", "--model", str(tiny_folder("guiderail")), *MODEL, "--samples", str(kept)]
    assert run(command) == 2
    assert "another run" in capsys.readouterr().err
    assert kept.read_text() == '{"model": "another"}\n'


def test_layouts_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each layout and policy, with what was encoded again and how well it completed."""
    command = ["eval", "layout", "--quick", "--model", str(tiny_folder("guiderail")), *MODEL, "--json", "-"]
    assert run(command) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {(row["layout"], row["policy"]) for row in rows} == {(a, b) for a in layout.LAYOUTS for b in layout.POLICIES}
    assert all(0 < row["encoded_share"] < 1 and row["judged"] for row in rows)
