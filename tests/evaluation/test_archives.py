"""Source files out of tarballs and folders."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.evaluation import archives, packages
from guiderail.evaluation.archives import archive_in, folder_files, is_wanted, source_files, unpack
from guiderail.evaluation.manifest import Package
from guiderail.evaluation.packages import DownloadError, sha256_of

SOURCE = "/* Copyright of nobody: a licence. */\n" + "".join(
    f"export function f{i}(value: number): number {{\n  return value * {i};\n}}\n" for i in range(9)
)


def tarball(folder: Path, files: dict[str, str]) -> Package:
    """A package with these files in its archive, which has been fetched already."""
    made = folder / "made.tgz"
    with tarfile.open(made, "w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    package = Package("thing", "1", sha256_of(made), "MIT", registry="npm")
    made.replace(archive_in(folder, package))
    return package


def test_a_tarball_gives_its_own_sources_without_the_folder_they_stand_in(tmp_path: Path) -> None:
    """Tests, declarations, broken and generated files are left out, and the licence before the code."""
    package = tarball(
        tmp_path,
        {
            "src/a.ts": SOURCE,
            "src/copy.ts": SOURCE,
            "src/a.test.ts": SOURCE.replace("f1", "g"),
            "src/a.d.ts": SOURCE.replace("f1", "h"),
            "src/broken.ts": SOURCE + "function (",
            "src/made.ts": "// @generated\n" + SOURCE,
        },
    )
    [file] = source_files(package, tmp_path, "typescript")
    assert file.path == "src/a.ts" and file.text.startswith("export function f0")


def test_an_archive_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    """The hash is checked whenever an archive is read."""
    package = tarball(tmp_path, {"src/a.ts": SOURCE})
    archive_in(tmp_path, package).write_bytes(b"something else")
    with pytest.raises(DownloadError, match="missing or damaged"):
        source_files(package, tmp_path, "typescript")


def test_what_comes_under_another_hash_is_not_kept(tmp_path: Path) -> None:
    """A registry that serves another archive under the pinned name is found out."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "thing-1.tgz").write_bytes(b"other")
    with pytest.raises(DownloadError, match="as it was pinned"):
        archives._keep([Package("thing", "1", "0" * 64, "MIT", registry="npm")], work, tmp_path)


def test_source_distributions_are_asked_for_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each as its source and by its hash: what fails costs no other one."""
    made = tarball(tmp_path, {"thing/a.py": "x = 1\n" * 100})
    wanted = replace(made, registry="sdist")
    data = archive_in(tmp_path, made).read_bytes()
    archive_in(tmp_path, made).unlink()
    asked: list[tuple[str, str]] = []

    def download(pins: Path, folder: Path, form: str) -> None:
        asked.append((pins.read_text(), form))
        (folder / "thing-1.tar.gz").write_bytes(data)

    monkeypatch.setattr(packages, "pip_download", download)
    for _ in range(2):  # what is there is not fetched again
        archives.fetch([wanted], tmp_path)
        assert asked == [(f"thing==1 --hash=sha256:{made.sha256}\n", "--no-binary=thing")]
    [file] = source_files(wanted, tmp_path, "python")
    assert file.path == "thing/a.py"


def test_a_missing_client_is_named(tmp_path: Path) -> None:
    """What cannot be fetched says with which program it would be."""
    with pytest.raises(DownloadError, match="no-such-client is not installed"):
        archives._run("no-such-client", "get")


def test_a_folder_is_a_package(tmp_path: Path) -> None:
    """Files of the language, by path; others' languages are left out."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "b.ts").write_text(SOURCE)
    (tmp_path / "src" / "a.py").write_text("x = 1\n" * 100)
    assert [file.path for file in folder_files("own", tmp_path, "typescript")] == ["src/b.ts"]
    assert [file.path for file in folder_files("own", tmp_path, "python")] == ["src/a.py"]


def test_an_archive_is_laid_out_as_it_is(tmp_path: Path) -> None:
    """Every file, at its place without the outer folder."""
    package = tarball(tmp_path, {"src/a.ts": SOURCE, "package.json": "{}"})
    unpack(package, tmp_path, tmp_path / "project")
    assert (tmp_path / "project" / "src" / "a.ts").read_text() == SOURCE
    assert (tmp_path / "project" / "package.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("path", "language", "wanted"),
    [
        ("src/a.ts", "typescript", True),
        ("src/a.d.ts", "typescript", False),
        ("dist/a.ts", "typescript", False),
        ("src/__tests__/a.ts", "typescript", False),
        ("src/a.spec.ts", "typescript", False),
        ("src/main/java/p/A.java", "java", True),
        ("src/test/java/p/A.java", "java", False),
        ("src/main/java/p/ATest.java", "java", False),
        ("p/a.py", "python", True),
        ("p/tests/a.py", "python", False),
    ],
)
def test_places_of_tests_and_built_files_are_not_wanted(path: str, language: str, wanted: bool) -> None:
    """Only the package's own, hand-written files of the language count."""
    assert is_wanted(path, language) is wanted
