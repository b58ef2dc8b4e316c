"""The n-grams of the open project's files, mixed into a small model: counted as time allows and kept up to date."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from guiderail.decoding.stages.ngram import WEIGHTS, FimMarks, NgramMix
from guiderail.decoding.stages.ngram_counts import NgramCounts
from guiderail.model.store import EMBEDDED

if TYPE_CHECKING:
    from guiderail.model.model import Model
    from guiderail.prompt.index import ProjectIndex, SourceFile
    from guiderail.remote.model import RemoteModel

# Characters of a project that are counted at most, nearest files first: about a second of work and 40 MB.
CHARACTERS = 400_000
_NOTHING = NgramCounts()
PART = 8000  # characters that are tokenised from one look at the clock to the next: some milliseconds


def is_wanted(choice: str, model: Model | RemoteModel) -> bool:
    """Whether a project's n-grams are used with a model, by the setting `project_ngrams` ("on", "off" or "auto").

    Auto is the embedded model only, for which the mixture's weights were fitted: they say how much better than the
    model's own guess a repeated context is. A larger model copies by itself, and would be told to trust it too much.
    """
    return choice == "on" or (choice == "auto" and model.info.name == EMBEDDED)


class ProjectNgrams:
    """The n-gram counts of one project, for one model.

    Counting goes on where the last call ended, nearest files first; a file that changed on disk is counted again, by
    its difference, and the counts of one that is gone are removed. Counts are removed as they were added, in slices of
    idle time. Not safe for use by several threads at once.

    Parameters
    ----------
    model
        Its tokenizer makes the n-grams, and its sentinels tell prefix from suffix in a prompt.
    index
        The project's files; None where there is no project: then only the prompt itself is counted.

    Attributes
    ----------
    counts
        Of the files that were counted; for reading only.
    """

    def __init__(self, model: Model, index: ProjectIndex | None = None) -> None:
        self._tokenizer = model.tokenizer
        self._index = index
        self.counts = NgramCounts()
        # Kept from request to request: of the next prompt it counts what an edit changed.
        self._mix = NgramMix(self.counts, WEIGHTS, FimMarks.of(model))
        self._counted: dict[str, SourceFile] = {}
        self._in_progress: tuple[SourceFile, Generator[None]] | None = None  # the file being counted
        self._removing: dict[str, None] = {}  # files whose counts are to be removed
        self._own: str | None = None

    @property
    def paths(self) -> list[str]:
        """The files that are counted, relative to the project's root, in the order in which they were."""
        return list(self._counted)

    def stage(self, own: str | None, language: str | None, *, seconds: float = 0.1) -> NgramMix:
        """The mixture for a completion in the file `own` (relative to the root), after counting for so long.

        The file's own text is left out: what of it is in the prompt counts by itself, and what is after the prompt's
        end must not give the answer away. While a part of it is counted, only the prompt's n-grams are used.
        """
        self.read(own, language, seconds)
        self._mix.project = self.available
        return self._mix

    @property
    def available(self) -> NgramCounts:
        """The counts to use for the current file: none while they include a part of its own text."""
        return _NOTHING if self._own in self._removing else self.counts

    def read(
        self, own: str | None, language: str | None, seconds: float, *, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        """Count the files around `own` for so long, or until cancelled; no time is no look at the disk.

        The next call continues with a file that was counted in part. Removals come first, however long they take, until
        cancelled.
        """
        if own != self._own:
            self._schedule_removal(own)
            self._own = own
        if self._index is not None and own is not None and seconds:
            self._count(own, language, seconds, cancelled)

    def _count(self, own: str, language: str | None, seconds: float, cancelled: Callable[[], bool]) -> None:
        assert self._index is not None
        began = time.monotonic()
        self._index.refresh()
        # Half the time is for counting: looking at the files of a large project again may take all of it every time.
        files = self._index.around(own, language, lambda: cancelled() or time.monotonic() >= began + seconds / 2)
        wanted = _fitting(files)
        # One that is not wanted now may be far from this file, or out of time, or gone.
        for path in [path for path in self._counted if path not in wanted and self._index.file(path) is None]:
            self._schedule_removal(path)
        half = self._in_progress[0] if self._in_progress else None
        for file in sorted(wanted.values(), key=lambda file: file is not half):
            if not self._subtract_removed(cancelled):
                return
            if self._counted.get(file.path) is file:
                continue
            for _ in self._resume(file):
                if cancelled() or time.monotonic() >= began + seconds:
                    return
            self._in_progress = None
            self._evict(wanted)
        self._subtract_removed(cancelled)

    def _subtract_removed(self, cancelled: Callable[[], bool]) -> bool:
        """Subtract the counts of files being removed; whether that is finished."""
        for path in tuple(self._removing):
            for _ in self.counts.forget_text(path):
                if cancelled():
                    return False
            del self._removing[path]
        return True

    def _resume(self, file: SourceFile) -> Generator[None]:
        """The counting of a file, resumed; the counting of another file is abandoned."""
        if self._in_progress is None or self._in_progress[0] is not file:
            if self._in_progress is not None:
                self._schedule_removal(self._in_progress[0].path)
            self._in_progress = file, self._count_file(file)
        return self._in_progress[1]

    def _count_file(self, file: SourceFile) -> Generator[None]:
        """Count a file in slices."""
        ids: list[int] = []
        for part in _parts(file.text, self._tokenizer.cuts):
            ids += self._tokenizer.encode(part)
            yield
        self._removing.pop(file.path, None)  # another state of it, that was given up
        yield from self.counts.read_text(file.path, ids)
        self._counted[file.path] = file

    def _evict(self, wanted: Mapping[str, SourceFile]) -> None:
        """Forget files that are not wanted, the first counted first, while more is counted than may be."""
        size = sum(len(file.text) for file in self._counted.values())
        for path in [path for path in self._counted if path not in wanted]:
            if size <= CHARACTERS:
                break
            size -= len(self._counted[path].text)
            self._schedule_removal(path)

    def _schedule_removal(self, path: str | None) -> None:
        """Schedule a file's removal for idle time, if any part of it is counted."""
        if self._in_progress is not None and self._in_progress[0].path == path:
            self._in_progress = None
        if path is not None:
            self._counted.pop(path, None)
            if self.counts.holds(path):
                self._removing[path] = None


def _parts(text: str, cuts: re.Pattern[str] | None) -> Iterator[str]:
    """A text in parts of about `PART` characters that may be tokenised apart; whole where no such place is known."""
    begin = 0
    while cuts is not None and len(text) - begin > PART and (cut := cuts.search(text, begin + PART)):
        yield text[begin : cut.start()]
        begin = cut.start()
    yield text[begin:]


def _fitting(files: Iterable[SourceFile]) -> dict[str, SourceFile]:
    """By path the nearest files that are together no longer than `CHARACTERS`; one that is too long is passed over."""
    found: dict[str, SourceFile] = {}
    size = 0
    for file in files:
        if size + len(file.text) <= CHARACTERS:
            found[file.path] = file
            size += len(file.text)
    return found
