"""A run answers every task by every system, once, whatever ends it in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from guiderail.errors import UsageError
from guiderail.evaluation import config as configs
from guiderail.evaluation import runner
from guiderail.evaluation.row_file import read_lines
from guiderail.evaluation.run_folder import SAMPLES
from guiderail.evaluation.summary import read_run, rows
from tests.evaluation.runs import Quiet, complete, written

STABLE = (
    "task",
    "system",
    "sample",
    "seed",
    "output",
    "answer",
    "nim",
    "ism",
    "pm",
    "exact",
    "finish",
    "tokens",
    "passes",
)


def answers(folder: Path) -> list[tuple[object, ...]]:
    return [tuple(row[key] for key in STABLE) for row in read_lines(folder / SAMPLES)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A configuration, and its run from beginning to end without a break."""
    folder = tmp_path_factory.mktemp("whole")
    file = written(folder)
    complete(file, folder / "run")
    return file, folder / "run"


def test_every_task_is_answered_once_by_every_system(whole: tuple[Path, Path]) -> None:
    """Eight tasks; greedily once, sampled twice."""
    counts = Counter((row["task"], row["method"]) for row in read_lines(whole[1] / SAMPLES))
    assert len(counts) == 16
    assert {(method, n) for (_, method), n in counts.items()} == {("greedy", 1), ("sampling", 2)}


def test_a_row_says_all_that_it_depends_on(whole: tuple[Path, Path]) -> None:
    """Prompt, output, measures, times, seed and hardware; versions and commit stand once, in the run."""
    row = read_lines(whole[1] / SAMPLES)[0]
    wanted = {"task", "output", "answer", "nim", "exact", "seed", "seconds", "ttft_s", "passes", "hardware", "package"}
    assert wanted <= row.keys()
    assert {"versions", "commit", "hardware", "seeds", "config", "tasks_sha256"} <= read_run(whole[1]).meta.keys()


def test_a_second_start_has_nothing_to_do(whole: tuple[Path, Path]) -> None:
    """And changes nothing."""
    file, folder = whole
    before = (folder / SAMPLES).read_bytes()
    complete(file, folder)
    assert (folder / SAMPLES).read_bytes() == before


def test_the_table_follows_from_the_rows(whole: tuple[Path, Path]) -> None:
    """One row for each system, sampling compared with greedy decoding."""
    [greedy, sampling] = rows(read_run(whole[1]))
    assert greedy["n"] == sampling["n"] == 8 and "nim@2" in sampling
    assert list(sampling["against"]) == [greedy["system"]]


def test_a_run_that_is_killed_goes_on_without_loss_or_repetition(whole: tuple[Path, Path], tmp_path: Path) -> None:
    """SIGKILL in the middle of a row: in the end the samples are those of the run that nobody killed."""
    file, finished = whole
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from guiderail.evaluation.run_folder import RunFolder\n"
        "from tests.evaluation.runs import complete\n"
        "add, left = RunFolder.add, [int(sys.argv[3])]\n"
        "def counting(self, rows):\n"
        "    add(self, rows); left[0] -= 1\n"
        "    if not left[0]:\n"
        '        self._rows._stream.write(b\'{"task": "half a r\'); os.kill(os.getpid(), signal.SIGKILL)\n'
        "RunFolder.add = counting\n"
        "complete(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(file), str(tmp_path), "5"],
        cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    assert len({row[:2] for row in answers(tmp_path)}) == 5
    complete(file, tmp_path)
    assert answers(tmp_path) == answers(finished)


def test_what_does_not_compose_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    """A method that does not exist is no matter of the first task."""
    file = written(tmp_path)
    file.write_text(file.read_text().replace('label = "sampling"', 'label = "sampling"\nname = "no-such-method"'))
    with pytest.raises(UsageError, match="no-such-method"):
        runner.collect(configs.read(file), Quiet(), lambda words: None)


def test_an_answer_that_is_not_truncated_ends_with_the_budget(tmp_path: Path) -> None:
    """The same tasks with and without the rule stand side by side in one run."""
    file = written(tmp_path, functions=2, settings='check = false\nverdict = "off"')  # else errors are cut off
    file.write_text(file.read_text() + '[[tasks]]\nset = "own.toml"\ntruncate = false\n')
    complete(file, tmp_path / "run")
    ends = {(row["kind"], row["finish"]) for row in read_lines(tmp_path / "run" / SAMPLES)}
    assert {kind for kind, _ in ends} == {"dereference", "dereference, not truncated"}
    assert {end for kind, end in ends if kind != "dereference"} <= {"length", "eos"}
