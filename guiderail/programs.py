"""Finds programs and their working directory and environment; an untrusted workspace must not decide any of these.

A repository can hold a ``node`` or a ``git``. It would run if an empty or relative entry of PATH were searched, if PATH
led into the workspace, or on Windows by merely being in the working directory. A program of the person's own may still
be steered by files of the working directory (rustup's ``rust-toolchain.toml``, asdf's ``.tool-versions``, ``.npmrc``)
or by relative entries in variables such as PYTHONPATH. Everything that starts programs goes through here.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from guiderail import private

# What programs get of the person's environment in a workspace that is not trusted. Variables that hold options, code
# or secrets (NODE_OPTIONS, JAVA_TOOL_OPTIONS, GOFLAGS, CLASSPATH, LD_PRELOAD, tokens) are not among them.
KEPT = frozenset(
    (
        "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TERM", "NUMBER_OF_PROCESSORS", "PATHEXT", "SYSTEMDRIVE",
        "HOMEDRIVE", "HOMEPATH", "USERNAME", "PROCESSOR_ARCHITECTURE",
    )
)  # fmt: skip
# Of these only what is absolute and outside the workspace.
KEPT_PATHS = frozenset(
    (
        "PATH", "TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX",
        "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "JAVA_HOME",
        "GOROOT", "GOPATH", "GOCACHE", "GOMODCACHE", "CARGO_HOME", "RUSTUP_HOME", "DOTNET_ROOT", "SYSTEMROOT",
        "WINDIR", "COMSPEC", "APPDATA", "LOCALAPPDATA", "USERPROFILE", "PROGRAMDATA", "PROGRAMFILES",
        "PROGRAMFILES(X86)", "PROGRAMW6432", "ALLUSERSPROFILE", "COMMONPROGRAMFILES", "ASDF_DATA_DIR", "ASDF_DIR",
        "MISE_DATA_DIR", "VOLTA_HOME", "PYENV_ROOT", "NVM_DIR",
    )
)  # fmt: skip


def find(name: str, untrusted: Path | None = None, first: Iterable[Path] = ()) -> str | None:
    """The absolute path of a program on the search path; None if there is none.

    Parameters
    ----------
    name
        The program, without a folder.
    untrusted
        A workspace that is not trusted: neither a program in it counts nor a link to one.
    first
        Folders of our own that are searched before the search path, wherever they lie.
    """
    own = (found for folder in first if (found := within(folder, name)))
    others = (found for folder in search_path(untrusted) if (found := within(Path(folder), name)))
    return next(own, None) or next((found for found in others if _is_outside(found, untrusted)), None)


def within(folder: Path, name: str) -> str | None:
    """The program of that name in a folder, and nowhere else: `shutil.which` searches more on Windows."""
    suffixes = os.environ.get("PATHEXT", ".COM;.EXE;.BAT;.CMD").split(";") if os.name == "nt" else [""]
    for suffix in ("", *suffixes) if Path(name).suffix else suffixes:
        path = folder / f"{name}{suffix}"
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    return None


def search_path(untrusted: Path | None = None) -> list[str]:
    """The entries of PATH that are absolute and do not lead into `untrusted`."""
    return list(_absolute(os.environ.get("PATH", os.defpath), untrusted))


def environment(untrusted: Path | None = None) -> dict[str, str]:
    """The environment for a program that is started.

    Parameters
    ----------
    untrusted
        A workspace that is not trusted: the program gets little more than the search path and where the person's
        folders are. None leaves everything but relative entries of PATH.
    """
    variables = dict(os.environ) if untrusted is None else dict(_kept(untrusted))
    variables["PATH"] = os.pathsep.join(search_path(untrusted))
    if os.name == "nt":
        variables["NoDefaultCurrentDirectoryInExePath"] = "1"  # what is started by it does not look there either
    return variables


def working_directory() -> Path:
    """An empty folder of the person's own to start programs in: no project's files steer them there.

    Raises
    ------
    OSError
        It cannot be made.
    """
    import platformdirs

    folder = (platformdirs.user_cache_path("guiderail") / "empty").absolute()
    private.folder(folder)
    folder.chmod(0o500)  # nothing is to be left there either
    return _fresh() if any(folder.iterdir()) else folder


@cache
def _fresh() -> Path:
    """A folder that stays empty until this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="guiderail-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _kept(untrusted: Path) -> Iterator[tuple[str, str]]:
    for name, value in os.environ.items():
        if name.upper() in KEPT or name.startswith("LC_"):
            yield name, value
        elif name.upper() in KEPT_PATHS and (paths := os.pathsep.join(_absolute(value, untrusted))):
            yield name, paths


def _absolute(paths: str, untrusted: Path | None) -> Iterator[str]:
    return (path for path in paths.split(os.pathsep) if Path(path).is_absolute() and _is_outside(path, untrusted))


def _is_outside(path: str, folder: Path | None) -> bool:
    """Whether neither a path nor what it leads to lies in a folder."""
    if folder is None:
        return True
    real = os.path.realpath(folder)
    spellings = (str(Path(path).absolute()), os.path.realpath(path))
    return not any(Path(one).is_relative_to(base) for one in spellings for base in (real, folder.absolute()))
