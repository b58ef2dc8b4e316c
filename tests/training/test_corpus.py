from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from training import corpus
from training.corpus import build_corpus, is_validation, read_documents
from training.manifest import downloaded, fetch, make_manifest, pin, read_manifest

CODE = "".join(
    f"def {name}(value):\n    return value.{name}_of({name!r})\n\n\n"
    for name in ("width", "height", "depth", "weight", "colour", "border", "shadow", "margin")
)


def wheel(folder: Path, name: str, licence: str, files: dict[str, str]) -> Path:
    """A wheel with the given Python files."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            f"{name}-1.0.dist-info/METADATA", f"Name: {name}\nVersion: 1.0\nLicense-Expression: {licence}\n"
        )
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
    assert [(package.name, package.licence) for package in made] == [("requests", "Apache-2.0"), ("rich", "MIT")]
    assert downloaded("flask", archives) is None


def test_other_bytes_than_the_pinned_ones_are_refused(archives: Path):
    """An archive whose SHA-256 changed stops the download stage."""
    package = pin("rich", archives)
    assert package is not None and fetch(package, archives).name == package.archive
    with pytest.raises(RuntimeError, match="pinned bytes"):
        fetch(replace(package, sha256="0" * 64), archives)


def test_the_corpus_holds_original_files_once(
    archives: Path, names: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Vendored files, copies of held-out packages and duplicates are left out; validation is set apart."""
    monkeypatch.setattr(corpus, "stdlib_files", lambda: iter([("shapes.py", CODE.replace("value", "item").encode())]))
    packages = make_manifest(names, archives, tmp_path / "corpus.jsonl", workers=1)
    table = build_corpus(packages, archives, names, tmp_path / "out", package_limit=10_000, workers=1)
    documents = list(read_documents(tmp_path / "out" / "train.jsonl"))
    paths = [(document.package, document.path) for document in documents]
    assert paths == [("cpython", "shapes.py"), ("requests", "requests/shapes.py"), ("rich", "rich/own.py")]
    assert table == json.loads((tmp_path / "out" / "table.json").read_text())
    assert not (tmp_path / "out" / "validation.jsonl").read_text()
    assert 5 < sum(is_validation(f"package-{i}") for i in range(1200)) < 40
