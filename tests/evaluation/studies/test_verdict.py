"""How often verdicts are wrong about true lines."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.studies.verdict import SURROUNDINGS, WHOLE, Plan, rows, samples, without_block
from guiderail.evaluation.task import cut_out
from guiderail.monitors.analysis.servers import server_named

CODE = """def size(values):
    total = 0
    for value in values:
        total += len(value)
        if total > 9:
            return total
    return -total


def other(name):
    return name.upper()
"""
FILE = SourceFile("alpha", "code.py", CODE)


@given(st.integers(0, len(CODE) - 1))
def test_of_what_follows_the_block_is_left_out_and_nothing_else(at: int) -> None:
    """What comes before the cursor's line is the file's, and what comes after its block."""
    end = CODE.index("\n", at)
    if not CODE[CODE.rfind("\n", 0, at) + 1 : end].strip():
        return
    task = cut_out(FILE, "fim_line", at, end)
    left = without_block(task)
    kept = [line for line in left.split("\n") if line.strip()]
    assert all(line in CODE for line in kept)
    depth = len(task.prefix.split("\n")[-1] + task.truth) - len((task.prefix.split("\n")[-1] + task.truth).lstrip())
    if kept:
        assert len(kept[0]) - len(kept[0].lstrip()) < depth or depth == 0


def sample(package: str, *, known: bool, errors: bool = False, kinds: list[str] | None = None) -> dict[str, object]:
    about = {"package": package, "surroundings": WHOLE, "known": known}
    return about | {"errors": errors, "dropped": errors, "kinds": kinds or []}


def test_rows_count_what_is_known() -> None:
    """Shares are of the lines with a known verdict; each kind counts once a line."""
    found = [
        sample("a", known=True, errors=True, kinds=["unknown-name"]),
        sample("a", known=True),
        sample("b", known=False),
    ]
    whole, _ = rows(found, Plan())
    assert (whole["lines"], whole["known"], whole["errors"], whole["dropped"]) == (3, 2, 0.5, 0.5)
    assert whole["kinds"] == {"unknown-name": 1}


@pytest.mark.e2e
def test_true_lines_of_a_typed_function_have_no_errors(tmp_path: Path) -> None:
    """With a real analyser, in both surroundings."""
    if server_named("pyrefly").find() is None:
        pytest.skip("pyrefly is not installed: pip install pyrefly")
    (tmp_path / "code.py").write_text(CODE)
    found = list(samples([FILE], tmp_path, "pyrefly", Plan(lines=4)))
    assert {one["surroundings"] for one in found} == set(SURROUNDINGS)
    assert any(one["known"] for one in found) and not any(one["errors"] for one in found)
