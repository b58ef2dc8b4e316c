"""Making the manifest: which archives the corpus is built from, pinned by version and SHA-256.

The manifest is committed, so a second machine reads the same bytes.  Making it needs the network once;
reading it back does not.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

from training.holdout import is_held_out, normalise, refuse_held_out
from training.licences import declared_licence, is_allowed
from training.stdlib import LICENCE, STDLIB, stdlib_version, tree_digest

PIP_TIMEOUT_S = 300
#: Wheels that one call of pip fetches: starting pip costs more than most downloads.
BATCH = 20


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned archive, or the standard library: its archive is empty and its digest that of the tree."""

    name: str
    version: str
    licence: str
    archive: str
    sha256: str


def candidates(path: Path) -> list[str]:
    """Normalised names in the list, without repeats and without what the hold-out rule keeps back."""
    lines = (line.split("#")[0] for line in path.read_text().splitlines())
    names = dict.fromkeys(normalise(word) for line in lines for word in line.split())
    return [name for name in names if not is_held_out(name)]


def wheel_metadata(wheel: Path) -> Message:
    """The METADATA of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [n for n in archive.namelist() if n.count("/") == 1 and n.endswith(".dist-info/METADATA")]
        return BytesParser().parsebytes(archive.read(name))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def pip_download(requirement: str, folder: Path) -> Path | None:
    """Fetch one wheel by the ordinary client; None when there is none for this platform."""
    if not _run_pip([requirement], folder):
        return None
    return downloaded(normalise(requirement.partition("==")[0]), folder)


def _run_pip(requirements: Sequence[str], folder: Path) -> bool:
    """Download the wheels of some requirements; whether all came.

    Wheels only: unpacking an sdist's metadata would run the package's own build code.
    """
    command = [
        sys.executable,
        "-P",
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        str(folder),
        *requirements,
    ]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=PIP_TIMEOUT_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    return True


def downloaded(name: str, folder: Path) -> Path | None:
    """The newest wheel of a package in the folder."""
    found = [wheel for wheel in folder.glob("*.whl") if normalise(wheel.name.split("-")[0]) == name]
    return max(found, key=lambda wheel: wheel.stat().st_mtime, default=None)


def pin(name: str, folder: Path) -> Package | None:
    """Pin the wheel on disk, or else the current release; None when it may not be used."""
    refuse_held_out(name)
    wheel = downloaded(name, folder) or pip_download(name, folder)
    if wheel is None:
        return None
    metadata = wheel_metadata(wheel)
    refuse_held_out(metadata["Name"])
    licence = declared_licence(metadata)
    if not is_allowed(licence):
        wheel.unlink()
        return None
    return Package(normalise(metadata["Name"]), metadata["Version"], licence, wheel.name, sha256_of(wheel))


def pin_stdlib() -> Package:
    """Pin the standard library of the running interpreter."""
    return Package(STDLIB, stdlib_version(), LICENCE, "", tree_digest())


def check_stdlib(package: Package) -> None:
    """Refuse to take another interpreter's standard library for the pinned one."""
    if tree_digest() != package.sha256:
        raise RuntimeError(
            f"the manifest pins the standard library of CPython {package.version}, and this interpreter "
            f"({stdlib_version()}) has other files: run with that version, or make the manifest anew"
        )


def make_manifest(names: Path, archives: Path, manifest: Path, *, workers: int = 6) -> list[Package]:
    """Pin every usable candidate and write the manifest, one JSON object a line, sorted by name."""
    with ThreadPoolExecutor(workers) as pool:
        pinned = pool.map(lambda name: pin(name, archives), candidates(names))
        packages = {package.name: package for package in (pin_stdlib(), *pinned) if package is not None}
    ordered = [packages[name] for name in sorted(packages)]
    manifest.write_text("".join(json.dumps(asdict(package)) + "\n" for package in ordered))
    return ordered


def read_manifest(manifest: Path) -> list[Package]:
    """Read the pins back, refusing held-out names and licences that are not allowed."""
    packages = [Package(**json.loads(line)) for line in manifest.read_text().splitlines() if line.strip()]
    for package in packages:
        refuse_held_out(package.name)
        if not is_allowed(package.licence):
            raise ValueError(f"{package.name}: licence {package.licence!r} is not allowed")
    return packages


def fetch_all(packages: Iterable[Package], folder: Path, *, workers: int = 4) -> None:
    """Download all pinned archives that are not there, many a call, and check the SHA-256 of each.

    Raises
    ------
    RuntimeError
        If one cannot be had, alone neither, or has other bytes.
    """
    packages = list(packages)
    missing = [f"{one.name}=={one.version}" for one in packages if not (folder / one.archive).exists()]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda names: _run_pip(names, folder), batched(missing, BATCH)))
    for package in packages:
        fetch(package, folder)


def batched(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Runs of at most `size` names."""
    return (names[i : i + size] for i in range(0, len(names), size))


def fetch(package: Package, folder: Path) -> Path:
    """Download a pinned archive unless it is there, and check its SHA-256.

    Raises
    ------
    RuntimeError
        If it cannot be had, or has other bytes.
    """
    target = folder / package.archive
    if not target.exists():
        pip_download(f"{package.name}=={package.version}", folder)
    if not target.exists() or sha256_of(target) != package.sha256:
        raise RuntimeError(f"{package.archive}: missing or not the pinned bytes")
    return target
