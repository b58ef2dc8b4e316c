"""What is kept of an open project."""

import math
from pathlib import Path

from guiderail.engine.project import OpenProject
from guiderail.text.document import Document
from tests.helpers.models import tiny_model


def opened(root: Path | None, *, ngrams: str = "on", others: bool = True) -> OpenProject:
    return OpenProject(root, tiny_model("guiderail"), ngrams=ngrams, others=others)


def counted(project: OpenProject, path: Path) -> int:
    """How many texts a project lends to the file at `path` once it had all the time it wants."""
    project.read(Document("", path, "python"), math.inf)
    return len(project.counts.texts) if project.counts else 0


def test_other_files_are_lent_where_they_may_be_read(tmp_path: Path) -> None:
    """The project's other files are counted, unless context is off, there is no project, or the file lies outside."""
    (tmp_path / "pyproject.toml").touch()
    for name in ("app.py", "names.py"):
        (tmp_path / name).write_text("def frobnicate(widget):\n    return widget\n" * 3)
    assert counted(opened(tmp_path), tmp_path / "app.py") == 1
    assert counted(opened(tmp_path, others=False), tmp_path / "app.py") == 0
    assert counted(opened(None), tmp_path / "app.py") == 0
    assert counted(opened(tmp_path), tmp_path.parent / "app.py") == 0


def test_nothing_is_lent_where_it_is_turned_off(tmp_path: Path) -> None:
    """Without the setting there is no stage, and nothing is read."""
    project = opened(tmp_path, ngrams="off")
    assert project.stages(Document("", tmp_path / "app.py", "python"), math.inf) == ()
    assert project.counts is None
