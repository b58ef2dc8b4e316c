"""The samples of a long evaluation in a file, one a line, so that a broken run goes on where it ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from guiderail.errors import UsageError

S = TypeVar("S")


class SampleLog(Generic[S]):
    """Samples of one run; the first line of the file says which run it is.

    Parameters
    ----------
    file
        Made if it is not there. A last line that was torn is dropped.
    kind
        The samples' dataclass.
    run
        What makes two runs the same: plan, model, material.

    Raises
    ------
    UsageError
        The file belongs to another run, or cannot be read.
    """

    def __init__(self, file: Path, kind: type[S], run: Mapping[str, Any]) -> None:
        self.samples: list[S] = []
        lines = _whole_lines(file)
        if lines and json.loads(lines[0]) != json.loads(json.dumps(run)):
            raise UsageError(f"{file} holds the samples of another run", "Name another file, or remove it")
        self.samples = [kind(**json.loads(line)) for line in lines[1:]]
        self._file = file
        file.write_text("".join(line + "\n" for line in lines or [json.dumps(run)]), encoding="utf-8")

    def add(self, samples: list[S]) -> None:
        """Keep samples."""
        with self._file.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(asdict(cast(Any, sample))) + "\n" for sample in samples)
        self.samples += samples


def answered(
    evaluate: Callable[..., Iterable[S | list[S]]], kind: type[S], run: Mapping[str, Any], kept: str | None
) -> list[S]:
    """All samples of a run; if they are kept in a file (`SampleLog`), a broken run goes on where it ended.

    `evaluate` is told which samples are `done`, and makes the others, one by one or in lists that are kept as a whole.
    """
    log = SampleLog(Path(kept), kind, run) if kept else None
    samples = list(log.samples) if log else []
    for found in evaluate(done=list(samples)):
        new = found if isinstance(found, list) else [found]
        samples += new
        if log:
            log.add(new)
    return samples


def _whole_lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}", "Name another file") from error
    return text.split("\n")[:-1]
