"""What the open project lends a small model: the n-grams of its files, counted as time allows and kept up to date."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from guiderail.decoding.stages.ngram import WEIGHTS, FimMarks, NgramMix
from guiderail.decoding.stages.ngram_counts import NgramCounts
from guiderail.model.store import EMBEDDED

if TYPE_CHECKING:
    from guiderail.model.model import Model
    from guiderail.prompt.index import ProjectIndex, SourceFile

# Characters of a project that are counted at most, nearest files first: about a second of work and 40 MB.
CHARACTERS = 400_000


def is_wanted(choice: str, model: Model) -> bool:
    """Whether a project lends its n-grams: the setting `project_ngrams` ("on", "off", or "auto") for this model.

    Auto is the embedded model only, for which the mixture's weights were fitted: they say how much better than the
    model's own guess a repeated context is. A larger model copies by itself, and would be told to trust it too much.
    """
    return choice == "on" or (choice == "auto" and model.info.name == EMBEDDED)


class Lending:
    """The n-gram counts of one project, for one model.

    Counting goes on where the last call ended, nearest files first; a file that changed on disk is counted again, by
    its difference. Not safe for use by several threads at once.

    Parameters
    ----------
    model
        Its tokenizer makes the n-grams, and its sentinels tell prefix from suffix in a prompt.
    index
        The project's files; None where there is no project: then only the prompt itself is lent.

    Attributes
    ----------
    counts
        Of the files that were counted; for reading only.
    """

    def __init__(self, model: Model, index: ProjectIndex | None = None) -> None:
        self._tokenizer = model.tokenizer
        self._marks = FimMarks.of(model)
        self._index = index
        self.counts = NgramCounts()
        self._counted: dict[str, SourceFile] = {}
        self._own: str | None = None

    @property
    def paths(self) -> list[str]:
        """The files that are counted, relative to the project's root, in the order in which they were."""
        return list(self._counted)

    def stage(self, own: str | None, language: str | None, *, seconds: float = 0.1) -> NgramMix:
        """The mixture for a completion in the file `own` (relative to the root), after counting for so long.

        The file's own text is left out: what of it is in the prompt counts by itself, and what is behind the prompt's
        end must not tell the answer.
        """
        self.read(own, language, seconds)
        return NgramMix(self.counts, WEIGHTS, self._marks)

    def read(self, own: str | None, language: str | None, seconds: float) -> None:
        """Count the files around `own` for so long; no time is no look at the disk."""
        if own != self._own:
            self._forget(own)
            self._own = own
        if self._index is not None and own is not None and seconds:
            self._count(own, language, time.monotonic() + seconds)

    def _count(self, own: str, language: str | None, end: float) -> None:
        assert self._index is not None
        self._index.refresh()
        size = 0
        for file in self._index.around(own, language, lambda: time.monotonic() >= end):
            size += len(file.text)
            if size > CHARACTERS or time.monotonic() >= end:
                return
            if self._counted.get(file.path) is not file:
                self.counts.set_text(file.path, self._tokenizer.encode(file.text))
                self._counted[file.path] = file

    def _forget(self, path: str | None) -> None:
        if path is not None and self._counted.pop(path, None):
            self.counts.discard_text(path)
