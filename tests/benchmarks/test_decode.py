"""The decode benchmark: what it reports, and that its rivals decode the same weights."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from guiderail.benchmarks import decode as benchmark
from guiderail.benchmarks.llama_cpp import export
from guiderail.errors import GuiderailError, UsageError
from tests.helpers.models import tiny_model

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
    assert all(row["ttft_s"] > 0 for row in rows)
    assert len(steps) == plan.runs * 3
    assert json.loads(json.dumps(rows)) == rows


@pytest.mark.e2e
def test_qwen3_weights_reach_llama_cpp_unchanged(plan: benchmark.Plan) -> None:
    """The embedded model's architecture gives the same greedy tokens in llama.cpp."""
    model = tiny_model("qwen3")
    ids = list(range(300, 320))
    with benchmark.llama_cpp_engine(model, plan) as decode:
        _, theirs = decode(ids, plan.tokens)
    _, ours = benchmark.guiderail_engine(model)(ids, plan.tokens)
    assert theirs == ours


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
    speed = benchmark._speed(found, 13)
    assert speed["tokens_per_s"] == 6.0
    assert speed["ttft_s"] == 1.0
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
