"""The same run on Ray."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from guiderail.evaluation import config as configs
from guiderail.evaluation import ray_cluster, runner
from guiderail.evaluation.row_file import read_lines
from guiderail.evaluation.run_folder import SAMPLES
from tests.evaluation.runs import Quiet, complete, opened, written

pytestmark = [pytest.mark.slow, pytest.mark.e2e]
KEYS = ("task", "system", "sample", "output", "nim", "exact")


def test_a_worker_killed_in_the_middle_costs_nothing(tmp_path: Path) -> None:
    """Two workers, one killed by SIGKILL and replaced: every unit is there once, answered as by a single process."""
    pytest.importorskip("ray", reason="pip install 'guiderail[ray]'")
    file = written(tmp_path, functions=6)
    config = configs.read(file)
    tasks = runner.collect(config, Quiet(), lambda words: None)
    workers, killed = set[int](), None
    with opened(config, tasks, tmp_path / "ray") as results:
        for rows in ray_cluster.run(config, runner.units(config, tasks, results), slots=2):
            results.add(rows)
            workers.add(rows[0]["worker"])
            if killed is None and len(results.done) == 3:
                killed = rows[0]["worker"]
                os.kill(killed, signal.SIGKILL)
    assert killed is not None and len(workers) >= 2
    complete(file, tmp_path / "alone")
    ours, alone = (
        sorted(tuple(row[key] for key in KEYS) for row in read_lines(tmp_path / name / SAMPLES))
        for name in ("ray", "alone")
    )
    assert ours == alone
