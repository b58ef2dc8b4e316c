"""RepoBench v1.1 (Liu et al., ICLR 2024): the next line, with snippets of the repository's other files.

A record has repo_name, file_path, context (a list of path and snippet, and identifier), import_statement,
cropped_code, next_line, and level. The setting (cross_file_first, cross_file_random, in_file) is the name of the split,
here that of the file.
"""

from __future__ import annotations

from pathlib import Path

from guiderail.evaluation.formats.lines import rows
from guiderail.evaluation.task import Task
from guiderail.prompt.snippet import Snippet
from guiderail.text.language import language_of


def read(path: Path) -> list[Task]:
    """The tasks of one split."""
    kind = path.name.split("-")[0].split(".")[0]
    return [
        Task(
            id=f"repobench:{kind}:{number}",
            kind=kind,
            package=row["repo_name"],
            path=row["file_path"],
            language=language_of(row["file_path"]) or "python",
            prefix=f"{row['import_statement']}\n{row['cropped_code'].rstrip()}\n",
            suffix="",
            truth=row["next_line"].rstrip("\n"),
            snippets=[_snippet(each["path"], each["snippet"]) for each in row["context"]],
        )
        for number, row in enumerate(rows(path))
    ]


def _snippet(path: str, text: str) -> Snippet:
    return Snippet(path, text.rstrip("\n") + "\n", "similar", 1.0)
