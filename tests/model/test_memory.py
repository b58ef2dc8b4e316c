"""Laws of the memory check."""

from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.model import memory
from guiderail.model.info import ModelInfo


def _info(parameters: int, context: int = 8192, cache_width: int = 1000) -> ModelInfo:
    return ModelInfo("big", Path(), None, "llama", parameters, 0, None, context, None, "LlamaForCausalLM", cache_width)


def test_need_is_weights_and_cache_in_the_chosen_precision() -> None:
    full = memory.needed(_info(10**9), "float32")
    assert full == int(1.1 * 4 * (10**9 + 1000 * 4096))
    assert memory.needed(_info(10**9), "bfloat16") == pytest.approx(full / 2, abs=1)
    assert memory.needed(_info(10**9, context=128), "float32") == int(1.1 * 4 * (10**9 + 1000 * 128))


@pytest.mark.parametrize(
    ("device", "dtype", "architecture", "pays", "twice"),
    [
        ("cpu", "float32", "LlamaForCausalLM", True, True),
        ("cpu", "float32", "LlamaForCausalLM", False, False),
        ("cpu", "bfloat16", "LlamaForCausalLM", True, False),
        ("cuda", "float32", "LlamaForCausalLM", True, False),
        ("cpu", "float32", "Starcoder2ForCausalLM", True, False),
    ],
)
def test_a_tied_table_counts_twice_where_weights_are_packed(
    device: str, dtype: str, architecture: str, pays: bool, twice: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32, on a CPU where that pays, of the architectures that are packed; nowhere else."""
    monkeypatch.setattr("guiderail.model.matrix.packing_pays", lambda: pays)
    info = replace(_info(10**9), tied=10**8, architecture=architecture)
    once, both = memory.needed(info, dtype), memory.needed(info, dtype, packed=True)
    monkeypatch.setattr(memory, "available", lambda _device: (once + both) // 2)
    if twice:
        with pytest.raises(memory.NotEnoughMemoryError):
            memory.check(info, device, dtype)
    else:
        memory.check(info, device, dtype)


@pytest.mark.parametrize(
    ("architecture", "tied", "numbers"),
    [
        ("LlamaForCausalLM", True, 10**9 + 2 * 10**8),  # one byte each, and the table again in 16 bit
        ("LlamaForCausalLM", False, 10**9 + 10**8),  # it is among them, in two bytes
        ("Starcoder2ForCausalLM", True, 2 * 10**9),  # read in 16 bit
    ],
)
def test_8_bit_weights_take_a_byte_each(architecture: str, tied: bool, numbers: int) -> None:
    """Keys and values stay in float32."""
    info = replace(_info(10**9), table=10**8, tied=10**8 * tied, architecture=architecture)
    assert memory.needed(info, "int8") == int(1.1 * (numbers + 4 * 1000 * 4096))


def test_a_model_that_does_not_fit_is_refused_with_what_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda _device: 3 * 10**9)
    memory.check(_info(10**8), "cpu", "float32")
    with pytest.raises(
        memory.NotEnoughMemoryError, match=r"big needs 4\.4 GB in float32, and 3\.0 GB are free"
    ) as half:
        memory.check(_info(10**9), "cpu", "float32")
    assert "--dtype bfloat16" in half.value.remedy
    with pytest.raises(memory.NotEnoughMemoryError) as none:
        memory.check(_info(10**10), "cpu", "bfloat16")
    assert "up to about 1.4 billion" in none.value.remedy


def test_where_the_system_does_not_say_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda _device: None)
    memory.check(_info(10**15), "cpu", "float32")


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page cache that can be dropped is free."""
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:   700 kB\n")
    assert memory.available("cpu") == 700 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("5000\n")
    assert memory.available("cpu") == 700 * 1024
    (tmp_path / "memory.max").write_text("6000\n")
    assert memory.available("cpu") == 1000
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 200\n")
    assert memory.available("cpu") == 1200


def test_an_old_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    group = tmp_path / "memory"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text("6000\n")
    (group / "memory.usage_in_bytes").write_text("5500\n")
    (group / "memory.stat").write_text("total_inactive_file 100\n")
    assert memory.available("cpu") == 600


def test_this_machine_has_some_memory() -> None:
    free = memory.available("cpu")
    assert free is None or free > 10**6


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (123_456_789, "123 MB"), (13.4e9, "13.4 GB")]
)
def test_sizes_read_well(size: float, words: str) -> None:
    assert memory.readable(size) == words
