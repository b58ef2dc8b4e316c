"""`guiderail models recommend`, what doctor says of it, and `models pull --use`, which takes what it recommends."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from huggingface_hub import constants

from guiderail.cli import models
from guiderail.cli.doctor import _models
from guiderail.model import machine, memory
from guiderail.model.estimate import Rates
from guiderail.model.info import read_info
from guiderail.model.load import placement
from guiderail.model.machine import Machine
from guiderail.settings import Settings
from tests.cli.conftest import Result

Run = Callable[..., Result]

FAST = Rates((60e9, 250e9, 250e9), (50e9, 200e9), 1e11, (1e-5, 1e-5))
SLOW = Rates((1e8,) * 3, (1e8,) * 2, 1e8, (1e-2,) * 2)


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """A machine on which the smallest model is quick; how often it was measured."""
    count: list[None] = []

    def measure(_device: str) -> Machine:
        count.append(None)
        return Machine("A processor", "cpu", 2, 0, 1e10, {"float32": FAST})

    monkeypatch.setattr(machine, "measure", measure)
    monkeypatch.setattr(memory, "available", lambda _device: 6 * 10**9)
    return count


def test_each_model_is_on_one_line_and_the_best_is_marked(guiderail: Run) -> None:
    done = guiderail("models", "recommend")
    assert (done.code, done.err) == (0, "")
    rows = [" ".join(line.split()) for line in done.out.splitlines()]
    assert rows[0].startswith("A processor, 2 threads, reads 10.0 GB a second")
    (star,) = [row for row in rows if row.startswith("* ")]
    assert star.startswith("* Qwen2.5-Coder 0.5B apache-2.0 676 MB float32")
    assert star.endswith(" yes")
    assert next(row for row in rows if row.startswith("Qwen2.5-Coder 14B")).endswith(" no")
    assert "qwen-research" in done.out
    usual = placement("cpu", "auto", 500_000_000)[1]
    dtype = "" if usual == "float32" else " --dtype float32"
    assert rows[-1].endswith(f": guiderail models pull Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF --file Q8_0 --use{dtype}")


def test_json_has_rows_meta_and_the_rule(guiderail: Run) -> None:
    done = guiderail("models", "recommend", "--json", "-")
    found = json.loads(done.out)
    assert found["meta"]["machine"]["rates"].keys() == {"float32"}
    assert found["meta"]["rule"] == {"most_edit_s": 1.5, "least_tokens_per_s": 10.0}
    assert [row["best"] for row in found["rows"]].count(True) == 1
    for row in found["rows"]:
        assert row["first_token_after_edit_s"] <= row["first_token_s"]
        assert row["command"].startswith(f"guiderail models pull {row['hub']}")


def test_a_machine_is_measured_once(guiderail: Run, measured: list[None]) -> None:
    for arguments in ([], [], ["--again"], []):
        assert guiderail("models", "recommend", *arguments).code == 0
    assert len(measured) == 2


def test_what_was_measured_counts_for_its_threads_alone(guiderail: Run, measured: list[None]) -> None:
    """Whoever gives guiderail one thread is told what one thread does."""
    for arguments in (["--threads", 1], [], ["--threads", 1], []):
        assert guiderail("models", "recommend", *arguments).code == 0
    assert len(measured) == 2


def test_of_two_that_begin_at_once_one_measures(
    guiderail: Run, measured: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other waits and takes what was measured meanwhile."""

    @contextmanager
    def after_another(device: str, most: int) -> Iterator[None]:
        machine.remember(machine.measure(device), device, most)
        yield

    monkeypatch.setattr(machine, "alone", after_another)
    assert guiderail("models", "recommend").code == 0
    assert len(measured) == 1


def test_where_none_is_quick_that_is_said(guiderail: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "measure", lambda _: Machine("Slow", "cpu", 1, 0, 1e9, {"float32": SLOW}))
    done = guiderail("models", "recommend")
    assert done.out.splitlines()[-1].startswith("No published model is quick enough here")
    assert not any(line.startswith("*") for line in done.out.splitlines())


def test_doctor_names_the_marked_one_and_measures_nothing(guiderail: Run, measured: list[None]) -> None:
    check = _models(Settings())
    assert (check.status, measured) == ("note", [])
    assert "guiderail models recommend" in check.remedy
    guiderail("models", "recommend")
    check = _models(Settings())
    assert (check.status, check.remedy, len(measured)) == ("note", "", 1)
    assert check.detail.startswith("Qwen2.5-Coder 0.5B, about ")
    assert "\n" not in check.detail


@pytest.fixture
def hub(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that has any model."""
    made = read_info(tiny_model, "owner/tiny", "0" * 40)

    def pull(hub_id: str, revision: object, progress: Callable[[int, int], None] | None, file: object) -> object:
        for done in (0, 50, 50, 100):
            if progress:
                progress(done, 100)
        return made

    monkeypatch.setattr("guiderail.model.pull.pull", pull)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("guiderail.model.load.describe", lambda _name: made)


@pytest.mark.usefixtures("hub")
def test_pull_can_make_it_the_model_in_use(guiderail: Run, home: Path) -> None:
    """With its precision; without, what stands there stays, and other keys and comments do."""
    config = home / "config" / "guiderail" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('# mine\nuntil = "block"\n')
    assert guiderail("models", "pull", "owner/tiny", "--use", "--dtype", "int8").code == 0
    assert config.read_text() == '# mine\nuntil = "block"\nmodel = "owner/tiny"\ndtype = "int8"\n'
    assert guiderail("models", "use", "owner/tiny").code == 0
    assert 'dtype = "int8"' in config.read_text()
    assert guiderail("models", "use", "owner/tiny", "--dtype", "auto").code == 0
    assert 'dtype = "auto"' in config.read_text()


@pytest.mark.usefixtures("hub")
def test_a_wrong_precision_is_refused_before_anything_is_fetched(guiderail: Run, home: Path) -> None:
    for words in (["--use", "--dtype", "int3"], ["--dtype", "int8"]):
        done = guiderail("models", "pull", "owner/tiny", *words)
        assert done.code == 2
        assert len(done.err.splitlines()) == 1
    assert not (home / "config").exists()


@pytest.mark.usefixtures("hub")
def test_progress_is_told_to_programs(guiderail: Run) -> None:
    done = guiderail("models", "pull", "owner/tiny", "--report")
    told = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    assert told == [{"done": count, "total": 100} for count in (0, 50, 100)]
    assert models.DTYPE.split("|")[0] == "auto"
