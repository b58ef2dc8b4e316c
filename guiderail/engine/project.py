"""The state that an engine keeps of one project: the index of its files, and their n-grams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from guiderail.engine.project_ngrams import ProjectNgrams, is_wanted
from guiderail.prompt.index import ProjectIndex
from guiderail.settings import names_server

if TYPE_CHECKING:
    from guiderail.decoding.stages.ngram_counts import NgramCounts
    from guiderail.decoding.stages.stage import LogitsStage
    from guiderail.model.model import Model
    from guiderail.remote.model import RemoteModel
    from guiderail.text.document import Document


class OpenProject:
    """One project; without a root, the files that belong to none.

    Parameters
    ----------
    root
        The project's folder.
    model
        Its tokenizer makes the n-grams.
    ngrams
        The setting `project_ngrams`.
    others
        Whether other files may be read at all; without them only a file's own prompt is counted.
    """

    def __init__(self, root: Path | None, model: Model | RemoteModel, *, ngrams: str, others: bool) -> None:
        self.root = root
        self.index = ProjectIndex(root) if root else None
        shared = self.index if others else None
        # A server's tokens are not known here, and nothing could be mixed into its guesses.
        mixed = not names_server(model.info.name) and is_wanted(ngrams, model)
        self._ngrams = ProjectNgrams(cast("Model", model), shared) if mixed else None

    @property
    def counts(self) -> NgramCounts | None:
        """The ids and counts of the files other than that of the last `stages` or `read`, as far as these have read."""
        return self._ngrams.available if self._ngrams else None

    def stages(self, document: Document, seconds: float) -> tuple[LogitsStage, ...]:
        """The project's logits stages, after counting its files for at most so long."""
        if self._ngrams is None:
            return ()
        return (self._ngrams.stage(self._relative(document.path), document.language, seconds=seconds),)

    def read(self, document: Document, seconds: float, *, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Count the n-grams of the files around a document for so long, or until cancelled."""
        if self._ngrams is not None:
            self._ngrams.read(self._relative(document.path), document.language, seconds, cancelled=cancelled)

    def knows(self, folder: Path) -> bool:
        """Whether a path is, or was, a folder of the project."""
        return self.index is not None and self.index.knows(folder)

    def forget(self, path: Path) -> list[Path]:
        """Forget a file or folder that is gone; the files that were known in the folder. From any thread."""
        return self.index.forget(path) if self.index else []

    def _relative(self, path: Path | None) -> str | None:
        if path is None or self.root is None or not path.resolve().is_relative_to(self.root.resolve()):
            return None
        return path.resolve().relative_to(self.root.resolve()).as_posix()
