"""Copies of the evaluation in a training corpus are found, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

from guiderail.evaluation.contamination import Copy, Index, fingerprints, search
from guiderail.evaluation.packages import SourceFile


def code(first: int, count: int) -> str:
    return "".join(
        f"def compute_number_{i}(argument):\n    return argument + {i}\n" for i in range(first, first + count)
    )


FILE = SourceFile("held", "held/a.py", code(0, 30))


def found(text: str) -> list[Copy]:
    return Index([FILE]).copies("training: b.py", text)


def test_an_exact_copy_is_found_whatever_its_white_space() -> None:
    [copy] = found(FILE.text.replace("    ", "\t").replace(" + ", "+"))
    assert (copy.package, copy.path, copy.found_in, copy.share) == ("held", "held/a.py", "training: b.py", 1.0)


def test_a_copy_bundled_into_a_larger_file_is_found() -> None:
    assert [copy.share for copy in found(code(1000, 300) + FILE.text + code(2000, 300))] == [1.0]


def test_an_edited_copy_is_found_and_other_code_is_not() -> None:
    [copy] = found(code(10, 30))
    assert 0.5 <= copy.share < 1
    assert found(code(25, 30)) == []


def test_lines_that_anybody_writes_are_no_evidence() -> None:
    assert (
        fingerprints("import collections.abc\nfrom os import path as where\n# a comment that is long\nx = 1\n") == set()
    )


def test_a_corpus_file_is_searched_document_by_document(tmp_path: Path) -> None:
    corpus = tmp_path / "train.jsonl"
    documents = [("own", "own/x.py", code(500, 20)), ("copier", "copier/y.py", FILE.text)]
    lines = [json.dumps(dict(zip(("package", "path", "text"), d, strict=True))) + "\n" for d in documents]
    corpus.write_text("".join(lines))
    read: list[int] = []
    assert [c.found_in for c in search(Index([FILE]), corpus, advance=read.append)] == ["copier: copier/y.py"]
    assert sum(read) == corpus.stat().st_size
