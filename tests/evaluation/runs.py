"""A small run for tests: a tiny model asked in a folder of projects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from guiderail.evaluation import config as configs
from guiderail.evaluation import runner
from guiderail.evaluation.config import Config
from guiderail.evaluation.run_folder import RunFolder
from guiderail.evaluation.study import AnswerPlan, config_of
from guiderail.evaluation.worker import Worker
from guiderail.settings import Settings
from tests.helpers.models import tiny_folder

METHODS = """
[[method]]
label = "greedy"

[[method]]
label = "sampling"
temperature = 1.0
samples = 2
"""


def written(folder: Path, *, monitors: str = '["off"]', functions: int = 4, settings: str = "check = false") -> Path:
    """A configuration and what it needs."""
    for name in ("alpha", "beta"):
        (folder / "projects" / name).mkdir(parents=True)
        code = "".join(f"def f{i}(self):\n    self.{name}{i} = other.{name}_{i}(self)\n\n\n" for i in range(40))
        (folder / "projects" / name / "code.py").write_text(code)
    of = f'language = "python"\nkinds = ["dereference"]\ncount = {2 * functions}\nfolder = "projects"\n'
    (folder / "own.toml").write_text(of)
    file = folder / "run.toml"
    file.write_text(
        f'name = "small"\nabout = "Drawn by a seeded rule."\nmodels = [{str(tiny_folder("guiderail"))!r}]\n'
        f'monitors = {monitors}\n{METHODS}\n[[tasks]]\nset = "own.toml"\n'
        f'[settings]\nmax_tokens = 6\nprompt_tokens = 64\ndevice = "cpu"\ndtype = "float32"\nthreads = 1\n{settings}\n'
    )
    return file


@contextmanager
def worker(family: str, plan: AnswerPlan, **more: Any) -> Iterator[tuple[Worker, Config]]:
    """Who answers a study's tasks with a tiny model, and the configuration; `more` as of `config_of`."""
    folder = str(tiny_folder(family))
    config = config_of(Settings(model=folder, device="cpu", dtype="float32", threads=1), plan, **more)
    made = Worker(config, most=1)
    try:
        yield made, config
    finally:
        made.stop()


class Quiet:
    """Phases that nobody watches."""

    def __call__(self, what: str, total: int | None) -> Callable[[], None]:
        """A step is ignored."""
        return lambda: None


def opened(config: Config, tasks: list, folder: Path) -> RunFolder:
    """The run's folder as the command opens it."""
    return RunFolder(folder, runner.conditions(config, tasks))


def complete(file: Path, folder: Path) -> None:
    """Run a configuration to its end, in this process."""
    config = configs.read(file)
    tasks = runner.collect(config, Quiet(), lambda words: None)
    with opened(config, tasks, folder) as results:
        results.write_tasks(tasks)
        for rows in runner.run(config, runner.units(config, tasks, results)):
            results.add(rows)
