"""Configurations, data sets and records of runs that somebody else wrote write nothing elsewhere and run nothing."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from guiderail.cli.main import run
from guiderail.errors import UsageError
from guiderail.evaluation import archives, config
from guiderail.evaluation.formats import dotprompts
from guiderail.evaluation.html_report import page
from guiderail.evaluation.run_folder import RUN, SAMPLES, TASKS
from guiderail.evaluation.scoring import MEASURES
from guiderail.evaluation.summary import Run, rows

PRECIOUS = "mine\n"
SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
TASKS_OF = '[[tasks]]\nset = "own.toml"\n'


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that somebody else filled, as the working directory, with a file of the person's beside it."""
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home"))
    (tmp_path / "precious").write_text(PRECIOUS)
    folder = tmp_path / "work"
    body = "".join(f"def f{n}(a, b):\n    total = a + b\n    print(total)\n    return total\n\n\n" for n in range(20))
    (folder / "projects" / "one").mkdir(parents=True)
    (folder / "projects" / "one" / "m.py").write_text(body)
    (folder / "own.toml").write_text('language = "python"\nkinds = ["line"]\ncount = 1\nfolder = "projects"\n')
    (folder / "evil.toml").write_text(f'name = "evil"\n{TASKS_OF}')
    monkeypatch.chdir(folder)
    return folder


def is_refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    code = run(["eval", "run", *words])
    said = capsys.readouterr().err
    assert code == UsageError.exit_code, said
    return said


@pytest.mark.parametrize("out", [(), ("--out", "runs/evil")])
@pytest.mark.parametrize("name", ["lock", SAMPLES, TASKS, "tasks.part", RUN, "run.part", "report.html"])
def test_a_run_writes_through_no_link(work: Path, name: str, out: tuple[str, ...], capsys) -> None:
    """A repository may bring the folder of a run, and links in it."""
    (work / "runs" / "evil").mkdir(parents=True)
    (work / "runs" / "evil" / name).symlink_to(work.parent / "precious")
    assert "is a link" in is_refused(capsys, "evil.toml", *out)
    assert (work.parent / "precious").read_text() == PRECIOUS


@pytest.mark.parametrize("link", ["runs", "runs/evil"])
def test_a_folder_that_is_a_link_is_no_runs(work: Path, link: str, capsys) -> None:
    (work.parent / "elsewhere").mkdir()
    (work / link).parent.mkdir(exist_ok=True)
    (work / link).symlink_to(work.parent / "elsewhere")
    is_refused(capsys, "evil.toml")
    assert not any((work.parent / "elsewhere").iterdir())


@pytest.mark.parametrize(
    "name", ["../../escaped", "/tmp/guiderail-escaped", "..", ".", "", "a/b", "a\\\\..\\\\b", "a\\u0000"]
)
def test_a_name_leads_nowhere(work: Path, name: str, capsys) -> None:
    before = set(work.parent.rglob("*"))
    (work / "evil.toml").write_text(f'name = "{name}"\n{TASKS_OF}')
    is_refused(capsys, "evil.toml")
    assert {path for path in set(work.parent.rglob("*")) - before if "home" not in path.parts} == set()


def test_whoever_writes_a_configuration_does_not_trust_the_projects(work: Path) -> None:
    (work / "evil.toml").write_text(f'{TASKS_OF}[settings]\ntrust = "always"\nanalyser = "basedpyright"\n')
    with pytest.raises(UsageError, match="trust is not for"):
        config.read(work / "evil.toml")


def test_a_folder_of_projects_is_read_inside_it_alone(work: Path) -> None:
    """Not what links lead to, not what a pipe might give, and no more of a file than is ever measured on."""
    secret = "def secret(a):\n    return a\n\n\n" * 20
    (work.parent / "secret.py").write_text(secret)
    project = work / "projects" / "one"
    (project / "linked.py").symlink_to(work.parent / "secret.py")
    os.mkfifo(project / "pipe.py")
    with (project / "huge.py").open("wb") as file:
        file.truncate(1 << 40)
    assert [file.path for file in archives.folder_files("one", project, "python")] == ["m.py"]


@pytest.mark.parametrize("row", [("../..", "secret.java"), ("o/r", "../../../secret.java"), ("o/r", "link.java")])
def test_no_row_of_dotprompts_names_a_file_elsewhere(work: Path, row: tuple[str, str]) -> None:
    repositories = work / "repositories"
    (repositories / "o" / "r").mkdir(parents=True)
    (work.parent / "secret.java").write_text("f(){a.b();}")
    (work / "secret.java").write_text("f(){a.b();}")
    (repositories / "o" / "r" / "link.java").symlink_to(work.parent / "secret.java")
    (work / "rows.csv").write_text(f"repo,classFileName,methodStartIdx,methodStopIdx,dot_idx\n{','.join(row)},3,10,5\n")
    with pytest.raises(UsageError, match="leads out"):
        dotprompts.read(work / "rows.csv", repositories)


def _sample(system: str) -> dict[str, Any]:
    watch = {"abstained": None, "forbidden": [SCRIPT], "at": [0], "monitor": SCRIPT, "receiver": SCRIPT, "legal": 1}
    words = dict.fromkeys(("task", "model", "method", "monitors", "kind", "package", "answer"), SCRIPT)
    numbers = {"sample": 0, "tokens": 3, "passes": 1, "seconds": 1.0, "decode_s": 1.0, "ttft_s": 1.0}
    measured = dict.fromkeys(MEASURES, 1.0)
    return {**words, **numbers, **measured, "system": system, "errors": [SCRIPT], "monitored": {"watches": [watch]}}


def test_a_report_runs_no_script_of_a_record() -> None:
    """Whatever a run's folder or another measurement says is text, and a browser is told to run one script alone."""
    keys = ("task", "kind", "package", "path", "language", "before", "behind", "truth")
    task: dict[str, Any] = dict.fromkeys(keys, SCRIPT)
    meta: dict[str, Any] = {"config": {"name": SCRIPT, "about": SCRIPT}, "seeds": {"bootstrap": 0}}
    meta |= {"bases": {SCRIPT: ["other"]}, "tasks": SCRIPT, SCRIPT: SCRIPT}
    found = Run(meta, {SCRIPT: task}, [_sample(SCRIPT), _sample("other")])
    other = {
        "meta": {SCRIPT: SCRIPT},
        "rows": [{SCRIPT: 1.0, "b": SCRIPT, "intervals": {SCRIPT: [1, 2]}}, {SCRIPT: 2.0}],
    }
    written = page([(found, rows(found))], {SCRIPT: other})
    assert "<script>alert" not in written
    assert "<img" not in written
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', written)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "'unsafe-inline'" not in policy[1].partition("script-src")[2]
    assert json.dumps(SCRIPT).replace("<", "\\u003c") in written  # it is there, as data
