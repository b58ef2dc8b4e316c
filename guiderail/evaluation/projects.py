"""Projects on disk: packages laid out with their dependencies, so that analysers and compilers work there."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from guiderail import private, programs
from guiderail.errors import GuiderailError
from guiderail.evaluation import archives, packages, soundness
from guiderail.evaluation.manifest import Package
from guiderail.evaluation.packages import SourceFile

NPM_S = 600


class ProjectError(GuiderailError):
    """A project cannot be laid out."""


def prepare(package: Package, files: Sequence[SourceFile]) -> Path:
    """The folder of a package's project, made once: sources, and what they need.

    A Python package gets an environment with its dependencies, an npm package its node_modules (no script is run); of
    a Debian package the sources alone are laid out.

    Raises
    ------
    GuiderailError
        Something cannot be fetched or installed.
    """
    wheels = packages.cache_folder()
    if package.registry == "pypi":
        return soundness.prepare(package, files, wheels)
    root = wheels.parent / "projects" / f"{package.name.replace('/', '__')}-{package.version}"
    if not (root / ".ready").exists():
        private.folder(root.parent)
        archives.unpack(package, wheels, root)
        if package.registry == "npm":
            _npm(root)
        (root / ".ready").touch()
    for file in files:
        (root / file.path).write_text(file.text, encoding="utf-8")
    return root


def _npm(root: Path) -> None:
    npm = programs.find("npm")
    if npm is None:
        raise ProjectError("npm is not installed", "Install Node.js, or measure on another set")
    (root / ".npmrc").unlink(missing_ok=True)  # it can name the programs that npm runs
    words = ("install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--no-package-lock")
    done = subprocess.run(
        [npm, *words], cwd=root, env=programs.environment(), capture_output=True, text=True, timeout=NPM_S, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["npm said nothing"])[-1]
        raise ProjectError(f"the dependencies of {root.name} cannot be installed: {reason}", "Check the network")
