"""Which model is marked, in which precision, and the command that takes it."""

from dataclasses import replace

import pytest

from guiderail.engine import recommendation
from guiderail.engine.recommendation import LEAST_TOKENS_PER_S, MOST_EDIT_S, recommend
from guiderail.model import memory
from guiderail.model.catalogue import published
from guiderail.model.estimate import Rates
from guiderail.model.load import placement
from guiderail.model.machine import Machine

FAST = Rates((1e14,) * 3, (1e14,) * 2, 1e14, (1e-6,) * 2)
MIDDLING = Rates((60e9, 250e9, 250e9), (50e9, 200e9), 1e11, (1e-5, 1e-5))
SLOW = Rates((1e8,) * 3, (1e8,) * 2, 1e8, (1e-2,) * 2)
GB = 10**9


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda _device: 200 * GB)
    monkeypatch.setattr(recommendation, "placement", lambda _device, _dtype, _parameters: ("cpu", "float32"))


def machine(**rates: Rates) -> Machine:
    return Machine("test", "cpu", 2, 0, 1e11, rates)


def marked(found: list[recommendation.Row]) -> list[str]:
    return [row.model.name for row in found if row.best]


def test_the_largest_that_is_quick_is_marked() -> None:
    assert marked(recommend(machine(float32=FAST))) == ["Qwen2.5-Coder 14B"]
    assert marked(recommend(machine(float32=MIDDLING))) == ["Qwen2.5-Coder 0.5B"]
    assert marked(recommend(machine(float32=SLOW))) == []


@pytest.mark.parametrize("free", [1, 2, 4, 8, 16, 32, 64])
def test_one_that_does_not_fit_is_shown_and_not_marked(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of those that fit, the one with the largest memory is."""
    monkeypatch.setattr(memory, "available", lambda _device: free * GB)
    found = recommend(machine(float32=FAST))
    assert len(found) == len(published())
    for row in found:
        assert row.fits == (row.memory_bytes <= free * GB)
        assert row.memory_bytes == memory.needed_on("cpu", row.model.decoder.info("x"), row.dtype)
    able = [row for row in found if row.fits and row.model.free and row.model.is_native]
    assert marked(found) == [row.model.name for row in able[-1:]]


def test_no_restricted_licence_and_no_foreign_forward_pass_is_marked() -> None:
    """On a CPU; on a GPU all run through transformers."""
    only = [model for model in published() if not model.free]
    assert {model.licence for model in only} == {"qwen-research", "bigcode-openrail-m"}
    assert marked(recommend(machine(float32=FAST), only)) == []
    granite = [model for model in published() if model.name.startswith("Granite")]
    assert marked(recommend(machine(float32=FAST), granite)) == []
    assert marked(recommend(replace(machine(bfloat16=FAST), device="cuda"), granite)) == ["Granite Code 3B"]


def test_the_bounds_are_those_of_the_rule() -> None:
    for row in recommend(machine(float32=MIDDLING, int8=SLOW)):
        quick = row.cost.edit_s <= MOST_EDIT_S and row.cost.tokens_per_s >= LEAST_TOKENS_PER_S
        assert row.is_quick == quick


def test_the_usual_precision_is_kept_where_it_is_quick() -> None:
    """Another one is quicker and loses exactness: it is taken where the usual one is slow, or does not fit."""
    found = recommend(machine(float32=MIDDLING, int8=FAST))
    assert {row.model.name: row.dtype for row in found if row.is_quick}["Qwen2.5-Coder 0.5B"] == "float32"
    assert {row.dtype for row in found[1:]} == {"int8"}
    assert marked(found) == ["Qwen2.5-Coder 14B"]


def test_where_none_fits_the_smallest_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda _device: 1)
    found = recommend(machine(float32=FAST, bfloat16=FAST))
    assert {row.dtype for row in found} == {"bfloat16"}
    assert not any(row.fits for row in found)


def test_a_command_says_what_differs_from_the_usual() -> None:
    usual = recommend(machine(float32=FAST))[0]
    other = recommend(machine(int8=FAST))[0]
    base = "guiderail models pull Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF --file Q8_0 --use"
    assert (usual.command, other.command) == (base, f"{base} --dtype int8")
    starcoder = next(row for row in recommend(machine(float32=FAST)) if row.model.name.startswith("StarCoder2"))
    assert starcoder.command == "guiderail models pull bigcode/starcoder2-3b --use"


def test_what_is_offered_can_be_loaded() -> None:
    """Every precision that is measured is one that `load` takes on this machine."""
    from guiderail.model.machine import precisions

    for device in ("cpu",):
        assert [placement(device, dtype, 0)[1] for dtype in precisions(device)] == list(precisions(device))
