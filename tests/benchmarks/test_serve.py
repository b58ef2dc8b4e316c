"""People who share a server: the benchmark against the real servers, with a tiny model."""

from pathlib import Path

import pytest

from guiderail.benchmarks import replay, trace
from guiderail.benchmarks.replay import Log
from guiderail.benchmarks.serve import Plan, body_of, row_of, run, with_ratios
from tests.helpers.models import tiny_folder

SOURCES = {path.name: path.read_text(encoding="utf-8") for path in map(Path, (trace.__file__, replay.__file__))}


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.asyncio
async def test_people_type_against_both_servers() -> None:
    """The same requests reach both, which answer some of them, with tokens, memory and a ratio in the row."""
    plan = Plan(model=str(tiny_folder("guiderail")), people=(2,), files=2, seconds=1, threads=1)
    ours, theirs = await run(plan, SOURCES, lambda name, total: lambda: None)
    assert (ours["engine"], theirs["engine"]) == plan.engines
    assert ours["requests"] == theirs["requests"] > 0
    assert theirs["p50_ratio"] == 1
    for row in (ours, theirs):
        assert row["people"] == 2
        assert row["failed"] == 0
        assert 0 < row["answered"] <= 1
        assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
        assert row["tokens_per_s"] > 0
        assert row["rss_mb"] > 10


def test_a_person_without_an_answer_is_counted() -> None:
    """Percentiles are of all answers; the spread is of people who got one."""
    row = row_of([Log(requests=4, latencies=[0.1, 0.3]), Log(requests=2, latencies=[0.5]), Log(requests=2)])
    assert (row["requests"], row["answered"], row["unanswered_people"]) == (8, 0.375, 1)
    assert (row["p50_ms"], row["least_p50_ms"], row["most_p50_ms"]) == (300, 200, 500)


def test_no_ratio_without_a_rival() -> None:
    """Where llama.cpp was not run, or answered nobody."""
    ours = {"engine": "guiderail", "p50_ms": 1.0, "p95_ms": 1.0, "p99_ms": 1.0}
    nobody = {"engine": "llama.cpp", "p50_ms": None, "p95_ms": None, "p99_ms": None}
    assert [with_ratios(rows)[0]["p95_ratio"] for rows in ([ours], [ours, nobody])] == [None, None]


def test_a_request_has_the_lines_around_the_cursor() -> None:
    """As llama.vim sends them: whole lines before, the cursor's line apart, and the rest with a line feed."""
    body = body_of("a\n  bc\nd", 5)
    assert (body["input_prefix"], body["prompt"], body["input_suffix"]) == ("a\n", "  b", "c\nd\n")
    assert body["n_indent"] == 2
