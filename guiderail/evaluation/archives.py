"""Source files of packages that are no wheels: source distributions, npm's and Debian's tarballs, and plain folders.

Nothing that is fetched is run, except that pip runs the build of a source distribution. As with wheels, an archive is
known by its SHA-256, and whatever fails is fetched anew.
"""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from guiderail import private, programs, projectfile
from guiderail.evaluation import packages
from guiderail.evaluation.manifest import Package
from guiderail.evaluation.packages import DownloadError, SourceFile, sha256_of, without_copies
from guiderail.projectfile import ProjectFileError
from guiderail.text.language import language_of
from guiderail.text.syntax import parse

TIMEOUT_S = 600
MOST_BYTES = 4 * packages.LARGEST  # of a file in a folder
TEST_NAMES = (".test.", ".spec.", ".stories.", ".config.", ".bench.")
TEST_FOLDERS = packages.TEST_FOLDERS | {"__tests__", "__mocks__", "example", "examples", "dist", "lib", "build"}
APT_SOURCES = (Path("/etc/apt/sources.list.d"), Path("/etc/apt"))


def fetch(wanted: Sequence[Package], folder: Path) -> None:
    """Download into `folder` the archives that are not there yet, each by its registry's own client.

    Raises
    ------
    DownloadError
        A client is missing or fails, or what came is not what was pinned.
    """
    packages.fetch([package for package in wanted if package.registry == "pypi"], folder)
    for registry, client in (("sdist", _sdists), ("npm", _npm), ("debian", _apt)):
        missing = [p for p in wanted if p.registry == registry and not archive_in(folder, p).is_file()]
        if missing:
            private.folder(folder)
            with tempfile.TemporaryDirectory(dir=folder) as work:
                client(missing, Path(work))
                _keep(missing, Path(work), folder)


def archive_in(folder: Path, package: Package) -> Path:
    """Where a package's archive is kept."""
    return folder / f"{package.sha256}{'.whl' if package.registry == 'pypi' else '.tar'}"


def _keep(missing: Sequence[Package], work: Path, folder: Path) -> None:
    found = {sha256_of(file): file for file in work.iterdir() if file.is_file()}
    for package in missing:
        if package.sha256 not in found:
            raise DownloadError(
                f"{package.name} {package.version} is not to be had as it was pinned", "Take it out of the manifest"
            )
        found[package.sha256].replace(archive_in(folder, package))


def _sdists(missing: Sequence[Package], work: Path) -> None:
    """pip, for each by itself; before it keeps an archive it runs the package's build, to ask for its metadata."""
    for package in missing:
        pins = work / "requirements.txt"
        pins.write_text(packages.pin(package))
        packages.pip_download(pins, work, f"--no-binary={package.name}")


def _npm(missing: Sequence[Package], work: Path) -> None:
    pins = [f"{package.name}@{package.version}" for package in missing]
    _run("npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(work), *pins)


def _apt(missing: Sequence[Package], work: Path) -> None:
    """apt with a source list of its own: the machine's, for source packages; the machine's lists stay as they are."""
    own = work / "apt"
    for name in ("sources", "lists/partial", "archives/partial"):
        (own / name).mkdir(parents=True)
    for file in (file for place in APT_SOURCES for file in place.glob("*.sources")):
        lines = file.read_text().splitlines()
        (own / "sources" / file.name).write_text(
            "".join(f"{'Types: deb-src' if line.startswith('Types:') else line}\n" for line in lines)
        )
    for file in (file for place in APT_SOURCES for file in place.glob("*.list")):
        lines = [line.replace("deb ", "deb-src ", 1) for line in file.read_text().splitlines() if line[:4] == "deb "]
        (own / "sources" / file.name).write_text("\n".join(lines) + "\n")
    options = {"Etc::SourceList": "/dev/null", "Etc::SourceParts": own / "sources"}
    options |= {"State::Lists": own / "lists", "Cache": own}
    flags = [word for key, value in options.items() for word in ("-o", f"Dir::{key}={value}")]
    _run("apt-get", *flags, "-qq", "update")
    pins = [f"{package.name}={package.version}" for package in missing]
    # Beside the upstream tarball come Debian's own files, which may be missing: what counts is checked by hash.
    _run("apt-get", *flags, "-qq", "source", "--download-only", *pins, cwd=work, may_fail=True)


def _run(program: str, *words: str, cwd: Path | None = None, may_fail: bool = False) -> None:
    found = programs.find(program)
    if found is None:
        raise DownloadError(f"{program} is not installed", f"Install {program}, or measure on another set")
    place = cwd or programs.working_directory()
    reason = packages.failure([found, *words], TIMEOUT_S, cwd=place, env=programs.environment())
    if reason and not may_fail:
        raise DownloadError(f"{program} cannot fetch the packages: {reason}", "Check the network; what came is kept")


def source_files(package: Package, folder: Path, language: str) -> list[SourceFile]:
    """The files of a fetched package that are worth measuring on, by path.

    Raises
    ------
    DownloadError
        The archive is missing or is not the pinned one.
    """
    if package.registry == "pypi":
        return packages.source_files(package, folder)
    return _wanted(package.name, members(package, folder), language, package.exclude)


def members(package: Package, folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a fetched package by path; those of a tarball without the one folder that holds them all.

    Raises
    ------
    DownloadError
        The archive is missing or is not the pinned one.
    """
    archive = archive_in(folder, package)
    if not archive.is_file() or sha256_of(archive) != package.sha256:
        raise DownloadError(f"{package.name} {package.version} is missing or damaged", "Run the command again")
    if package.registry == "pypi":
        with zipfile.ZipFile(archive) as wheel:
            yield from ((name, wheel.read(name)) for name in sorted(wheel.namelist()))
        return
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getmembers(), key=lambda m: m.name):
            _, _, path = member.name.partition("/")
            if member.isfile() and path and (stream := tar.extractfile(member)):
                yield path, stream.read()


def folder_files(name: str, folder: Path, language: str) -> list[SourceFile]:
    """The files of a folder that are worth measuring on, by path."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and language_of(path) == language)
    return _wanted(name, ((path.relative_to(folder).as_posix(), _content(path, folder)) for path in found), language)


def _content(path: Path, folder: Path) -> bytes:
    """What a file of a folder holds; nothing where it leads out of the folder, or is too large to be measured on."""
    try:
        return projectfile.read_bytes(path, folder, limit=MOST_BYTES) or b""
    except ProjectFileError:
        return b""


def _wanted(
    name: str, found: Iterable[tuple[str, bytes]], language: str, exclude: Sequence[str] = ()
) -> list[SourceFile]:
    valid = packages.parses if language == "python" else lambda text: not parse(text.encode(), language).has_error
    files = []
    for path, raw in found:
        if path not in exclude and is_wanted(path, language) and (text := packages.clean(raw, valid)) is not None:
            files.append(SourceFile(name, path, text))
    return without_copies(files)


def is_wanted(path: str, language: str) -> bool:
    """Whether a file's place says that it is of the language, the package's own, hand-written, and no test."""
    if language == "python":
        return packages.path_is_wanted(path)
    *folders, name = PurePosixPath(path).parts
    unwanted = TEST_FOLDERS | packages.VENDOR_FOLDERS | packages.DATA_FOLDERS
    return (
        language_of(path) == language
        and not name.endswith(".d.ts")
        and not any(folder.lower() in unwanted for folder in folders)
        and not any(mark in name for mark in TEST_NAMES)
        and not name.endswith(("Test.java", "Tests.java", "package-info.java"))
    )


def unpack(package: Package, folder: Path, into: Path) -> None:
    """Lay out a fetched tarball in `into`, without the folder that holds it all."""
    with tarfile.open(archive_in(folder, package)) as tar:
        for member in tar.getmembers():
            _, _, path = member.name.partition("/")
            if path:
                tar.extract(member.replace(name=path), into, filter="data")
