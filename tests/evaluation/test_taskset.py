"""Sets of tasks as data."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.errors import UsageError
from guiderail.evaluation import manifest, taskset
from guiderail.evaluation.taskset import TaskSetError, build, check, digest_of, files_of, known_sets, read_set, set_of
from guiderail.text.languages.table import NODES


def source(name: str, functions: int = 12) -> str:
    return "".join(f"def f{i}(self):\n    self.{name}{i} = other.{name}_{i}(self)\n\n\n" for i in range(functions))


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    """Three projects of Python in a folder."""
    for name in ("alpha", "beta", "gamma"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "code.py").write_text(source(name))
    return tmp_path


def described(place: Path, **more: object) -> taskset.TaskSet:
    table = {"language": "python", "kinds": ["dereference"], "count": 9, "folder": "."}
    return set_of("own", {**table, **more}, place)


def test_every_package_gives_its_share(projects: Path) -> None:
    """The count is spread evenly, and every beginning of the list is spread over the packages."""
    of = described(projects)
    tasks = build(of, files_of(of))
    assert Counter(task.package for task in tasks) == {"alpha": 3, "beta": 3, "gamma": 3}
    assert {task.package for task in tasks[:3]} == {"alpha", "beta", "gamma"}


def test_a_draw_depends_on_the_seed_alone(projects: Path) -> None:
    """The same description gives the same tasks; another seed gives others."""
    of = described(projects)
    files = files_of(of)
    assert build(of, files) == build(of, files)
    assert digest_of(build(of, files)) != digest_of(build(replace(of, seed=1), files))


def test_another_package_moves_no_task_of_the_others(projects: Path) -> None:
    """What is drawn from a package depends on no other."""
    of = described(projects, count=12)
    before = {task.id for task in build(replace(of, count=9), files_of(of)) if task.package == "alpha"}
    (projects / "delta").mkdir()
    (projects / "delta" / "code.py").write_text(source("delta"))
    after = {task.id for task in build(of, files_of(of)) if task.package == "alpha"}
    assert before == after


def test_a_question_is_asked_once(projects: Path) -> None:
    """A copy of a package gives no tasks that the package has given."""
    (projects / "beta" / "code.py").write_text((projects / "alpha" / "code.py").read_text())
    of = described(projects, count=100)
    tasks = build(of, files_of(of))
    alone = build(of, {name: files for name, files in files_of(of).items() if name != "beta"})
    assert len(tasks) == len(alone)
    assert len({(task.prefix.rpartition("\n")[2], task.truth) for task in tasks}) == len(tasks)


def test_a_task_is_the_file_cut_in_three(projects: Path) -> None:
    """Before the cursor, the truth, and after it."""
    of = described(projects, kinds=["dereference", "line", "block", "api_call"])
    files = files_of(of)
    for task in build(of, files):
        assert task.completed(task.truth) in {file.text for file in files[task.package]}
        assert task.truncated(task.truth + "\nmore") == task.truth


def test_a_set_that_is_not_as_it_was_is_found_out(projects: Path) -> None:
    """The digest is of every task's place and truth."""
    of = described(projects)
    tasks = build(of, files_of(of))
    check(replace(of, digest=digest_of(tasks)), tasks)
    with pytest.raises(TaskSetError, match="not rebuilt"):
        check(replace(of, digest=digest_of(tasks[1:])), tasks)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"language": "cobol"}, "unknown language"),
        ({"kinds": ["poem"]}, "unknown kind"),
        ({"folder": None}, "a manifest or a folder"),
        ({"manifest": "pragmatic_py.toml"}, "a manifest or a folder"),
        ({"colour": "red"}, "colour"),
        ({"builder": 0}, "builder 0"),
    ],
)
def test_a_wrong_description_says_what_is_wrong(tmp_path: Path, change: dict[str, object], words: str) -> None:
    """One line that names it."""
    with pytest.raises(UsageError, match=words):
        described(tmp_path, **change)


def test_an_unknown_set_names_the_known_ones() -> None:
    """The remedy lists them."""
    with pytest.raises(UsageError, match="dotprompts_py"):
        read_set("dotpromts")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """Nothing to ask is an error, not an empty result."""
    with pytest.raises(UsageError, match="no files of python"):
        files_of(described(tmp_path))


def test_the_shipped_sets_are_whole() -> None:
    """Each names a manifest of packages that may be evaluated on, a language, and the digest of its tasks."""
    assert {"dotprompts_py", "positions_py", "positions_ts", "positions_java"} <= set(known_sets())
    for name in known_sets():
        of = read_set(name)
        packages = taskset.members(of)
        assert of.digest and of.language in NODES and packages
        assert {manifest.digit(package.name) for package in packages} <= manifest.EVALUATION_DIGITS
    assert len(taskset.members(read_set("dotprompts_py"))) >= 30
