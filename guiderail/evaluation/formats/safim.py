"""SAFIM (Gong et al., ICML 2024): a block, a control expression or an API call is to be filled in.

A record has task_id, lang, prompt, eval_prompt with ``{{completion}}`` for the hole, and ground_truth; unit tests are
not run here. Answers end with the hole's line, or with its block where the truth has several lines.
"""

from __future__ import annotations

from pathlib import Path

from guiderail.evaluation.formats.lines import rows
from guiderail.evaluation.task import Task

HOLE = "{{completion}}"
_LANGUAGES = {"python": "python", "java": "java", "cpp": "cpp", "csharp": "csharp"}
_ENDINGS = {"python": ".py", "java": ".java", "cpp": ".cpp", "csharp": ".cs"}


def read(path: Path) -> list[Task]:
    """The tasks of one file: block_completion, control_completion or api_completion."""
    tasks = []
    for row in rows(path):
        before, hole, after = row["eval_prompt"].partition(HOLE)
        if not hole:
            raise ValueError(f"{row['task_id']} has no {HOLE}")
        tasks.append(
            Task(
                id=f"safim:{row['task_id']}",
                kind=path.name.split(".")[0],
                package=row["task_id"],
                path=f"solution{_ENDINGS[row['lang']]}",
                language=_LANGUAGES[row["lang"]],
                prefix=before,
                suffix=after,
                truth=row["ground_truth"],
                until="block" if "\n" in row["ground_truth"].strip() else "line",
            )
        )
    return tasks
