"""Whether text of the evaluation was trained on: exact copies and near duplicates, by shared lines.

A file is a near duplicate of a training file if at least `THRESHOLD` of its characteristic lines are in that one
file. Characteristic are lines with enough in them that two authors would not write them alike; containment finds a
file that was bundled into a larger one, which resemblance of whole files would miss.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from guiderail.evaluation.packages import SourceFile

SHORTEST = 16  # characters of a characteristic line, white space not counted
FEWEST = 8  # characteristic lines of a file that can be judged
THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Copy:
    """A file of the evaluation that is in the training corpus, and how much of it."""

    package: str
    path: str
    found_in: str
    share: float


def fingerprints(text: str) -> set[bytes]:
    """Hashes of the characteristic lines, white space left out."""
    lines = ("".join(line.split()) for line in text.split("\n"))
    return {
        hashlib.blake2b(line.encode(), digest_size=8).digest()
        for line in lines
        if len(line) >= SHORTEST and not line.startswith(("import", "from", "#"))
    }


class Index:
    """The characteristic lines of the evaluation's files, to hold training files against.

    Parameters
    ----------
    files
        The evaluation's files.
    """

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self._files = [(file, marks) for file in files if len(marks := fingerprints(file.text)) >= FEWEST]
        self._holders: dict[bytes, list[int]] = {}
        for number, (_, marks) in enumerate(self._files):
            for mark in marks:
                self._holders.setdefault(mark, []).append(number)

    def __len__(self) -> int:
        return len(self._files)

    def copies(self, name: str, text: str) -> list[Copy]:
        """The evaluation's files that are near duplicates of, or bundled in, the training file `name`."""
        shared = Counter(n for mark in fingerprints(text) for n in self._holders.get(mark, ()))
        found = []
        for number, count in shared.items():
            file, marks = self._files[number]
            share = count / len(marks)
            if share >= THRESHOLD:
                found.append(Copy(file.package, file.path, name, share))
        return found


def search(index: Index, corpus: Path, *, advance: Callable[[int], None] = lambda size: None) -> Iterator[Copy]:
    """Hold every document of a training corpus against the evaluation.

    Parameters
    ----------
    index
        The evaluation.
    corpus
        JSON lines with the keys package, path and text.
    advance
        Told the bytes read, document by document.
    """
    with corpus.open("rb") as stream:
        for line in stream:
            document = json.loads(line)
            yield from index.copies(f"{document['package']}: {document['path']}", document["text"])
            advance(len(line))
