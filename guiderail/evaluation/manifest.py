"""The list of held-out packages, and the rule that it may hold no others."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from guiderail.errors import GuiderailError

# A package belongs to the evaluation if the SHA-256 of its name begins with one of these. The training never reads
# a package that begins with 0 to 3; 3 is kept back even from here, for blind tests by others.
EVALUATION_DIGITS = frozenset("012")
DEFAULT, APPLICATIONS = "pragmatic_py.toml", "applications_py.toml"
LIBRARIES = {"python": DEFAULT, "typescript": "pragmatic_ts.toml", "java": "pragmatic_java.toml"}  # by language
Registry = Literal["pypi", "sdist", "npm", "debian"]


class ManifestError(GuiderailError):
    """The list of packages is missing, or says something that may not be."""


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned archive of source files.

    Parameters
    ----------
    name, version
        As in the registry; the name of a Python package normalised by PEP 503.
    sha256
        Of the archive: a pure Python wheel, so that one file serves every platform; a Python source distribution; npm's
        tarball; Debian's upstream tarball.
    licence
        SPDX expression, as the package declares it.
    exclude
        Paths inside the archive that are left out, with a reason beside them in the manifest.
    registry
        Whose ordinary client fetches it: pip (wheels, or source distributions), npm or apt.
    """

    name: str
    version: str
    sha256: str
    licence: str
    exclude: tuple[str, ...] = ()
    registry: Registry = "pypi"


def normalise(name: str) -> str:
    """The PEP 503 form of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def digit(name: str) -> str:
    """The first hexadecimal digit of the SHA-256 of the normalised name, which decides what a package is for."""
    return hashlib.sha256(normalise(name).encode()).hexdigest()[0]


def datasets_folder() -> Path:
    """Where the manifests are: ``datasets`` of a checkout, or the copy inside an installed package.

    Raises
    ------
    ManifestError
        Neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "datasets", package.parent / "datasets"):
        if (folder / DEFAULT).is_file():
            return folder
    raise ManifestError("the evaluation's manifests are missing from this installation", "Install guiderail again")


def read_manifest(path: Path) -> list[Package]:
    """The packages of a manifest, in an order that their names' hashes decide, so that any first n are a fair draw.

    Raises
    ------
    ManifestError
        The file is not a manifest, or names a package that is not for the evaluation.
    """
    try:
        manifest = tomllib.loads(path.read_text(encoding="utf-8"))
        registry = registry_named(manifest.get("registry", "pypi"))
        packages = [
            Package(**{**table, "exclude": tuple(table.get("exclude", ()))}, registry=registry)
            for table in manifest["package"]
        ]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ManifestError(f"{path} is not a manifest of packages: {error}", "Restore it") from error
    return held_out_only(packages)


def held_out_only(packages: Iterable[Package]) -> list[Package]:
    """Packages in the order that their names' hashes decide.

    Raises
    ------
    ManifestError
        One of them is not for the evaluation.
    """
    own = list(packages)
    for package in own:
        if digit(package.name) not in EVALUATION_DIGITS:
            raise ManifestError(
                f"{package.name} may not be evaluated on: the hash of its name begins with {digit(package.name)}",
                "Take it out of the manifest",
            )
    return sorted(own, key=lambda p: hashlib.sha256(p.name.encode()).hexdigest()[::-1])


def registry_named(name: str) -> Registry:
    """A registry by its name; ValueError if there is none."""
    found: Registry | None = next((known for known in get_args(Registry) if known == name), None)
    if found is None:
        raise ValueError(f"there is no registry {name!r}")
    return found
