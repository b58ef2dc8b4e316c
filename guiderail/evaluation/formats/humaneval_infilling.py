"""HumanEval-Infilling (Bavarian et al., 2022): a hole of one line, of several, or of a random span in a function.

A record has task_id, prompt, suffix and canonical_solution; the tests are not run here.
"""

from __future__ import annotations

from pathlib import Path

from guiderail.evaluation.formats.lines import rows
from guiderail.evaluation.task import Task


def read(path: Path) -> list[Task]:
    """The tasks of one file. A single line ends with the line, the others with the token budget."""
    tasks = []
    for row in rows(path):
        kind, _, problem = row["task_id"].partition("/")
        single = kind == "SingleLineInfilling"
        tasks.append(
            Task(
                id=f"humaneval_infilling:{row['task_id']}",
                kind=kind,
                package="/".join(problem.split("/")[:2]),
                path="problem.py",
                language="python",
                prefix=row["prompt"],
                suffix=("\n" if single else "") + row["suffix"],
                truth=row["canonical_solution"].removesuffix("\n") if single else row["canonical_solution"],
                until="line" if single else "tokens",
            )
        )
    return tasks
