"""An index of a project's files, kept between completions and refreshed by modification time and size."""

import math
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from guiderail.prompt.file_cache import FileCache, status_of
from guiderail.prompt.imports.binding import Binding
from guiderail.prompt.imports.resolve import bindings_of
from guiderail.prompt.outline import Definition, outline
from guiderail.prompt.project import Project, read_text
from guiderail.prompt.secrets.masking import masked
from guiderail.prompt.similar import Ranking, Vocabulary, Windows
from guiderail.text.language import language_of

FILE_LIMIT = 2000
TEXT_LIMIT = 20_000_000  # characters of the files around one; with what is known of each they take up to 20 bytes each


class SourceFile:
    """One file's text without its secrets, its windows' identifiers, and its declarations when first wanted."""

    def __init__(self, path: str, text: str, vocabulary: Vocabulary) -> None:
        self.path = path
        self.text = text
        self.language = language_of(path)
        self.lines = text.split("\n")
        self.windows: Windows = vocabulary.windows(self.lines)

    @cached_property
    def definitions(self) -> list[Definition]:
        """What it declares."""
        return outline(self.text, self.language or "")


class ProjectIndex:
    """The readable files of one project.

    A server keeps one for as long as the project is open: a second question costs one `stat` per file. Not safe for
    use by several threads at once.

    Parameters
    ----------
    root
        The project's root; nothing outside it, ignored or secret is ever read.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self.project = Project(root)
        self._begin()

    def _begin(self) -> None:
        """Reset the index."""
        self._vocabulary = Vocabulary()
        self.ranking = Ranking(self._vocabulary)
        self._files: FileCache[SourceFile | None] = FileCache(self._read)
        self._characters = 0  # that were read; the vocabulary keeps what they said

    @property
    def reads(self) -> int:
        """How many times a file was read, since all was forgotten last."""
        return self._files.made

    def refresh(self) -> None:
        """Look at the disk again; call it once before a round of questions.

        A project may hold more text than there is memory for, and be walked bit by bit: what was read is forgotten
        then, all at once, and what is near read again.
        """
        self.project.refresh()
        if self._characters > 2 * TEXT_LIMIT:
            self._begin()

    def file(self, path: str) -> SourceFile | None:
        """A file by its relative path; None if it may not be read or is no text."""
        if not self.project.is_readable(path):
            return None
        full = self._full(path)
        status = status_of(full)
        return self._files.get(full, status) if status else None

    def knows(self, folder: Path) -> bool:
        """Whether a path is, or was, a folder of the project, or one that it is in; may be called from any thread."""
        return self.project.knows(self._real(folder))

    def forget(self, path: Path) -> list[Path]:
        """Forget a file, or a folder with all that was in it, that is gone; the files that were known in the folder.

        May be called from any thread.
        """
        real = self._real(path)
        self._files.drop(real)
        if not self.project.knows(real):
            return []
        self.project.forget(real)
        return [Path(file) for file in self._files.drop_below(real)]

    def text(self, path: str) -> str | None:
        """Text of a file by its relative path; None if it may not be read or is no text."""
        file = self.file(path)
        return file.text if file else None

    def bindings(self, path: str, text: str, language: str | None) -> list[Binding]:
        """What the imports of a text at this place bind."""
        return bindings_of(text, language, path, self.project, self.text)

    def around(self, near: str, language: str | None, expired: Callable[[], bool]) -> list[SourceFile]:
        """The files around a file, nearest first, as many as there is time for; without that file itself.

        What was read stays, so that repeated calls reach further out.
        """
        found: list[SourceFile] = []
        size = 0
        for entry in self.project.files(near, language, expired):
            if len(found) >= FILE_LIMIT or size > TEXT_LIMIT or expired():
                break
            if entry.path != near and (file := self._files.get(self._full(entry.path), entry.status)):
                found.append(file)
                size += len(file.text)
        return found

    def _full(self, path: str) -> str:
        """A relative path as it is kept: with slashes on every system."""
        return f"{self.project.root.as_posix()}/{path}"

    def _real(self, path: Path) -> str:
        """A path as it is kept, which has no links; what it names may be gone, so that the disk cannot be asked."""
        inside = path.is_relative_to(self._root)
        return (self.project.root / path.relative_to(self._root) if inside else path).as_posix()

    def _read(self, path: str) -> SourceFile | None:
        text = read_text(Path(path), self.project.root)
        relative = Path(path).relative_to(self.project.root).as_posix()
        self._characters += len(text or "")
        # Here enters all that anybody is told of other files: the prompt, the n-grams and what drafters copy.
        return SourceFile(relative, masked(text, language_of(relative)), self._vocabulary) if text else None


def deadline(seconds: float) -> Callable[[], bool]:
    """A function that turns true when the time is over; never for infinity."""
    end = time.monotonic() + seconds if seconds < math.inf else math.inf
    return lambda: time.monotonic() >= end
