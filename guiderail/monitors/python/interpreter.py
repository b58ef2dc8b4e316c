"""The Python that runs a project's code: which environment, which version, and where its packages are.

It is found from files and environment variables alone. Nothing is executed: an interpreter may lie in the project.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from guiderail import programs, projectfile
from guiderail.projectfile import ProjectFileError

Version = tuple[int, int]

DEEPEST = 50  # folders above one that are looked at
MOST_SITES = 20  # folders of packages in one environment, one for each version of Python
_OWN = (".venv", "venv", "env", ".env", ".conda", ".pixi/envs/default")  # where a project has its environment
_HEAD = 1 << 14  # bytes of a file that names an environment or a version
_VERSION = re.compile(r"(?<![\d.])(3)\.(\d{1,3})")  # 24.3 is one of miniforge or GraalPy
_NAME = re.compile(r"\w[\w.+-]*")  # of a version or an environment of pyenv
_SCRIPTS = "Scripts" if os.name == "nt" else "bin"


@dataclass(frozen=True)
class Interpreter:
    """A Python and its packages.

    Parameters
    ----------
    prefix
        The folder of its environment.
    source
        How it was found, in words.
    is_own
        Whether it was found in the project, whose files may lead anywhere.
    is_guess
        Whether nothing says that it is the project's.
    """

    prefix: Path
    source: str
    is_own: bool = False
    is_guess: bool = False

    @cached_property
    def version(self) -> Version | None:
        """Its major and minor version; None if its files do not say."""
        for key in ("version", "version_info"):
            if found := _VERSION.match(self._configuration.get(key, "")):
                return int(found[1]), int(found[2])
        named = [version_in(name) for name in _folders(self.prefix / "lib") if name.startswith("python3")]
        known = [version for version in named if version]
        if known and (len(known) == 1 or not self._is_system):
            return max(known)
        return version_in(Path(os.path.realpath(self.program)).name)  # of what a link such as python3 leads to

    @property
    def program(self) -> Path:
        """The interpreter itself, which may not exist."""
        if os.name == "nt":
            inside = self.prefix / _SCRIPTS / "python.exe"
            return inside if projectfile.is_file(inside) else self.prefix / "python.exe"
        names = (self.prefix / _SCRIPTS / name for name in ("python", "python3"))
        return next((path for path in names if os.path.lexists(path)), self.prefix / _SCRIPTS / "python")

    @property
    def base(self) -> Path:
        """The folder of the Python that an environment was made from; its own if it is none.

        The project chooses what its own environment says, so that is not believed.
        """
        home = self._configuration.get("home", "")
        path = Path(home)
        if self.is_own or not path.is_absolute():
            return self.prefix
        return path.parent if path.name in ("bin", "Scripts") else path

    @property
    def sites(self) -> tuple[Path, ...]:
        """The folders that its packages are installed in; they may not exist."""
        found = site_folders(self.prefix)
        shares = self._configuration.get("include-system-site-packages", "").lower() == "true"
        if not self.is_own and (self._is_system or shares):
            found += _system_sites(self.base, self.version)
        return tuple(dict.fromkeys(found))

    @property
    def library(self) -> Path | None:
        """The folder of its standard library, if it can be known."""
        major, minor = self.version or (0, 0)
        places = (self.base / "lib" / f"python{major}.{minor}", self.base / "Lib")
        found = next((place for place in places if projectfile.is_file(place / "os.py")), None)
        if found is None and self.version == sys.version_info[:2]:
            return Path(os.__file__).parent
        return found

    @property
    def _is_system(self) -> bool:
        """Whether it is no virtual environment."""
        return not projectfile.is_file(self.prefix / "pyvenv.cfg")

    @cached_property
    def _configuration(self) -> dict[str, str]:
        """What its pyvenv.cfg says."""
        text = _text(self.prefix / "pyvenv.cfg", self.prefix) or ""
        pairs = (line.partition("=") for line in text.splitlines()[:100])
        return {key.strip().lower(): value.strip() for key, sign, value in pairs if sign}


def candidates(root: Path, folder: Path, wanted: str = "", *, trusted: bool = False) -> Iterator[Interpreter]:
    """The interpreters that the files of a folder may be run by, the likeliest first.

    Parameters
    ----------
    root, folder
        The project, and the folder in it.
    wanted
        An interpreter or an environment that a person named.
    trusted
        Whether the project may name an environment elsewhere.
    """
    yield from named(wanted)
    for place in ancestors(folder, root):
        yield from _own(place, trusted)
    yield from active()
    for place in ancestors(folder, root):
        yield from _pyenv(place, root)
        yield from _managed(place)
    untrusted = None if trusted else root
    if (found := programs.find("python3", untrusted) or programs.find("python", untrusted)) and (
        prefix := _prefix_of(Path(found))
    ):
        yield Interpreter(prefix, "python3 on PATH", is_guess=True)
    yield Interpreter(Path(sys.prefix), "guiderail's own Python", is_guess=True)


def ancestors(folder: Path, root: Path) -> list[Path]:
    """A folder and those above it, up to the project's; that one alone if the folder lies elsewhere."""
    if not folder.is_relative_to(root):
        return [root]
    levels = len(folder.parts) - len(root.parts)
    return [*[folder, *folder.parents][: min(levels, DEEPEST)], root]


def version_in(text: str) -> Version | None:
    """The first version of Python in a text, such as a folder's name."""
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else None


def site_folders(prefix: Path) -> list[Path]:
    """The folders of an environment that packages are installed in, as many as one may have; they may not exist."""
    versions = [name for name in _folders(prefix / "lib") if name.startswith("python3")][:MOST_SITES]
    return [*(prefix / "lib" / name / "site-packages" for name in versions), prefix / "Lib" / "site-packages"]


def _system_sites(prefix: Path, version: Version | None) -> list[Path]:
    """Where a Python that is no virtual environment finds packages beside its own folder: Debian's, the person's."""
    named = f"python{version[0]}.{version[1]}" if version else "python3"
    local = [Path("/usr/local/lib") / named / "dist-packages"] if prefix == Path("/usr") else []
    person = Path.home() / ".local" / "lib" / named / "site-packages"
    own = [prefix / "lib" / name / "dist-packages" for name in (named, "python3")]
    return [prefix / "lib" / named / "site-packages", *own, *local, person]


def _own(folder: Path, trusted: bool) -> Iterator[Interpreter]:
    """The environments in a folder of the project."""
    for name in _OWN:
        place = folder / name
        if _is_environment(place):
            yield Interpreter(place, f"{name} in {folder}", is_own=True)
    if trusted and (text := _text(folder / ".venv", folder)):  # a file with the place of the environment
        place = folder / text.strip()
        if _is_environment(place):
            yield Interpreter(place, f".venv in {folder}", is_own=True)


def named(wanted: str) -> Iterator[Interpreter]:
    """The interpreter or environment that a person named."""
    if wanted and (prefix := _prefix_of(Path(os.path.expanduser(wanted)))):  # noqa: PTH111 (Path's raises)
        yield Interpreter(prefix, "the setting python")


def active() -> list[Interpreter]:
    """The environments that are active, the one whose programs are found first before the other."""
    entries = os.environ.get("PATH", "").split(os.pathsep)
    found = []
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        place = Path(os.environ.get(name, ""))
        if place.is_absolute() and projectfile.is_folder(place):
            scripts = (str(place), str(place / _SCRIPTS))
            rank = min((entries.index(entry) for entry in scripts if entry in entries), default=len(entries))
            found.append((rank, Interpreter(place, f"{name} ({place})")))
    return [interpreter for _, interpreter in sorted(found, key=lambda pair: pair[0])]


def _pyenv(folder: Path, root: Path) -> Iterator[Interpreter]:
    """What .python-version names, among the versions and environments that the person's pyenv has."""
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for name in (os.environ.get("PYENV_VERSION", "").split(":")[0], *pinned(folder, root)):
        if _NAME.fullmatch(name) and home.is_absolute():
            for place in (home / name, *_newest(home, name)):
                if projectfile.is_folder(place):
                    yield Interpreter(place, f"pyenv ({name})")
                    break


def pinned(folder: Path, root: Path) -> list[str]:
    """The versions that a folder's .python-version names."""
    try:
        text = projectfile.read_text(folder / ".python-version", root, limit=_HEAD) or ""
    except ProjectFileError:
        return []
    return [line.strip() for line in text.splitlines()[:20] if _NAME.fullmatch(line.strip())]


def _newest(home: Path, name: str) -> list[Path]:
    """The newest installed version that a shorter one stands for, as 3.12 for 3.12.7."""
    found = [one for one in _folders(home) if one.startswith(f"{name}.")]
    return [home / max(found, key=lambda one: [int(part) for part in re.findall(r"\d+", one)])] if found else []


def _managed(folder: Path) -> Iterator[Interpreter]:
    """The environments that Poetry, Pipenv and Hatch keep for a folder elsewhere; their names hold a digest of it."""
    real = os.path.realpath(folder)
    home, cache, data = Path.home(), os.environ.get("XDG_CACHE_HOME"), os.environ.get("XDG_DATA_HOME")
    poetry = Path(cache or home / ".cache") / "pypoetry" / "virtualenvs"
    share = Path(data or home / ".local" / "share")
    places = [poetry / name for name in _folders(poetry) if f"-{_digest(os.path.normcase(real))}-py" in name]
    pipenv, pipfile = share / "virtualenvs", _digest(str(Path(real) / "Pipfile"))
    places += [pipenv / name for name in _folders(pipenv) if name.endswith(f"-{pipfile}")]
    hatch = share / "hatch" / "env" / "virtual"
    for project in _folders(hatch):
        made = hatch / project / _digest(real)
        places += [made / name for name in sorted(_folders(made), key=lambda name: name != project)]
    yield from (Interpreter(place, f"the environment of {folder}") for place in places if _is_environment(place))


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode(errors="surrogateescape")).digest()).decode()[:8]


def _prefix_of(path: Path) -> Path | None:
    """The environment of an interpreter or of a folder that is named; None if there is none."""
    if not path.is_absolute() or not os.path.lexists(path):
        return None
    if projectfile.is_folder(path):
        return path
    inside = path.parent.parent if path.parent.name in ("bin", "Scripts") else path.parent
    if projectfile.is_file(inside / "pyvenv.cfg") or projectfile.is_folder(inside / "conda-meta"):
        return inside
    real = Path(os.path.realpath(path))  # of a link on the search path, such as /usr/local/bin/python3
    return real.parent.parent if real.parent.name in ("bin", "Scripts") else real.parent


def _is_environment(place: Path) -> bool:
    return projectfile.is_file(place / "pyvenv.cfg") or projectfile.is_folder(place / "conda-meta")


def _folders(folder: Path) -> list[str]:
    try:
        return [name for name, is_folder in projectfile.read_folder(folder) if is_folder]
    except ProjectFileError:
        return []


def _text(path: Path, root: Path) -> str | None:
    try:
        return projectfile.read_text(path, root, limit=_HEAD) if projectfile.is_file(path) else None
    except (ProjectFileError, OSError):
        return None
