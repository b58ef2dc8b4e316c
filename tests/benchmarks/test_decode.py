"""The decode benchmark: what it reports, and that its rivals decode the same weights."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from gguf import GGMLQuantizationType as Kind

from guiderail.benchmarks import decode as benchmark
from guiderail.benchmarks import engines
from guiderail.benchmarks.llama_cpp import export
from guiderail.errors import GuiderailError, UsageError
from guiderail.model.load import load
from tests.helpers.gguf import write_gguf
from tests.helpers.models import tiny_folder, tiny_model

TINY = (64, 2, 4, 2, 96, 600)


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> benchmark.Plan:
    monkeypatch.setitem(benchmark.SHAPES, "tiny", TINY)
    return benchmark.Plan(models=("tiny",), device="cpu", dtype=torch.float32, prompt=20, tokens=12, runs=2, threads=1)


@pytest.mark.e2e
def test_three_engines_write_the_same_tokens(plan: benchmark.Plan) -> None:
    """guiderail, transformers and llama.cpp decode one set of weights to the same greedy tokens, one row each."""
    steps: list[str] = []
    rows = benchmark.run(plan, pytest.fail, lambda name, n: lambda: steps.append(name))
    assert [row["engine"] for row in rows] == ["guiderail", "transformers", "llama.cpp"]
    assert [row["same_tokens"] for row in rows] == [plan.tokens] * 3
    assert all(row["ttft_s"] > 0 and row["prefill_tokens_per_s"] > 0 for row in rows)
    assert all(row["ms_of_rows"].keys() == {"1", "4", "8", "16"} for row in rows)
    assert [bool(row["build"]) for row in rows] == [False, False, True]
    assert len(steps) == plan.runs * 3
    assert json.loads(json.dumps(rows)) == rows


@pytest.mark.e2e
def test_qwen3_weights_reach_llama_cpp_unchanged(plan: benchmark.Plan) -> None:
    """The embedded model's architecture gives the same greedy tokens in llama.cpp."""
    model = tiny_model("qwen3")
    ids = list(range(300, 320))
    running = lambda path: engines.llama_cpp(path, ids, plan.tokens, threads=1, build=None, exact=True)  # noqa: E731
    with engines.exported(model) as path, running(path) as rival:
        theirs = rival.tokens(ids, plan.tokens)
    assert theirs == engines.ours(model).tokens(ids, plan.tokens)


@pytest.mark.e2e
def test_a_gguf_file_is_run_as_people_run_it(plan: benchmark.Plan, tmp_path: Path) -> None:
    """llama.cpp runs the file itself, and the plan's others in their types; generate is left out."""
    folder = tiny_folder("qwen2")
    file = write_gguf(folder, tmp_path / "model.gguf", edit=lambda writer: writer.add_file_type(0))
    other = write_gguf(folder, tmp_path / "q8_0.gguf", Kind.Q8_0, edit=lambda writer: writer.add_file_type(7))
    loading = lambda name: load(name, device="cpu", dtype="float32", threads=1)  # noqa: E731
    plan = replace(plan, models=(str(file),), rivals=(other,))
    rows = benchmark.run(plan, loading, lambda *_: lambda: None)
    assert [(row["engine"], row["dtype"]) for row in rows] == [
        ("guiderail", "float32"), ("llama.cpp", "F32"), ("llama.cpp", "Q8_0"),
    ]  # fmt: skip
    assert all(row["load_s"] > 0 and row["prefill_tokens_per_s"] > 0 for row in rows)
    assert all(min(row["ms_of_rows"].values()) > 0 for row in rows)


def test_rivals_beside_what_is_no_gguf_file_are_refused(plan: benchmark.Plan, tmp_path: Path) -> None:
    """They would be compared with other weights."""
    with pytest.raises(UsageError, match="GGUF"):
        benchmark.run(replace(plan, rivals=(tmp_path / "x.gguf",)), pytest.fail, lambda name, n: lambda: None)


def test_others_want_a_core_and_are_gone_afterwards() -> None:
    """The processes beside which is measured run all the time, and end with the measurement."""
    with benchmark.others(2) as started:
        assert [process.poll() for process in started] == [None, None]
    assert all(process.returncode for process in started)


def test_other_architectures_are_refused_by_name(tmp_path: Path) -> None:
    """An architecture without an export is an error that names it."""
    with pytest.raises(GuiderailError, match="Starcoder2ForCausalLM"):
        export(tiny_model("starcoder2").module, tmp_path / "x.gguf")


def test_spread_and_median() -> None:
    """Speed is the tokens after the first over the time after the first; the spread is relative to the median."""
    found = {"first": [1.0, 1.0, 1.0], "all": [2.0, 3.0, 5.0]}
    speed = benchmark._speed(found, benchmark.Plan(models=(), device="cpu", dtype=torch.float32, tokens=13, prompt=50))
    assert speed["tokens_per_s"] == 6.0
    assert speed["ttft_s"] == 1.0
    assert speed["prefill_tokens_per_s"] == 50
    assert speed["spread"] == pytest.approx((12 - 3) / 2 / 6, abs=1e-4)


def test_more_tokens_than_the_context_are_refused(plan: benchmark.Plan) -> None:
    """A prompt and answer longer than the model's context are an error that names the limit."""
    with pytest.raises(UsageError, match="4096"):
        benchmark.run(replace(plan, prompt=4090), pytest.fail, lambda name, n: lambda: None)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the error says what to install."""
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(GuiderailError, match=r"guiderail\[bench\]"):
        export(tiny_model("qwen3").module, tmp_path / "x.gguf")
