"""Which format reads a file of a published benchmark."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from guiderail.errors import UsageError
from guiderail.evaluation.task import Task

READERS = ("repobench", "crosscodeeval", "humaneval_infilling", "safim", "dotprompts")


def read(name: str, path: Path, repositories: Path) -> list[Task]:
    """The tasks of a file of a published benchmark.

    Parameters
    ----------
    name
        One of `READERS`.
    path
        The file.
    repositories
        For DotPrompts, the folder of its repositories; the others bring all they need.

    Raises
    ------
    UsageError
        There is no such reader, or the file is not of its layout.
    """
    if name not in READERS:
        raise UsageError(f"there is no reader {name!r}", f"Readers: {', '.join(READERS)}")
    module = import_module(f"guiderail.evaluation.formats.{name}")
    try:
        return module.read(path, repositories) if name == "dotprompts" else module.read(path)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"{path} is not of {name}'s layout: {why}", "See docs/evaluation.md") from error
