"""CrossCodeEval (Ding et al., NeurIPS 2023): a line that needs another file, with retrieved chunks or without.

A record has prompt, groundtruth, right_context, metadata (task_id, repository, file) and, in the retrieval files,
crossfile_context with a list of retrieved_chunk, filename and score.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guiderail.evaluation.formats.lines import rows
from guiderail.evaluation.task import Task
from guiderail.prompt.snippet import Snippet
from guiderail.text.language import language_of


def read(path: Path) -> list[Task]:
    """The tasks of one file; its name tells the retrieval."""
    return [
        Task(
            id=f"crosscodeeval:{row['metadata']['task_id']}",
            kind=path.name.split(".")[0],
            package=row["metadata"]["repository"],
            path=row["metadata"]["file"],
            language=language_of(row["metadata"]["file"]) or "python",
            prefix=row["prompt"],
            suffix=row.get("right_context", ""),
            truth=row["groundtruth"],
            snippets=_chunks(row.get("crossfile_context")),
        )
        for row in rows(path)
    ]


def _chunks(context: Any) -> list[Snippet]:
    chunks = context.get("list") or () if isinstance(context, dict) else ()
    return [
        Snippet(each["filename"], each["retrieved_chunk"].rstrip("\n") + "\n", "similar", float(each.get("score", 1)))
        for each in chunks
    ]
