"""From a manifest to source files: download, check, select. Everything but the download is deterministic."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import platformdirs

from guiderail import private
from guiderail.errors import GuiderailError
from guiderail.evaluation.manifest import Package
from guiderail.text.language import language_of

# Raised whenever the same manifest would give other files; every result records it.
BUILDER = 1
DOWNLOAD_TIMEOUT_S = 600
# pip hands over what it fetched only at the end of a call: so many packages a call, and a broken run keeps the others.
BATCH = 8

TEST_FOLDERS = frozenset({"test", "tests", "testing", "_tests", "testsuite", "fixtures", "testdata"})
VENDOR_FOLDERS = frozenset(
    {"_vendor", "_vendored", "vendor", "vendored", "third_party", "thirdparty", "extern", "externals", "external"}
)
DATA_FOLDERS = frozenset({"locale", "locales", "migrations", "templates", "node_modules", "site-packages"})
GENERATED_NAME = re.compile(r"(_pb2(_grpc)?|parsetab|lextab|_version|version|_builtins|_mapping)\.py$")
GENERATED_MARK = re.compile(
    r"@generated|auto-?generated|automatically generated|generated (by|from)|do not (edit|modify)", re.IGNORECASE
)
LICENCE_MARK = re.compile(r"copyright|licen[sc]e|all rights reserved|spdx", re.IGNORECASE)
BLOCK_COMMENT = re.compile(r"\s*/\*.*?\*/\s*", re.DOTALL)  # at the top of TypeScript and Java
SMALLEST, LARGEST = 400, 100_000  # characters
LONGEST_LINE, LONGEST_MEAN_LINE = 400, 80


class DownloadError(GuiderailError):
    """A package could not be fetched, or is not the pinned one."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a package; `path` is its place inside the archive."""

    package: str
    path: str
    text: str

    @property
    def language(self) -> str:
        """LSP identifier; "" if there is none."""
        return language_of(self.path) or ""


def cache_folder() -> Path:
    """Where downloaded packages are kept."""
    return platformdirs.user_cache_path("guiderail") / "datasets"


def fetch(packages: Sequence[Package], folder: Path) -> None:
    """Download into `folder` the wheels that are not there yet, by pip, which checks the hashes; nothing is run.

    What came before a failure is kept.

    Raises
    ------
    DownloadError
        pip is missing or fails, or `folder` cannot be written.
    """
    missing = [package for package in packages if wheel_in(folder, package) is None]
    try:
        for start in range(0, len(missing), BATCH):
            _fetch(missing[start : start + BATCH], folder)
    except OSError as error:
        raise DownloadError(f"cannot write to {folder}: {error.strerror}", "Make room there") from error


def _fetch(packages: Sequence[Package], folder: Path) -> None:
    private.folder(folder)
    pinned = {package.sha256 for package in packages}
    with tempfile.TemporaryDirectory(dir=folder) as work:
        pins = Path(work) / "requirements.txt"
        pins.write_text("".join(map(pin, packages)))
        try:
            pip_download(pins, Path(work), "--only-binary=:all:")
        finally:
            for wheel in Path(work).glob("*.whl"):
                if (digest := sha256_of(wheel)) in pinned:  # and not one that is half there
                    wheel.replace(folder / f"{digest}.whl")


def pin(package: Package) -> str:
    """The line by which pip is asked for exactly one archive."""
    return f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n"


def pip_download(pins: Path, folder: Path, form: str) -> None:
    """Download by pip.

    Parameters
    ----------
    pins
        A file of lines from `pin`.
    folder
        Where the archives go.
    form
        The option that says which form of a package is wanted.

    Raises
    ------
    DownloadError
        pip fails, or takes too long.
    """
    command = [
        sys.executable, "-P", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        form, "--ignore-requires-python", "--require-hashes", "-d", str(folder), "-r", str(pins),
    ]  # fmt: skip
    try:
        reason = failure(command, DOWNLOAD_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise DownloadError("downloading the packages took too long", "Try again: what came is kept") from error
    if reason:
        remedy = "Check network and pip; what came is kept"
        raise DownloadError(f"the evaluation's packages cannot be downloaded: {reason}", remedy)


def failure(command: Sequence[str], timeout_s: float, **options: Any) -> str | None:
    """Run a program to its end: the last line of what it says on failing, None if it does not fail.

    Raises
    ------
    subprocess.TimeoutExpired
        It takes too long.
    """
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, **options)
    return (done.stderr.strip().splitlines() or ["it gave no reason"])[-1] if done.returncode else None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def wheel_in(folder: Path, package: Package) -> Path | None:
    """The package's wheel, if it is there; the name is the hash, which is checked again when the wheel is read."""
    path = folder / f"{package.sha256}.whl"
    return path if path.is_file() else None


def source_files(package: Package, folder: Path) -> list[SourceFile]:
    """The files of a fetched package that are worth measuring on, by path.

    Raises
    ------
    DownloadError
        The wheel is missing or is not the pinned one.
    """
    wheel = wheel_in(folder, package)
    if wheel is None or sha256_of(wheel) != package.sha256:
        raise DownloadError(f"{package.name} {package.version} is missing or damaged", "Run the command again")
    files = []
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if path_is_wanted(name) and name not in package.exclude:
                text = clean(archive.read(name))
                if text is not None:
                    files.append(SourceFile(package.name, name, text))
    return without_copies(files)


def path_is_wanted(path: str) -> bool:
    """Whether a file's place says that it is the package's own, hand-written, and no test."""
    *folders, name = PurePosixPath(path).parts
    unwanted = TEST_FOLDERS | VENDOR_FOLDERS | DATA_FOLDERS
    return (
        name.endswith(".py")
        and not any(folder.lower() in unwanted or folder.endswith((".data", ".dist-info")) for folder in folders)
        and not (name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py")
        and not GENERATED_NAME.search(name)
    )


def clean(raw: bytes, is_valid: Callable[[str], bool] | None = None) -> str | None:
    """The text of a file that is worth measuring on, with \\n line ends and no licence comment; None for another."""
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None
    text = _without_licence(text)
    lines = text.split("\n")
    if (
        not SMALLEST <= len(text) <= LARGEST
        or max(map(len, lines)) > LONGEST_LINE
        or len(text) / len(lines) > LONGEST_MEAN_LINE
        or "\r" in text
        or GENERATED_MARK.search(text[:1500])
        or not (is_valid or parses)(text)
    ):
        return None
    return text


def _without_licence(text: str) -> str:
    """Drop the comment block at the top if it is a licence: it is no code, and much the same everywhere."""
    block = BLOCK_COMMENT.match(text)
    if block:
        return text[block.end() :] if LICENCE_MARK.search(block.group()) else text
    lines = text.split("\n")
    head = 0
    while head < len(lines) and (not lines[head].strip() or lines[head].startswith("#")):
        head += 1
    return "\n".join(lines[head:]) if LICENCE_MARK.search("\n".join(lines[:head])) else text


def parses(text: str) -> bool:
    """Whether this interpreter's `ast.parse` accepts the text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def without_copies(files: Iterable[SourceFile]) -> list[SourceFile]:
    """Each text once: the first file that has it."""
    first: dict[str, SourceFile] = {}
    for file in files:
        first.setdefault(file.text, file)
    return list(first.values())
