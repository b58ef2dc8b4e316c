"""Finds the file that a request is about, and the text that its editor holds."""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from guiderail.lsp.policy import says_off
from guiderail.prompt.file_cache import FileCache, status_of
from guiderail.prompt.index import FILE_LIMIT, TEXT_LIMIT, deadline
from guiderail.prompt.project import Project, read_text
from guiderail.serve.faults import RequestFault
from guiderail.serve.query import Query
from guiderail.serve.window import Placed, Window
from guiderail.text.document import Document
from guiderail.text.language import language_named, language_of

SEARCH_S = 0.25  # for the files of all roots; what was read stays known, so that a second search gets further
OPEN = 16  # files whose text in the editor is remembered, of one client
EDITORS = 64  # clients of whose files it is
LONGEST_PATH = 1000  # characters; each folder of a path is looked at
_OFF = "the file says guiderail: off"
_HIDDEN = "the file is ignored by git, may hold secrets, or is a tool's"


_Stamp = tuple[int, int, int]  # time of the last change, size, number on the disk
_Candidate = tuple[Path, Path, str, _Stamp | None]  # a file, its root, its text and its stamp


@dataclass(frozen=True, slots=True)
class Hole:
    """The text to complete in.

    Parameters
    ----------
    document, offset
        The whole text as far as it is known, and the cursor.
    root
        The project that the file belongs to; None for a text that is in no file.
    refusal
        Why nothing is completed here; "" otherwise.
    """

    document: Document
    offset: int
    root: Path | None = None
    refusal: str = ""

    @property
    def file(self) -> str | None:
        """The file's path relative to its root."""
        path = self.document.path
        return path.relative_to(self.root).as_posix() if path is not None and self.root is not None else None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file that an editor has open.

    Parameters
    ----------
    text
        What the editor held; None once the file was written since.
    stamp
        That of the file on the disk at that time; None where there was no file.
    """

    text: str | None
    stamp: _Stamp | None


@dataclass
class _Editor:
    """What is remembered of one client.

    Parameters
    ----------
    opened
        Its files by path, the latest last.
    near
        The file that it asked about last.
    """

    opened: dict[str, _Opened] = field(default_factory=dict)
    near: str = ""


@dataclass(frozen=True, slots=True)
class _Match:
    path: Path
    root: Path
    placed: Placed
    stamp: _Stamp | None


class ProjectFiles:
    """The files under some roots. Not safe for use by several threads at once.

    Parameters
    ----------
    roots
        The projects' folders; nothing outside them is read, nor what is ignored or may hold secrets.
    closed
        Called with a file of which nothing is remembered any more, and the client that had it open.
    saved
        Called with a file that was written, or went, since an editor's text of it was seen, and with the client whose
        editor it is: the disk counts again.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        closed: Callable[[Path, int], object] = lambda path, client: None,
        saved: Callable[[Path, int], object] = lambda path, client: None,
    ) -> None:
        self._projects = [Project(root) for root in roots]
        self._texts: FileCache[str | None] = FileCache(self._read)
        self._characters = 0
        self._editors: OrderedDict[int, _Editor] = OrderedDict()  # by client, the latest last
        self._editor = _Editor()  # of the client whose query is answered
        self._closed, self._saved = closed, saved

    @property
    def reads(self) -> int:
        """How many times a file was read."""
        return self._texts.made

    def refresh(self) -> None:
        """Drop the editors' texts of files that were written, or went, since."""
        for client, editor in self._editors.items():
            for path, opened in editor.opened.items():
                stamp = _stamp(status_of(path))
                if stamp != opened.stamp:
                    editor.opened[path] = _Opened(None, stamp)  # still one of those of which something is remembered
                    self._saved(Path(path), client)

    def hole(self, query: Query, client: int = 0) -> Hole:
        """The document that a query is about; of what other clients hold in their editors nothing is used.

        Raises
        ------
        RequestFault
            The client names a file outside the roots, or a language that nobody knows.
        """
        self._editor = self._editor_of(client)
        if query.file and (named := self._named(query)) is not None:
            return named
        window = _window(query)
        match = self._found(window)
        return self._in_no_file(query) if match is None else self._in_file(query, match)

    def samples(self) -> Iterator[Hole]:
        """One file of each root: what its analyser needs is read, and the analyser started, before anybody asks."""
        for project in self._projects:
            for entry in islice(project.files("", None, deadline(SEARCH_S)), 1):
                path = project.root / entry.path
                text = self._texts.get(str(path), entry.status) or ""
                yield Hole(Document(text, path, entry.language), len(text), project.root)

    def _editor_of(self, client: int) -> _Editor:
        """What is remembered of a client; the one that has not asked for longest is forgotten if there are too many."""
        editor = self._editors.setdefault(client, _Editor())
        self._editors.move_to_end(client)
        if len(self._editors) > EDITORS:
            other, gone = self._editors.popitem(last=False)
            for path in gone.opened:
                self._closed(Path(path), other)
        return editor

    def _named(self, query: Query) -> Hole | None:
        """The hole in the file that the client names; None for a name that leads nowhere and is only a hint."""
        is_name = len(query.file) <= LONGEST_PATH and not query.file.endswith("/") and "\0" not in query.file
        paths = [path for project in self._projects if is_name and (path := _path_in(project, query.file))]
        there = next((path for path in paths if status_of(str(path))), None)
        path = there or (paths[0] if paths and query.is_file_sure else None)
        if path:
            return self._in_named(query, self._project_of(path), path)
        if query.is_file_sure:
            raise RequestFault(
                400,
                "the file is a folder, or in none of the folders that are served",
                "Name a file under a --root of guiderail serve",
                "file",
            )
        return None

    def _project_of(self, path: Path) -> Project:
        """Of nested roots the innermost, whose settings are nearest."""
        around = (project for project in self._projects if path.is_relative_to(project.root))
        return max(around, key=lambda project: len(project.root.parts))

    def _in_named(self, query: Query, project: Project, path: Path) -> Hole:
        """The hole in a named file; in the client's text alone if that cannot be put into the file's."""
        if project.ignore(path):
            return Hole(Document(""), 0, project.root, _HIDDEN)
        status, window = status_of(str(path)), _window(query)
        disk = (self._texts.get(str(path), status) if status else None) or ""
        if says_off(disk):
            return Hole(Document(""), 0, project.root, _OFF)
        texts = (self._live(str(path), status), disk)
        found = [placed for text in texts if text and (placed := window.place(text))]
        best = min(found, key=lambda placed: placed.differing, default=Placed("", "", 0))
        return self._in_file(query, _Match(path, project.root, best, _stamp(status)))

    def _found(self, window: Window) -> _Match | None:
        """The one file that the window fits best; None where none does, several do equally, or time was too short."""
        expired = deadline(SEARCH_S)
        best: list[_Match] = []
        for path, root, text, stamp in self._candidates(window, expired):
            placed = window.place(text)
            if placed is None or (best and placed.differing > best[0].placed.differing):
                continue
            if best and placed.differing < best[0].placed.differing:
                best = []
            best.append(_Match(path, root, placed, stamp))
        if expired() or len({match.path for match in best}) != 1:
            return None
        return replace(best[0], root=self._project_of(best[0].path).root)

    def _candidates(self, window: Window, expired: Callable[[], bool]) -> Iterator[_Candidate]:
        """Files that may hold the window, with the editor's text and with the disk's."""
        if not window.anchors:
            return
        if self._characters > 2 * TEXT_LIMIT:
            self._texts, self._characters = FileCache(self._read), 0
        for project in self._projects:
            project.refresh()
            for entry in islice(project.files(self._editor.near, None, expired), FILE_LIMIT):
                path = f"{project.root}/{entry.path}"
                for text in (self._live(path, entry.status), self._texts.get(path, entry.status)):
                    if text and window.is_in(text):
                        yield Path(path), project.root, text, _stamp(entry.status)
                if expired():
                    return

    def _live(self, path: str, status: os.stat_result | None) -> str | None:
        """The text that an editor held; None once the file was written since."""
        opened = self._editor.opened.get(path)
        return opened.text if opened and opened.stamp == _stamp(status) else None

    def _in_file(self, query: Query, match: _Match) -> Hole:
        crlf = "\r\n" in query.before or "\r\n" in query.after
        head, tail = match.placed.head, match.placed.tail
        if crlf:
            head, tail = head.replace("\n", "\r\n"), tail.replace("\n", "\r\n")
        text, offset = head + query.before + query.after + tail, len(head) + len(query.before)
        self._remember(match, text)
        document = Document(text, match.path, _language(query, match.path, text))
        return Hole(document, offset, match.root, _OFF if says_off(text) else "")

    def _remember(self, match: _Match, text: str) -> None:
        self._editor.near = match.path.relative_to(match.root).as_posix()
        opened = self._editor.opened
        opened.pop(str(match.path), None)
        opened[str(match.path)] = _Opened(_line_feeds(text), match.stamp)
        if len(opened) > OPEN:
            oldest = next(iter(opened))
            del opened[oldest]
            self._closed(Path(oldest), next(reversed(self._editors)))

    def _in_no_file(self, query: Query) -> Hole:
        text = query.before + query.after
        document = Document(text, None, _language(query, None, text))
        return Hole(document, len(query.before), None, _OFF if says_off(text) else "")

    def _read(self, path: str) -> str | None:
        root = next(one.root for one in self._projects if Path(path).is_relative_to(one.root))
        text = read_text(Path(path), root)
        self._characters += len(text or "")
        return text


def _path_in(project: Project, name: str) -> Path | None:
    """The path of a named file of a project, whether it is on the disk or not; None if it can be none."""
    relative = project.relative(project.root / name)
    if relative is None:
        return None
    path = project.root / relative
    if status := status_of(str(path)):
        return path if stat.S_ISREG(status.st_mode) else None
    around = next(status for folder in path.parents if (status := status_of(str(folder))))
    return path if stat.S_ISDIR(around.st_mode) else None


def _stamp(status: os.stat_result | None) -> _Stamp | None:
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status else None


def _window(query: Query) -> Window:
    return Window(_line_feeds(query.before), _line_feeds(query.after), query.is_open)


def _line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n")


def _language(query: Query, path: Path | None, text: str) -> str | None:
    if query.language:
        return language_named(query.language)
    return language_of(path, text[:200].split("\n", 1)[0])
