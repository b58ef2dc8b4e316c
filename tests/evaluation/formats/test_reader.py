"""Published benchmarks in their layouts, on tiny files of those layouts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from guiderail.errors import UsageError
from guiderail.evaluation.formats.reader import READERS, read
from guiderail.evaluation.task import Task

REPOBENCH = {
    "repo_name": "o/r", "file_path": "src/a.py", "import_statement": "from b import c", "level": "2k",
    "context": [{"identifier": "c", "path": "b.py", "snippet": "def c():\n    pass"}], "gold_snippet_index": 0,
    "cropped_code": "def f():\n    x = 1", "all_code": "…", "next_line": "    return c(x)", "created_at": "2023-11-01",
}  # fmt: skip
CROSSCODEEVAL = {
    "prompt": "import b\nx = b.", "groundtruth": "c(1)", "right_context": "\ny = 2\n",
    "metadata": {"task_id": "project_cc_python/1", "repository": "o-r", "file": "a.py", "context_start_lineno": 0},
    "crossfile_context": {"text": "…", "list": [{"retrieved_chunk": "def c(x):", "filename": "b.py", "score": 0.5}]},
}  # fmt: skip
INFILLING = {
    "task_id": "SingleLineInfilling/HumanEval/0/L0", "entry_point": "f", "prompt": "def f(n):\n",
    "suffix": "    return m\n", "canonical_solution": "    m = n + 1\n", "test": "def check(f): ...",
}  # fmt: skip
SAFIM = {
    "task_id": "block_1", "lang": "java", "prompt": "class A { /* TODO: Your code here */ }",
    "eval_prompt": "class A { int f() { {{completion}} } }", "ground_truth": "return 1;", "unit_tests": "[]",
}  # fmt: skip


def tasks(folder: Path, reader: str, name: str, record: dict[str, Any]) -> list[Task]:
    file = folder / name
    text = json.dumps(record) + "\n\n"
    file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return read(reader, file, folder)


def test_repobench_is_the_next_line_behind_imports_and_code(tmp_path: Path) -> None:
    """With the snippets of other files as context; its file's name is the setting."""
    [task] = tasks(tmp_path, "repobench", "cross_file_first-00000-of-00001.jsonl", REPOBENCH)
    assert (task.kind, task.package, task.language) == ("cross_file_first", "o/r", "python")
    assert task.prefix == "from b import c\ndef f():\n    x = 1\n" and task.truth == "    return c(x)"
    assert [(s.path, s.text) for s in task.snippets] == [("b.py", "def c():\n    pass\n")]


def test_repobench_as_it_is_published_is_parquet(tmp_path: Path) -> None:
    """The hub's own files are read without conversion."""
    pyarrow = pytest.importorskip("pyarrow", reason="pip install 'guiderail[parquet]'")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "in_file-00000-of-00001.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([REPOBENCH]), file)
    [task] = read("repobench", file, tmp_path)
    assert task.kind == "in_file" and task.truth == REPOBENCH["next_line"] and len(task.snippets) == 1


def test_crosscodeeval_has_both_sides_and_its_chunks(tmp_path: Path) -> None:
    """The retrieval is told by the file's name; a file without retrieval has no snippets."""
    [task] = tasks(tmp_path, "crosscodeeval", "line_completion_rg1_bm25.jsonl", CROSSCODEEVAL)
    assert (task.kind, task.package, task.truth) == ("line_completion_rg1_bm25", "o-r", "c(1)")
    assert task.prefix.endswith("b.") and task.suffix == "\ny = 2\n" and task.snippets[0].score == 0.5
    plain = {key: value for key, value in CROSSCODEEVAL.items() if key != "crossfile_context"}
    assert tasks(tmp_path, "crosscodeeval", "line_completion.jsonl", plain)[0].snippets == []


@pytest.mark.parametrize(("kind", "until"), [("SingleLineInfilling", "line"), ("RandomSpanInfilling", "tokens")])
def test_humaneval_infilling_fills_a_hole(tmp_path: Path, kind: str, until: str) -> None:
    """With the canonical solution in it the function is whole."""
    record = INFILLING | {"task_id": f"{kind}/HumanEval/0/L0"}
    [task] = tasks(tmp_path, "humaneval_infilling", "x.jsonl.gz", record)
    assert (task.kind, task.until, task.package) == (kind, until, "HumanEval/0")
    assert task.completed(task.truth) == "def f(n):\n    m = n + 1\n    return m\n"


def test_safim_has_its_hole_in_the_evaluated_prompt(tmp_path: Path) -> None:
    """Not in the prompt with the comment."""
    [task] = tasks(tmp_path, "safim", "api_completion.jsonl.gz", SAFIM)
    assert (task.kind, task.language, task.until) == ("api_completion", "java", "line")
    assert task.completed(task.truth) == "class A { int f() { return 1; } }"


@pytest.mark.parametrize("reader", [name for name in READERS if name != "dotprompts"])
def test_another_layout_is_refused_in_a_line(tmp_path: Path, reader: str) -> None:
    """What is missing is named."""
    with pytest.raises(UsageError, match=f"not of {reader}'s layout"):
        tasks(tmp_path, reader, "x.jsonl", {"unknown": 1})


def test_an_unknown_reader_names_the_known_ones(tmp_path: Path) -> None:
    """And a missing file says so."""
    with pytest.raises(UsageError, match="repobench"):
        read("humaneval", tmp_path / "x", tmp_path)
    with pytest.raises(UsageError, match="cannot read"):
        read("safim", tmp_path / "x", tmp_path)
