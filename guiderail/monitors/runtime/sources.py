"""The sources of a project and of what it imports, as far as their facts are wanted."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from threading import Thread

from guiderail import projectfile
from guiderail.allowance import Allowance, unlimited
from guiderail.lru import LruCache
from guiderail.monitors.analysis.workspaces import is_trusted
from guiderail.monitors.python.modules import module_path
from guiderail.monitors.runtime.facts import UNREAD, ClassFacts, FileFacts, unknown_class
from guiderail.monitors.runtime.reader import read_facts
from guiderail.projectfile import ProjectFileError, SpentError

log = logging.getLogger(__name__)
_known: dict[Path, Mapping[str, frozenset[str]]] = {}  # by project
LARGEST = 1 << 20  # bytes of a file that is read
KEPT_NAMES = 1_000_000  # in what is kept of files, which is about 100 MB
SET_NAMES = 200_000  # that a project's files may set on objects of others
KEPT_ROOTS = 8
FRESH_S = 30.0  # what files of a project set is read again after this
PROJECT_S = 10.0  # for so long they are read
MOST_FILES, MOST_FOLDERS = 1000, 500
OTHERS = frozenset({"node_modules", "site-packages", "venv", "build", "dist", "__pycache__"})
DEEPEST = 8  # imports that a function's name is followed through
MOST_FOLLOWED = 100  # names in files through which a class is looked for
READ_S = 2.0  # of processor time, for all that is asked about one cursor
MOST_PARENTS = 30  # folders that a package lies in
STUB = ".pyi"


class Sources:
    """Facts about files, the one that is being edited as it stands in the editor.

    Parameters
    ----------
    root
        The project's folder.
    path, facts
        The file that is being edited.
    python
        The interpreter or environment that a person named; empty for the one that is found.
    trust
        Whether the project is trusted: always, never, or if it is listed.
    """

    def __init__(self, root: Path, path: Path, facts: FileFacts, python: str = "", trust: str = "listed") -> None:
        self.root = root
        self.path = path
        self.allowance = Allowance(READ_S)
        self._facts = facts
        self._python, self._trust = python, trust

    def facts(self, path: Path) -> FileFacts | None:
        """The facts about a file; `UNREAD` if it is there and cannot be read, None if it is not there.

        Raises
        ------
        SpentError
            Reading has taken too long.
        """
        projectfile.check_allowance(path)
        if path == self.path:
            return self._facts
        try:
            found = path.stat()
        except (OSError, ValueError):
            return None
        return _facts(path, None if self._is_trusted else self.root, found.st_mtime_ns, found.st_size)

    @cached_property
    def _is_trusted(self) -> bool:
        with unlimited():
            return is_trusted(self.root, self._trust)

    def module(self, name: str, importer: Path) -> Path | None:
        """The file of a module that another file imports by this name, dots of a relative import included.

        No import leads a project's file to one beside the project, unless that is trusted.
        """
        projectfile.check_allowance(importer)
        dots = len(name) - len(name.lstrip("."))
        parts = name[dots:].split(".") if name[dots:] else []
        if dots:
            above = importer.parents[dots - 1 : dots]
            return _file_in(above[0], parts) if above and self._may_lead(importer, above[0]) else None
        own = [place for place in (top_of(importer), importer.parent) if self._may_lead(importer, place)]
        path = module_path(self.root, self.path.parent, self._python, self._trust)  # the edited file runs with this
        found = (_file_in(place, parts) for place in (*own, *path.folders))
        return next((one for one in found if one and one != importer), None)

    def _may_lead(self, importer: Path, folder: Path) -> bool:
        """Whether a file's imports may be looked for in a folder that it lies in."""
        inside = folder.is_relative_to(self.root) or not importer.is_relative_to(self.root)
        return inside or self._is_trusted

    def find(self, name: str, path: Path, seen: set[tuple[Path, str]] | None = None) -> tuple[Path, ClassFacts] | None:
        """The class that a dotted name means in a file, and the file that defines it.

        Parameters
        ----------
        name, path
            The name and the file.
        seen
            What has been looked for already. Beyond `MOST_FOLLOWED` the class is one of which nothing is known.
        """
        seen = set() if seen is None else seen
        if (path, name) in seen:
            return None
        if len(seen) >= MOST_FOLLOWED:
            return path, unknown_class(name)
        seen.add((path, name))
        facts = self.facts(path)
        return self._find_in(facts, name, path, seen) if facts is not None else None

    def _find_in(
        self, facts: FileFacts, name: str, path: Path, seen: set[tuple[Path, str]]
    ) -> tuple[Path, ClassFacts] | None:
        """What a name means in a file with these facts."""
        if facts is UNREAD:
            return path, unknown_class(name)
        head, _, rest = name.partition(".")
        if (own := facts.class_named(rest.rpartition(".")[2] or head)) and facts.class_named(head):
            return path, own
        if head in facts.imports:
            return self._imported(*facts.imports[head], rest, path, seen)
        if (other := facts.aliases.get(head)) and other.partition(".")[0] != head:
            return self.find(f"{other}.{rest}" if rest else other, path, seen)
        for star in facts.stars:
            module = self.module(star, path)
            if module and (found := self.find(name, module, seen)):
                return found
        return None

    def _imported(
        self, module: str, name: str, rest: str, path: Path, seen: set[tuple[Path, str]]
    ) -> tuple[Path, ClassFacts] | None:
        """The class that a name means that was imported."""
        wanted = ".".join(filter(None, [name, rest]))
        while wanted:
            file = self.module(module, path)
            if file and (found := self.find(wanted, file, seen)):
                return found
            head, _, wanted = wanted.partition(".")  # the first part may be a module of the package
            module = f"{module}{'' if module.endswith('.') else '.'}{head}"
        return None

    def function(self, name: str, path: Path, depth: int = 0) -> tuple[FileFacts, bool] | None:
        """The file that defines a function, and whether that sets members by names that the text does not show."""
        facts = self.facts(path) if depth < DEEPEST else None
        if facts is None or facts is UNREAD:
            return None
        head, _, rest = name.partition(".")
        if not rest and head in facts.functions:
            return facts, facts.functions[head]
        module, inner = facts.imports.get(head, ("", ""))
        wanted = ".".join(filter(None, [inner, rest]))
        file = self.module(module, path) if module and wanted else None
        return self.function(wanted, file, depth + 1) if file else None

    def is_lost(self, name: str, path: Path) -> bool:
        """Whether a file imports a name from a module that is not found: outside of what may be looked at, say."""
        facts = self.facts(path)
        head, _, rest = name.partition(".")
        if facts is None or head not in facts.imports:
            return False
        module, inner = facts.imports[head]
        parts = [part for part in (inner, *rest.split(".")) if part]
        if module.partition(".")[0] in sys.stdlib_module_names:
            return False
        for part in ("", *parts):  # the first parts may be modules of the package
            module += part if module.endswith(".") or not part else f".{part}"
            if self.module(module, path):
                return False
        return True

    def qualified(self, name: str, path: Path) -> str:
        """The dotted name by which a file imports something: what it is called where that cannot be looked at."""
        facts = self.facts(path)
        head, _, rest = name.partition(".")
        if facts is None or head not in facts.imports:
            return name
        module, inner = facts.imports[head]
        return ".".join(filter(None, [module, inner, rest]))


def set_in_project(root: Path) -> Mapping[str, frozenset[str]]:
    """The members that files of a project set on objects of others (`FileFacts.set_on`), as far as they are known.

    Nothing is waited for: see `read_project`.
    """
    read_project(root)
    return _known.get(root, {})


def read_project(root: Path) -> Future[None]:
    """Read a project's files in the background, and again some time later; the future ends with the reading."""
    return _reading(root, int(time.monotonic() / FRESH_S))


@lru_cache(4)
def _reading(root: Path, period: int) -> Future[None]:
    task: Future[None] = Future()

    def work() -> None:
        try:
            _read_project(root)
        finally:
            task.set_result(None)

    Thread(target=work, name="guiderail-names", daemon=True).start()  # nobody waits for it at the end
    return task


def _read_project(root: Path) -> None:
    end, left, found = time.monotonic() + PROJECT_S, SET_NAMES, defaultdict[str, frozenset[str]](frozenset)
    _known.setdefault(root, found)  # at first what has been read is better than nothing
    for path in islice(_files_of(root), MOST_FILES):
        try:
            stat = path.stat()
        except OSError:
            continue
        facts = _facts(path, root, stat.st_mtime_ns, stat.st_size) if stat.st_size < LARGEST else None
        for word, names in facts.set_on.items() if facts is not None else ():
            left -= len(names - found[word])
            found[word] |= names
        if time.monotonic() > end or left < 0:
            break
    _known[root] = found
    while len(_known) > KEPT_ROOTS:
        _known.pop(next(iter(_known)), None)


def _files_of(root: Path) -> Iterator[Path]:
    """The Python files of a project, those above before those below, links not followed."""
    waiting, seen = deque([root]), 0
    while waiting and seen < MOST_FOLDERS:
        folder, seen = waiting.popleft(), seen + 1
        try:
            entries = projectfile.read_folder(folder, root)
        except ProjectFileError:
            continue
        yield from (folder / name for name, is_folder in entries if not is_folder and name.endswith(".py"))
        folders = (
            folder / name
            for name, is_folder in entries
            if is_folder and not name.startswith(".") and name not in OTHERS
        )
        waiting += (one for one in folders if not one.is_symlink() and not _is_file(one / "pyvenv.cfg"))


def module_name(path: Path) -> str:
    """The dotted name of the module in a file, from the folders that are packages."""
    parts = [] if path.stem == "__init__" else [path.stem]
    top = top_of(path)
    folder = path.parent
    while folder != top:
        parts.append(folder.name)
        folder = folder.parent
    return ".".join(reversed(parts))


def top_of(path: Path) -> Path:
    """The folder that the outermost package around a file lies in."""
    folder = path.parent
    for _ in range(MOST_PARENTS):
        if not any(_is_file(folder / f"__init__{ending}") for ending in (".py", STUB)):
            break
        folder = folder.parent
    return folder


def sources_of(path: Path) -> Iterator[Path]:
    """A file, and the source beside a stub: the stub does not say what is done at run time."""
    yield path
    if path.suffix == STUB and _is_file(path.with_suffix(".py")):
        yield path.with_suffix(".py")


def _file_in(folder: Path, parts: list[str]) -> Path | None:
    place = folder.joinpath(*parts)
    candidates = [place / "__init__.py", place / "__init__.pyi"]
    if parts:
        candidates = [
            place.with_name(f"{parts[-1]}.py"),
            candidates[0],
            place.with_name(f"{parts[-1]}.pyi"),
            candidates[1],
        ]
    return next((Path(os.path.normpath(one)) for one in candidates if _is_file(one)), None)


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 (Path's raises where it may not look)


_read_files: LruCache[tuple[Path, Path | None, int, int], FileFacts] = LruCache(KEPT_NAMES, weigh=lambda one: one.size)
_GONE = FileFacts()


def _facts(path: Path, root: Path | None, changed: int, size: int) -> FileFacts | None:
    """The facts about a file as it was when it had that time and size.

    What belongs to a project that is not trusted is read inside it alone.
    """
    found = _read_files.get((path, root, changed, size), lambda: _read_file(path, root))
    return None if found is _GONE else found


def _read_file(path: Path, root: Path | None) -> FileFacts:
    try:
        text = projectfile.read_text(path, root if root and path.is_relative_to(root) else None, limit=LARGEST)
    except SpentError:
        raise  # it is not kept that a file says nothing
    except ProjectFileError as error:
        log.info("names are not known: %s", error)
        return UNREAD
    return _GONE if text is None else read_facts.__wrapped__(text) or UNREAD
