"""The original DotPrompts: its tasks and its results, in its layout."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from guiderail.errors import UsageError
from guiderail.evaluation.formats.dotprompts import method_end, read, score

TEXT = "class A {\n  int f(B b) {\n    return b.size(1);\n  }\n  int g;\n}\n"
START, STOP, DOT = TEXT.index("{\n    return"), TEXT.index("}\n  int g"), TEXT.index(".size")
PLACE = {"repo": "o/r", "classFileName": "src/A.java", "methodStartIdx": START, "methodStopIdx": STOP, "dot_idx": DOT}


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    """A folder with the one repository, checked out by its name."""
    (tmp_path / "r" / "src").mkdir(parents=True)
    (tmp_path / "r" / "src" / "A.java").write_text(TEXT)
    return tmp_path


def table(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_task_is_the_method_behind_the_dot(repositories: Path) -> None:
    """The truth goes to the brace that closes the method; rows of absent repositories are left out."""
    file = table(repositories / "dataset.csv", [PLACE, PLACE | {"repo": "o/absent"}])
    [task] = read(file, repositories)
    assert task.truth == "size(1);\n  }" and task.prefix.endswith("return b.")
    assert task.completed(task.truth) == TEXT and task.root == repositories / "r"


def test_another_commit_is_found_out(repositories: Path) -> None:
    """The dot must be where the data set says."""
    with pytest.raises(UsageError, match="its commit"):
        read(table(repositories / "d.csv", [PLACE | {"dot_idx": DOT + 1}]), repositories)
    with pytest.raises(UsageError, match="none of DotPrompts' repositories"):
        read(table(repositories / "e.csv", [PLACE | {"repo": "o/absent"}]), repositories)


@pytest.mark.parametrize(
    ("output", "counts"),
    [
        ("size(1);\n  }\n  int more() { }", "size(1);\n  }"),
        ("size(1);", "size(1);}"),
        ('size("}");\n  }', 'size("}");\n  }'),
        ("size(new B() { int x; });\n }}", "size(new B() { int x; });\n }"),
    ],
)
def test_an_output_counts_up_to_the_methods_end(output: str, counts: str) -> None:
    """Braces in strings are none; missing ones are added."""
    assert method_end("\n    return b.", output) == counts


def test_scores_against_a_case_worked_out_by_hand(repositories: Path) -> None:
    """Two samples: the truth, and one that is right in the name, one of one identifiers, and 5 of 6 tokens.

    The truth's tokens are size ( 1 ) ; } and the second answer's size ( 1 ) ; } too but for the number.
    """
    outputs = [("size(1);\n  }", 1), ("size(2);\n  }", 0), ("length;\n  }", 0)]
    rows = [PLACE | {"configuration": "M", "output": text, "compilationSucceeded": ok} for text, ok in outputs]
    [row] = score(table(repositories / "results.csv", rows), repositories)
    assert (row["configuration"], row["n"], row["samples"]) == ("M", 1, 3)
    assert row["cr@1"] == pytest.approx(100 / 3) and row["cr@3"] == 100
    assert row["cr@2"] == pytest.approx(100 * 2 / 3)  # pass@2 of one right in three
    assert row["nim@1"] == pytest.approx(200 / 3) and row["ism@1"] == pytest.approx(200 / 3)
    assert row["pm@1"] == pytest.approx(100 * (1 + 2 / 6 + 0) / 3)
    assert row["pm@2"] == pytest.approx(100 * (1 * 2 + 2 / 6 * 1) / 3)


def test_results_need_their_repositories(repositories: Path) -> None:
    """What cannot be scored is said."""
    rows = [PLACE | {"repo": "o/absent", "configuration": "M", "output": "x", "compilationSucceeded": 1}]
    with pytest.raises(UsageError, match="o/absent"):
        score(table(repositories / "results.csv", rows), repositories)
