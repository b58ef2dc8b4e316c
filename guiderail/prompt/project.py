"""The project of a file: its root, and the source files that may be read as context, nearest first."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path

from guiderail import projectfile
from guiderail.projectfile import ProjectFileError
from guiderail.prompt.file_cache import FileCache, status_of
from guiderail.prompt.ignore import MOST_TRIES, Ignore, Rules
from guiderail.text.language import family_of, is_code, language_of

SIZE_LIMIT = 512 * 1024  # bytes; larger files are data or generated

_MANIFESTS = ("pyproject.toml", "package.json", "go.mod", "Cargo.toml")
_LONG_LINE = 1000  # characters; hand-written code has no such line
_MEAN_LINE = 200


def find_root(path: Path) -> Path | None:
    """The root of the project that a file or folder belongs to; None outside of any project.

    The nearest git work tree, else the nearest folder with a pyproject.toml, package.json, go.mod or Cargo.toml.
    """
    path = Path(os.path.realpath(path))  # Path's own raises where links lead in a circle
    folders = [path, *path.parents]
    for marks in ((".git",), _MANIFESTS):
        for folder in folders:
            if any(status_of(f"{folder}/{mark}") for mark in marks):
                return folder
    return None


def ignored(root: Path) -> Ignore:
    """A matcher that says of a path under `root` whether it must stay unread (see `Ignore`)."""
    return Ignore(root)


def read_text(path: Path, root: Path | None = None) -> str | None:
    """Text of a context file; None if it is gone, outside the root, no file, large, binary, not UTF-8 or minified."""
    try:
        data = projectfile.read_bytes(path, root, limit=SIZE_LIMIT)
        text = (data or b"").decode("utf-8-sig")
    except (ProjectFileError, UnicodeDecodeError):
        return None
    if data is None or b"\0" in data:
        return None
    text = re.sub(r"\r\n?", "\n", text)
    return None if _is_minified(text) else text


def _is_minified(text: str) -> bool:
    lengths = [len(line) for line in text.split("\n")]
    return max(lengths) > _LONG_LINE or sum(lengths) > _MEAN_LINE * len(lengths)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file that may be read.

    Parameters
    ----------
    path
        POSIX path relative to the root.
    language
        Language identifier.
    status
        What `os.stat` said when the file was listed.
    """

    path: str
    language: str
    status: os.stat_result


@dataclass(frozen=True, slots=True)
class _Listing:
    """What a folder holds, sorted."""

    folders: tuple[str, ...]
    files: tuple[str, ...]


class Project:
    """The files under a root; what was learnt about a folder is kept while the folder stays as it is.

    Parameters
    ----------
    root
        The project's root.
    """

    def __init__(self, root: Path) -> None:
        self.ignore = ignored(root)
        self.root = self.ignore.root
        self._top = self.root.as_posix()  # with slashes on every system, as all paths below it
        self._readable: dict[str, bool] = {}
        self._listings = FileCache(_list_folder)
        self._visible: dict[str, tuple[_Listing, tuple[Rules, ...], _Listing]] = {}

    def relative(self, path: Path | None) -> str | None:
        """POSIX path relative to the root; None if the path is outside or there is none."""
        if path is None:
            return None
        path = Path(os.path.realpath(path))
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else None

    @property
    def scans(self) -> int:
        """How many times a folder was scanned, over the project's life."""
        return self._listings.made

    def refresh(self) -> None:
        """Look at the disk again: what was answered before may have changed."""
        self._readable.clear()
        self.ignore.refresh()

    def knows(self, folder: str) -> bool:
        """Whether a path, absolute and without links, is or was a folder that may be read, or one that the root is in.

        As long as nothing was looked into, names without an ending are taken for folders'. This and the next may be
        called from any thread.
        """
        if f"{self._top}/".startswith(f"{folder}/"):
            return True
        path = folder.removeprefix(f"{self._top}/")
        if path == folder:
            return False
        parent, _, name = path.rpartition("/")
        if not self._visible:
            return "." not in name
        beside = self._visible.get(parent)
        return path in self._visible or (beside is not None and name in beside[2].folders)

    def forget(self, folder: str) -> None:
        """Forget a known folder that is gone, and those in it."""
        self._listings.drop(folder)
        self._listings.drop_below(folder)
        around = folder.rpartition("/")[0]  # which holds it no more
        for path in tuple(self._visible):
            full = f"{self._top}/{path}".removesuffix("/")
            if full == around or f"{full}/".startswith(f"{folder}/"):
                self._visible.pop(path, None)

    def is_readable(self, path: str) -> bool:
        """Whether a relative path is a file that may be read."""
        known = self._readable.get(path)
        if known is None:
            status = None if path.startswith("../") else status_of(f"{self._top}/{path}")
            is_file = status is not None and stat.S_ISREG(status.st_mode)
            known = self._readable[path] = is_file and not self.ignore(Path(path))
        return known

    def names(self, folder: str) -> tuple[str, ...]:
        """The readable files of a folder, sorted; none if the folder may not be read."""
        if folder.startswith("..") or self.ignore(Path(folder)):
            return ()
        return self._look(folder).files

    def files(self, near: str, language: str | None, expired: Callable[[], bool]) -> Iterator[FileEntry]:
        """Readable source files, the nearest in the folder tree first, then the latest changed, then by path.

        Parameters
        ----------
        near
            Relative path of the file whose neighbours are wanted.
        language
            That file's language: files of its family come, and those of other programming languages.
        expired
            Ends the listing early when it turns true.
        """
        family = family_of(language)
        for folders in self._rings(near.rpartition("/")[0], expired):
            in_time = takewhile(lambda _: not expired(), folders)
            entries = [entry for folder in in_time for entry in self._files_of(folder, family)]
            yield from sorted(entries, key=lambda entry: (-entry.status.st_mtime_ns, entry.path))

    def _rings(self, start: str, expired: Callable[[], bool]) -> Iterator[list[str]]:
        """Folders at distance 0, 1, 2, … steps (up or down) from the start."""
        while start and self.ignore(Path(start)):
            start = start.rpartition("/")[0]
        ring, seen = [start], {start}
        while ring and not expired():
            yield ring
            following = []
            for folder in ring:
                if expired():
                    return
                parent = [folder.rpartition("/")[0]] if folder else []
                neighbours = (*parent, *(_join(folder, name) for name in self._look(folder).folders))
                following += [neighbour for neighbour in neighbours if neighbour not in seen]
                seen.update(neighbours)
            ring = following

    def _files_of(self, folder: str, family: str | None) -> Iterator[FileEntry]:
        for name in self._look(folder).files:
            language = language_of(name)
            if language is None or not (is_code(language) or family_of(language) == family):
                continue
            try:
                status = os.lstat(f"{self._top}/{_join(folder, name)}")
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= SIZE_LIMIT:
                yield FileEntry(_join(folder, name), language, status)

    def _look(self, folder: str) -> _Listing:
        """What may be read of a folder; filtered again only when the folder or a .gitignore changed."""
        path = f"{self._top}/{folder}"
        status = status_of(path)
        if status is None:
            return _Listing((), ())
        listing = self._listings.get(path, status)
        chain = self.ignore.chain(folder)
        known = self._visible.get(folder)
        if known and known[0] is listing and known[1] == chain:
            return known[2]
        if (len(listing.folders) + len(listing.files)) * self.ignore.tries(folder) > MOST_TRIES:
            self._visible[folder] = (listing, chain, _Listing((), ()))  # which may be read would take long to find out
            return self._visible[folder][2]
        visible = _Listing(
            tuple(name for name in listing.folders if not self.ignore.hides(folder, name, True)),
            tuple(name for name in listing.files if not self.ignore.hides(folder, name, False)),
        )
        self._visible[folder] = (listing, chain, visible)
        return visible


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _list_folder(path: str) -> _Listing:
    """List a folder. Links count as neither folders nor files: what they lead to inside the root is listed there."""
    try:
        with os.scandir(path) as entries:
            some = islice(entries, projectfile.ENTRY_LIMIT)  # a folder of more holds data
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in some)
    except OSError:
        found = []
    return _Listing(
        tuple(name for name, is_folder in found if is_folder),
        tuple(name for name, is_folder in found if not is_folder),
    )
