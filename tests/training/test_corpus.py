from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from training import corpus, manifest, stdlib
from training.corpus import build_corpus, is_validation, known_held_out, read_documents
from training.manifest import (
    batched,
    check_stdlib,
    downloaded,
    fetch,
    fetch_all,
    make_manifest,
    pin,
    pin_stdlib,
    read_manifest,
)

TRAINING = Path(__file__).parents[2] / "training"
CODE = "".join(
    f"def {name}(value):\n    return value.{name}_of({name!r})\n\n\n"
    for name in ("width", "height", "depth", "weight", "colour", "border", "shadow", "margin")
)


def wheel(folder: Path, name: str, licence: str, files: dict[str, str], version: str = "1.0") -> Path:
    """A wheel with the given Python files."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    facts = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            f"{facts}/METADATA",
            f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: {licence}\n",
        )
        archive.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        for file, text in files.items():
            archive.writestr(file, text)
    return path


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    """Two usable packages and one under another licence."""
    folder = tmp_path / "archives"
    folder.mkdir()
    first = {
        "requests/shapes.py": CODE,
        "requests/_vendor/shapes.py": CODE.replace("value", "vendored"),
        "requests/aiohttp.py": CODE.replace("value", "copied"),
        "requests/data.txt": "no code",
    }
    wheel(folder, "requests", "Apache-2.0", first)
    wheel(folder, "rich", "MIT", {"rich/copy.py": CODE, "rich/own.py": CODE.replace("value", "own").replace("_of", "")})
    wheel(folder, "flask", "GPL-3.0-only", {"flask/app.py": CODE})
    return folder


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("requests rich flask aiohttp\n")
    return path


def test_a_manifest_pins_what_may_be_used(archives: Path, names: Path, tmp_path: Path):
    """Name, version, licence and digest are written for allowed licences, the other wheel is removed."""
    made = make_manifest(names, archives, tmp_path / "corpus.jsonl", workers=1)
    assert made == read_manifest(tmp_path / "corpus.jsonl")
    pinned = [(package.name, package.licence) for package in made]
    assert pinned == [("cpython", "PSF-2.0"), ("requests", "Apache-2.0"), ("rich", "MIT")]
    assert downloaded("flask", archives) is None


def test_other_bytes_than_the_pinned_ones_are_refused(archives: Path):
    """An archive whose SHA-256 changed stops the download stage."""
    package = pin("rich", archives)
    assert package is not None and fetch(package, archives).name == package.archive
    with pytest.raises(RuntimeError, match="pinned bytes"):
        fetch(replace(package, sha256="0" * 64), archives)


def test_all_archives_are_checked_though_they_come_many_a_call(archives: Path):
    """Archives that are there need no client, and the bytes of every single one count."""
    packages = [package for name in ("requests", "rich") if (package := pin(name, archives))]
    fetch_all(packages, archives)
    with pytest.raises(RuntimeError, match=r"rich.*pinned bytes"):
        fetch_all([packages[0], replace(packages[1], sha256="0" * 64)], archives)
    names = [f"p{i}" for i in range(7)]
    assert [list(part) for part in batched(names, 3)] == [names[:3], names[3:6], names[6:]]


def test_the_standard_library_is_pinned_like_an_archive(
    archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its version and the digest of its tree are in the manifest, and another interpreter's is refused."""
    monkeypatch.setattr(stdlib, "stdlib_files", lambda: iter([("a.py", b"a = 1\n"), ("b.py", b"b = 2\n")]))
    package = pin_stdlib()
    check_stdlib(package)
    monkeypatch.setattr(stdlib, "stdlib_files", lambda: iter([("a.py", b"a = 1\n"), ("b.py", b"b = 3\n")]))
    monkeypatch.setattr(manifest, "stdlib_version", lambda: "9.9.9")
    with pytest.raises(RuntimeError, match=rf"CPython {package.version}, .* \(9\.9\.9\)"):
        check_stdlib(package)
    with pytest.raises(RuntimeError, match="standard library"):
        build_corpus([package], archives, frozenset(), tmp_path / "out", package_limit=10_000, workers=1)


def test_the_committed_manifest_pins_the_standard_library():
    """One entry, with a version and the digest of a tree."""
    [entry] = [p for p in read_manifest(TRAINING / "corpus.jsonl") if p.name == stdlib.STDLIB]
    assert entry.version.startswith("3.") and len(entry.sha256) == 64
    if entry.version == stdlib.stdlib_version():
        check_stdlib(entry)


@pytest.fixture
def index(archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the package index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(archives))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return archives


def test_a_pinned_archive_is_fetched_anew_with_the_same_bytes(index: Path, tmp_path: Path):
    """pip is asked for the pinned version; what the index does not have, or has with other bytes, is refused."""
    package = pin("rich", tmp_path / "first")
    assert package is not None and package.version == "1.0"
    newer = wheel(index, "rich", "MIT", {"rich/own.py": CODE}, version="2.0")
    assert fetch(package, tmp_path / "second").read_bytes() == (tmp_path / "first" / package.archive).read_bytes()
    assert not (tmp_path / "second" / newer.name).exists()
    with pytest.raises(RuntimeError, match="pinned bytes"):
        fetch(replace(package, version="3.0", archive="rich-3.0-py3-none-any.whl"), tmp_path / "third")


def test_the_corpus_holds_original_files_once(
    archives: Path, names: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Vendored files, copies of held-out packages and duplicates are left out; validation is set apart."""
    for module in (corpus, stdlib):
        monkeypatch.setattr(
            module, "stdlib_files", lambda: iter([("shapes.py", CODE.replace("value", "item").encode())])
        )
    packages = make_manifest(names, archives, tmp_path / "corpus.jsonl", workers=1)
    held_out = known_held_out(names)
    table = build_corpus(packages, archives, held_out, tmp_path / "out", package_limit=10_000, workers=1)
    documents = list(read_documents(tmp_path / "out" / "train.jsonl"))
    paths = [(document.package, document.path) for document in documents]
    assert paths == [("cpython", "shapes.py"), ("requests", "requests/shapes.py"), ("rich", "rich/own.py")]
    assert table == json.loads((tmp_path / "out" / "table.json").read_text())
    assert not (tmp_path / "out" / "validation.jsonl").read_text()
    assert 5 < sum(is_validation(f"package-{i}") for i in range(1200)) < 40
