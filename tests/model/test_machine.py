"""What is measured of this machine, and how it is remembered."""

import json
import sys
import threading
from pathlib import Path

import pytest
import torch

from guiderail.model import machine
from guiderail.model.estimate import ROWS, Rates
from guiderail.model.machine import Machine

RATES = Rates((1e9, 2e9, 3e9), (1e9, 2e9), 1e9, (1e-4, 2e-4))
SEEN = Machine("a processor", "cpu", 2, 0, 1e10, {"float32": RATES, "int8": RATES})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is measured, of small things and once."""
    for name, value in {"PATIENCE_S": 0.0, "_OUT": 64, "_IN": 64, "_BYTES": 1 << 15, "_LENGTH": 64}.items():
        monkeypatch.setattr(machine, name, value)


@pytest.mark.usefixtures("small")
def test_every_precision_that_is_offered_is_measured() -> None:
    """Through the kernels of each; afterwards torch has the threads of a narrow pass, as between any two passes."""
    machine.threads.allow(machine.threads.allowed())
    found = machine.measure()
    assert torch.get_num_threads() == machine.threads.narrow()
    assert tuple(found.rates) == machine.precisions(found.device)
    assert {"float32", "bfloat16"} <= found.rates.keys() or found.device == "cuda"
    for rates in found.rates.values():
        assert len(rates.products) == len(ROWS)
        assert rates.layer_s[0] > 0
    assert found.bytes_per_s > 0


@pytest.mark.usefixtures("small")
def test_work_that_takes_twice_as_long_counts_as_half_as_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each piece of work the best of its times counts, and of several their mean."""
    clock = iter([0.0] * 10)
    times = {"a": iter([9.0, 2.0, 1.0, 5.0]), "b": iter([9.0, 4.0, 3.0, 3.0])}
    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(clock, 99.0))
    monkeypatch.setattr(machine, "_timed", lambda work, _: next(times[work]))
    monkeypatch.setattr(machine, "PATIENCE_S", 1.0)
    assert machine._best(["a", "b"], torch.device("cpu")) == 2.0  # pyright: ignore[reportArgumentType]


def test_what_was_measured_is_remembered(folder: Path) -> None:
    assert machine.remembered() is None
    assert machine.remember(SEEN) == SEEN == machine.remembered()
    (file,) = folder.rglob("*.json")
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("what", ["processor", "torch", "cores"])
def test_of_another_machine_or_torch_nothing_is_remembered(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.remember(SEEN)
    if what == "processor":
        monkeypatch.setattr(machine, "processor", lambda _: "another")
    elif what == "torch":
        monkeypatch.setattr(torch, "__version__", "99.0")
    else:
        monkeypatch.setattr(machine.threads, "CORES", 99)
    assert machine.remembered() is None


@pytest.mark.skipif(sys.platform == "win32", reason="there each process measures for itself")
def test_one_process_measures_at_a_time(folder: Path) -> None:
    """Of two that measure the same, the second begins when the first has ended."""
    order: list[str] = []

    def second() -> None:
        with machine.alone():
            order.append("second")

    with machine.alone():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        order.append("first")
    thread.join(30)
    assert order == ["first", "second"]


@pytest.mark.parametrize("damage", ["", "{", "[]", "7", "{}", "rates", "numbers", "more", "nothing"])
def test_a_damaged_memory_is_none(folder: Path, damage: str) -> None:
    machine.remember(SEEN)
    (file,) = folder.rglob("*.json")
    values = json.loads(file.read_text())
    if damage == "rates":
        values["rates"]["int8"]["products"] = [1.0]
    elif damage == "numbers":
        values["rates"]["int8"]["products"][0] = "fast"
    elif damage == "more":
        values["wheels"] = 4
    elif damage == "nothing":
        values["rates"] = {}
    file.write_text(json.dumps(values) if damage.isalpha() else damage)
    assert machine.remembered() is None


def test_a_cache_folder_that_cannot_be_written_is_no_failure(folder: Path) -> None:
    (folder / "guiderail").write_text("a file")
    assert machine.remember(SEEN) == SEEN
