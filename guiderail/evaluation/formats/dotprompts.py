"""DotPrompts, the original (Agrawal et al., NeurIPS 2023): its tasks, and its results' file with its measures.

``dataset.csv`` has repo, classFileName, methodStartIdx, methodStopIdx and dot_idx, offsets in code points; the truth is
the method after the dot. Results add configuration, output and compilationSucceeded, a row a sample.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pygments.lexers import get_lexer_by_name
from pygments.token import Token

from guiderail.errors import UsageError
from guiderail.evaluation.scoring import identifier_sequence_match, next_identifier_match, prefix_match, score_at
from guiderail.evaluation.task import Task

LARGEST_FIELD = 2**31 - 1
MEASURES = ("cr", "nim", "ism", "pm")


def read(path: Path, repositories: Path) -> list[Task]:
    """The tasks whose repository is in the folder `repositories`, as OWNER/NAME or as NAME.

    Raises
    ------
    UsageError
        None is there, or a file does not have its dot at its place.
    """
    tasks = [task for row in _rows(path) if (task := _task(row, repositories)) is not None]
    if not tasks:
        raise UsageError(
            f"none of DotPrompts' repositories is in {repositories}", "Check them out there, at its commits"
        )
    return tasks


def _rows(path: Path) -> Iterator[dict[str, str]]:
    csv.field_size_limit(min(LARGEST_FIELD, sys.maxsize))
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            yield from csv.DictReader(stream)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "Name DotPrompts' own file") from error


def _folder(repositories: Path, repo: str) -> Path | None:
    candidates = (repositories / repo, repositories / repo.rpartition("/")[2])
    return next((folder for folder in candidates if folder.is_dir()), None)


def _task(row: Mapping[str, str], repositories: Path) -> Task | None:
    root, name = _folder(repositories, row["repo"]), row["classFileName"]
    if root is None or not (root / name).is_file():
        return None
    if not (root / name).resolve().is_relative_to(repositories.resolve()):
        raise UsageError(f"{name} of {row['repo']} leads out of {repositories}", "Do not use this file of tasks")
    text = (root / name).read_text(encoding="utf-8")
    dot, stop = int(row["dot_idx"]), int(row["methodStopIdx"])
    if text[dot : dot + 1] != "." or text[stop : stop + 1] != "}":
        raise UsageError(f"{name} of {row['repo']} is not the file that DotPrompts means", "Check out its commit")
    return Task(
        id=f"dotprompts:{row['repo']}:{name}:{dot}",
        kind="method",
        package=row["repo"],
        path=name,
        language="java",
        prefix=text[: dot + 1],
        suffix=text[stop + 1 :],
        truth=text[dot + 1 : stop + 1],
        until="tokens",
        root=root,
    )


def method_end(opened: str, output: str) -> str:
    """What counts of an output: up to the brace that closes the method; braces that are missing are added.

    Parameters
    ----------
    opened
        The method after its opening brace, up to the dot.
    output
        What was written after the dot.
    """
    depth, place, text = 1, 0, opened + output
    for _, kind, value in get_lexer_by_name("java").get_tokens_unprocessed(text):
        place += len(value)
        if kind in Token.Punctuation:
            depth += (value == "{") - (value == "}")
        if depth == 0:
            return text[len(opened) : place]
    return output.rstrip() + "}" * depth


def score(results: Path, repositories: Path) -> list[dict[str, Any]]:
    """The original's table from a file of its layout: score@k of CR, NIM, ISM and PM in %, a row a configuration.

    Raises
    ------
    UsageError
        A file or a repository is missing.
    """
    values: dict[str, dict[str, dict[str, list[float]]]] = {}
    for row in _rows(results):
        task = _task(row, repositories)
        if task is None:
            raise UsageError(f"{row['repo']} {row['classFileName']} is not in {repositories}", "Check it out there")
        found = values.setdefault(row["configuration"], {}).setdefault(task.id, {name: [] for name in MEASURES})
        for name, value in _judged(task, row).items():
            found[name].append(value)
    return [_configuration(name, list(cases.values())) for name, cases in values.items()]


def _judged(task: Task, row: Mapping[str, str]) -> dict[str, float]:
    opened = task.prefix[int(row["methodStartIdx"]) + 1 :]
    answer = method_end(opened, row["output"] or "")
    return {
        "cr": float(row["compilationSucceeded"]),
        "nim": float(next_identifier_match(answer, task.truth, "java")),
        "ism": identifier_sequence_match(answer, task.truth, "java"),
        "pm": prefix_match(answer, task.truth, "java"),
    }


def _configuration(name: str, cases: Iterable[Mapping[str, list[float]]]) -> dict[str, Any]:
    cases = list(cases)
    most = min(len(case["nim"]) for case in cases)
    row: dict[str, Any] = {"configuration": name, "n": len(cases), "samples": most}
    for measure in MEASURES:
        for k in range(1, most + 1):
            row[f"{measure}@{k}"] = 100 * math.fsum(score_at(k, case[measure]) for case in cases) / len(cases)
    return row
