"""Projects on disk: packages laid out with their dependencies, so that analysers and compilers work there."""

from __future__ import annotations

import email
import re
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from guiderail import private, programs, projectfile
from guiderail.errors import GuiderailError
from guiderail.evaluation import archives, manifest, packages
from guiderail.evaluation.manifest import Package
from guiderail.evaluation.packages import SourceFile

INSTALL_S = 900
EXTRA = re.compile(r";.*\bextra\s*==")
NPM_S = 600


class ProjectError(GuiderailError):
    """A project cannot be laid out."""


def held_out(listed: str = manifest.DEFAULT) -> dict[str, Package]:
    """The held-out packages of a manifest by name."""
    return {package.name: package for package in manifest.read_manifest(manifest.datasets_folder() / listed)}


def prepare_all(
    pinned: Mapping[str, Package],
    files: Mapping[str, Sequence[SourceFile]],
    note: Callable[[str], None],
    advance: Callable[[], None],
) -> dict[str, Path]:
    """The folders of packages' projects; what cannot be laid out is left out, and `note` told why."""
    found: dict[str, Path] = {}
    for name, own in files.items():
        try:
            found |= {name: prepare(pinned[name], own)} if own else {}
        except GuiderailError as error:
            note(f"{name} is left out: {error}")
        advance()
    return found


def prepare(package: Package, files: Sequence[SourceFile]) -> Path:
    """The folder of a package's project, made once: sources, and what they need.

    A Python package gets an environment with its dependencies, an npm package its node_modules (no script is run); of
    a Debian package the sources alone are laid out. Of a source distribution the environment holds only what it
    depends on: it is worked on where it lies.

    Raises
    ------
    GuiderailError
        Something cannot be fetched or installed.
    """
    wheels = packages.cache_folder()
    if package.registry == "pypi":
        root = wheels.parent / "soundness" / f"{package.name}-{package.version}"
    else:
        root = wheels.parent / "projects" / f"{package.name.replace('/', '__')}-{package.version}"
    if not (root / ".ready").exists():
        private.folder(root.parent)
        if package.registry == "pypi":
            _wheel(package, wheels, root)
        else:
            archives.unpack(package, wheels, root)
        if package.registry == "npm":
            _npm(root)
        if package.registry == "sdist":
            _environment(root, *requirements(root))
        (root / ".ready").touch()
    for file in files:
        (root / file.path).write_text(file.text, encoding="utf-8")
    return root


def _wheel(package: Package, wheels: Path, root: Path) -> None:
    """Unpack a wheel, with its dependencies beside it in an environment."""
    wheel = packages.wheel_in(wheels, package)
    if wheel is None:
        raise ProjectError(f"{package.name} has not been downloaded", "Run the command again")
    private.folder(root)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(root)
    _environment(root, f"{package.name}=={package.version}")


def _environment(root: Path, *wanted: str) -> None:
    """An environment with what is wanted and what that depends on, from wheels alone."""
    environment = str(root / ".venv")
    _python("-m", "venv", "--without-pip", environment)
    if wanted:
        _python(
            "-m", "pip", "--python", environment, "install", "--quiet", "--disable-pip-version-check",
            "--only-binary=:all:", *wanted,
        )  # fmt: skip


def requirements(root: Path) -> list[str]:
    """What the source distribution in a folder needs, without its extras, by its own metadata."""
    said = projectfile.read_text(root / "PKG-INFO", root) or ""
    needed = email.message_from_string(said).get_all("Requires-Dist", [])
    if not needed:  # of older builds
        listed = next(
            (found for place in ("*", "*/*") for found in sorted(root.glob(f"{place}.egg-info/requires.txt"))), None
        )
        needed = (projectfile.read_text(listed, root) or "").partition("[")[0].splitlines() if listed else []
    return [one for one in needed if one.strip() and not EXTRA.search(one)]


def _python(*words: str) -> None:
    if reason := packages.failure([sys.executable, "-P", *words], INSTALL_S):
        raise ProjectError(f"the environment cannot be made: {reason}", "Check network and pip")


def _npm(root: Path) -> None:
    npm = programs.find("npm")
    if npm is None:
        raise ProjectError("npm is not installed", "Install Node.js, or measure on another set")
    (root / ".npmrc").unlink(missing_ok=True)  # it can name the programs that npm runs
    words = ("install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--no-package-lock")
    if reason := packages.failure([npm, *words], NPM_S, cwd=root, env=programs.environment()):
        raise ProjectError(f"the dependencies of {root.name} cannot be installed: {reason}", "Check the network")
