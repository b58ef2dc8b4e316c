"""`guiderail eval`, with a small dataset of our own and a tiny model."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from guiderail.cli.main import run
from guiderail.evaluation import manifest, packages
from tests.helpers.models import tiny_folder

FIGURES = ("bits_per_byte", "next_line_em", "next_line_es", "fim_line_em", "parse_rate")


def source(name: str, number: int) -> str:
    body = "".join(f"    {name}_{i} = compute_{name}({i}, argument_{number})\n" for i in range(12))
    return f"def run_{number}(argument_{number}):\n{body}    return {name}_{number}\n"


@pytest.fixture(autouse=True)
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest of three packages whose wheels have been fetched already."""
    tables = []
    names = [n for n in (f"thing{i}" for i in range(50)) if manifest.digit(n) in manifest.EVALUATION_DIGITS]
    for name in names[:3]:
        made = tmp_path / "made.whl"
        with zipfile.ZipFile(made, "w") as archive:
            for number in range(2):
                archive.writestr(f"{name}/{number}.py", source(name, number))
        pin = packages.sha256_of(made)
        made.replace(tmp_path / f"{pin}.whl")
        tables.append(f'[[package]]\nname = "{name}"\nversion = "1"\nsha256 = "{pin}"\nlicence = "MIT"\n')
    (tmp_path / manifest.DEFAULT).write_text("\n".join(tables))
    monkeypatch.setattr(manifest, "datasets_folder", lambda: tmp_path)
    monkeypatch.setattr(packages, "cache_folder", lambda: tmp_path)
    return tmp_path


def measure(*more: str) -> int:
    model = str(tiny_folder("qwen3"))
    return run(["eval", "model", "--quick", "--n", "3", "--model", model, "--threads", "1", "--device", "cpu", *more])


def test_the_json_on_standard_output_is_one_record_with_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure("--json", "-") == 0
    printed = capsys.readouterr()
    record = json.loads(printed.out)
    assert {"versions", "commit", "hardware", "seeds", "date", "plan", "manifest_sha256"} <= record["meta"].keys()
    assert len(record["rows"]) == 5
    for row in record["rows"]:
        assert row["n"] == 6 and row["packages"] == 3
        for name in FIGURES:
            low, high = row["intervals"][name]
            assert low <= row[name] <= high
    against = [row.get("against", {}).get("model") for row in record["rows"]]
    assert against == [None] + [record["rows"][0]["model"]] * 4
    assert "bits/byte" in printed.err  # the table still shows, beside the data


def test_the_table_goes_to_standard_output_and_the_files_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures, answers = tmp_path / "figures.json", tmp_path / "answers.jsonl"
    assert measure("--json", str(figures), "--samples", str(answers)) == 0
    printed = capsys.readouterr()
    assert "bits/byte" in printed.out and printed.err == ""
    rows = json.loads(figures.read_text())["rows"]
    samples = [json.loads(line) for line in answers.read_text().splitlines()]
    assert {s["system"] for s in samples} == {row["model"] for row in rows}
    assert len(samples) == 5 * (3 + 6)


def test_the_seed_decides_the_tasks(tmp_path: Path) -> None:
    starts = []
    for seed in ("1", "1", "2"):
        answers = tmp_path / "answers.jsonl"
        assert measure("--seed", seed, "--samples", str(answers)) == 0
        starts.append([json.loads(line).get("start") for line in answers.read_text().splitlines()])
    assert starts[0] == starts[1] != starts[2]


def test_an_unknown_model_is_one_line_and_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", "model", "--quick", "--model", "./no-such-folder"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_figures_and_answers_do_not_overwrite_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure("--json", "same.json", "--samples", "./same.json") == 2
    assert "the same file" in capsys.readouterr().err


def test_a_clean_corpus_passes_and_a_copy_fails(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = dataset / "train.jsonl"
    other = {"package": "own", "path": "own/a.py", "text": source("other", 7)}
    corpus.write_text(json.dumps(other) + "\n")
    assert run(["eval", "contamination", "--corpus", str(corpus)]) == 0
    assert "0 of 6 files" in capsys.readouterr().out
    [first, *_] = manifest.read_manifest(dataset / manifest.DEFAULT)
    corpus.write_text(json.dumps({**other, "text": source(first.name, 1)}) + "\n")
    assert run(["eval", "contamination", "--corpus", str(corpus)]) == 1
    printed = capsys.readouterr()
    assert f"{first.name} {first.name}/1.py is 100% in own: own/a.py" in printed.out
    assert "contaminated" in printed.err


def test_a_missing_corpus_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", "contamination"]) == 2
    assert "--corpus" in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from guiderail.cli.main import run; run(['eval', 'model', '--help']);"
        "sys.exit(bool({'torch', 'transformers', 'rich', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "--quick" in done.stdout


def test_cursors_are_answered_as_the_command_line_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each cursor; with a table, or alone as JSON."""
    file = tmp_path / "mine.toml"
    file.write_text('[[cursor]]\nname = "call"\npath = "a.py"\ntext = "print(‸)"\n', encoding="utf-8")
    words = ["eval", "cursors", "--cursors", str(file), "--model", str(tiny_folder("qwen3")), "--no-monitors"]
    assert run([*words, "--threads", "1", "--device", "cpu", "--max-tokens", "4"]) == 0
    assert "call" in capsys.readouterr().out
    assert run([*words, "--threads", "1", "--device", "cpu", "--max-tokens", "4", "--json", "-"]) == 0
    record = json.loads(capsys.readouterr().out)
    (row,) = record["rows"]
    assert row["cursor"] == "call" and row["until"] == "line" and row["language"] == "python"
    assert record["meta"]["monitors"] is False
    assert run(["eval", "cursors", "--cursors", str(tmp_path / "none.toml")]) == 2
