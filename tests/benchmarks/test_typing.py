"""The typing benchmark against the real servers, with a tiny model."""

from pathlib import Path

import pytest

from guiderail.benchmarks import replay, trace, typing
from guiderail.benchmarks.typing import Plan, run, sources
from guiderail.errors import UsageError
from tests.helpers.models import tiny_folder

SOURCES = {path.name: path.read_text(encoding="utf-8") for path in map(Path, (trace.__file__, replay.__file__))}
KEYS = {
    "engine", "p50_ms", "p95_ms", "cancelled", "reused", "delayed_keys", "rss_mb", "requests", "shown", "keys",
    "departed_p50_ms", "departed_p95_ms", "noticed_p95_ms", "children_rss_mb", "rush_keys", "rush_rss_mb", "model",
    "seconds", "dtype", "waiting",
}  # fmt: skip


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.asyncio
async def test_both_servers_are_typed_against() -> None:
    """One row an engine with every figure; both answer the same trace, and ours is given a rush besides."""
    steps: list[str] = []
    plan = Plan(model=str(tiny_folder("guiderail")), files=1, seconds=2, rush_seconds=3, threads=1)
    rows = await run(plan, SOURCES, lambda name, _: lambda: steps.append(name))
    assert [row["engine"] for row in rows] == ["guiderail", "llama.cpp"]
    assert all(row.keys() == KEYS for row in rows)
    ours, theirs = rows
    assert ours["requests"] == theirs["requests"] > 0
    assert steps.count("guiderail") == steps.count("llama.cpp") == ours["keys"]
    assert steps.count("in a rush") == ours["rush_keys"] > 0
    assert all(row["rss_mb"] > 0 and row["p50_ms"] > 0 for row in rows)


def test_only_held_out_packages_are_typed_in() -> None:
    """What the model may have been trained on is refused."""
    with pytest.raises(UsageError, match="no held-out package"):
        sources(Plan(package="numpy"))


def test_the_files_typed_in_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many files of the right size are drawn from the seed; all others of the package lie beside them."""
    from guiderail.evaluation.packages import SourceFile

    files = [SourceFile("boltons", f"{size}.py", "x" * size) for size in (100, 6000, 7000, 8000, 90_000)]
    monkeypatch.setattr(typing, "fetch", lambda packages, folder: None)
    monkeypatch.setattr(typing, "source_files", lambda package, folder: files)
    found = sources(Plan(files=2))
    assert found == sources(Plan(files=2))
    assert set(list(found)[:2]) < {"6000.py", "7000.py", "8000.py"}
    assert len(found) == len(files)
    with pytest.raises(UsageError, match="fewer"):
        sources(Plan(files=4))
