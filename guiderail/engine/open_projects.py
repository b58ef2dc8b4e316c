"""The projects that were completed in last."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from guiderail.lru import LruCache

if TYPE_CHECKING:
    from guiderail.engine.project import OpenProject
    from guiderail.model.model import Model
    from guiderail.remote.model import RemoteModel
    from guiderail.settings import Settings

PROJECTS = 8  # whose files and n-grams are kept


class OpenProjects:
    """A few projects, by their root and by the settings that decide what is read of them."""

    def __init__(self) -> None:
        self._projects: LruCache[tuple[Path | None, str, bool], OpenProject] = LruCache(PROJECTS)

    def of(self, root: Path | None, settings: Settings, model: Model | RemoteModel) -> OpenProject:
        """The project of a root, opened when it is first wanted."""
        from guiderail.engine.project import OpenProject

        ngrams, others = settings.project_ngrams, settings.context
        return self._projects.get(
            (root, ngrams, others), lambda: OpenProject(root, model, ngrams=ngrams, others=others)
        )

    def knows(self, folder: Path) -> bool:
        """Whether a path is, or was, a folder of one of them; may be called from any thread."""
        return any(project.knows(folder) for project in self._projects)

    def forget(self, paths: Iterable[Path]) -> list[Path]:
        """Forget files and folders that are gone; the files that were known in them. From any thread."""
        return [file for project in self._projects for path in paths for file in project.forget(path)]

    def clear(self) -> None:
        """Close all of them."""
        self._projects.clear()
