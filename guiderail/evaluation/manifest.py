"""The list of held-out packages, and the rule that only such packages may stand in it."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from guiderail.errors import GuiderailError

# A package belongs to the evaluation if the SHA-256 of its name begins with one of these. The training never reads
# a package that begins with 0 to 3; 3 is kept back even from here, for blind tests by others.
EVALUATION_DIGITS = frozenset("012")
DEFAULT = "pragmatic_py.toml"


class ManifestError(GuiderailError):
    """The list of packages is missing, or says something that may not be."""


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned wheel.

    Parameters
    ----------
    name, version
        As on the package index; the name normalised by PEP 503.
    sha256
        Of the wheel, which is pure Python, so that one file serves every platform.
    licence
        SPDX expression, as the package declares it.
    exclude
        Paths inside the wheel that are left out, with a reason beside them in the manifest.
    """

    name: str
    version: str
    sha256: str
    licence: str
    exclude: tuple[str, ...] = ()


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
        tables = tomllib.loads(path.read_text(encoding="utf-8"))["package"]
        packages = [Package(**{**table, "exclude": tuple(table.get("exclude", ()))}) for table in tables]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ManifestError(f"{path} is not a manifest of packages: {error}", "Restore it") from error
    for package in packages:
        if digit(package.name) not in EVALUATION_DIGITS:
            raise ManifestError(
                f"{package.name} may not be evaluated on: the hash of its name begins with {digit(package.name)}",
                "Take it out of the manifest",
            )
    return sorted(packages, key=lambda p: hashlib.sha256(p.name.encode()).hexdigest()[::-1])
