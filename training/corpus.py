"""From pinned archives to one clean file of documents, the validation packages set apart."""

from __future__ import annotations

import hashlib
import json
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain, pairwise
from pathlib import Path, PurePosixPath

from training.cleaning import PRIVATE_KEY, normalise_text, parsed, path_is_wanted, scrub, text_is_wanted
from training.dedup import Deduplicator
from training.holdout import is_held_out, normalise, refuse_held_out
from training.manifest import Package, check_stdlib
from training.quality import is_worth_reading
from training.stdlib import STDLIB, stdlib_files


@dataclass(frozen=True, slots=True)
class Document:
    """One source file."""

    package: str
    path: str
    text: str


def is_validation(package: str) -> bool:
    """About one package in sixty is kept for validation, by a digit of its hash the hold-out rule does not use."""
    return int(hashlib.sha256(normalise(package).encode()).hexdigest()[8:12], 16) % 60 == 0


def wheel_files(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Python files of a wheel by their installed path."""
    with zipfile.ZipFile(wheel) as archive:
        for info in sorted(archive.infolist(), key=lambda item: item.filename):
            if info.filename.endswith(".py") and info.file_size < 1_000_000:
                path = info.filename.split(".data/purelib/")[-1].split(".data/platlib/")[-1]
                yield path, archive.read(info)


#: Names under which held-out packages are imported or live on in other projects, where they differ.
ALIASES = {
    "attrs": ("attr",),
    "django-allauth": ("allauth",),
    "djangorestframework": ("rest_framework",),
    "imbalanced-learn": ("imblearn",),
    "lightning": ("pytorch_lightning", "lightning_fabric"),
    "pdfminer-six": ("pdfminer",),
    "progressbar2": ("progressbar",),
    "protobuf": ("google.protobuf",),
    "pymongo": ("bson", "gridfs"),
    "pyserial": ("serial",),
    "python-docx": ("docx",),
    "python-engineio": ("engineio",),
    "python-socketio": ("socketio",),
    "robotframework": ("robot",),
    "scikit-learn": ("sklearn",),
    "tomli": ("tomllib",),
    "umap-learn": ("umap",),
    "yoyo-migrations": ("yoyo",),
}


def carries_held_out(path: str, held_out: frozenset[str]) -> bool:
    """Whether folders or files are named like a known held-out package, so may be a bundled copy of it.

    Neighbours count joined too: google/auth is google-auth.
    """
    parts = PurePosixPath(path).with_suffix("").parts
    pairs = (f"{one}-{two}" for one, two in pairwise(parts))
    return any(normalise(name).strip("-") in held_out for name in (*parts, *pairs))


def clean(files: Iterable[tuple[str, bytes]], package: str, held_out: frozenset[str]) -> list[Document]:
    """The documents of one package after every single-file rule."""
    documents = []
    for path, raw in files:
        if not path_is_wanted(path) or carries_held_out(path, held_out):
            continue
        try:
            text = normalise_text(raw.decode("utf-8"))
        except UnicodeDecodeError:
            continue
        if PRIVATE_KEY in text or not text_is_wanted(text):
            continue
        if (tree := parsed(text)) is None or not is_worth_reading(text, tree):
            continue
        documents.append(Document(package, path, scrub(text)))
    return documents


def _clean_wheel(job: tuple[str, Path, frozenset[str]]) -> list[Document]:
    name, wheel, held_out = job
    refuse_held_out(name)
    return clean(wheel_files(wheel), name, held_out)


def capped(documents: list[Document], limit: int, is_new: Callable[[str], bool]) -> list[Document]:
    """At most `limit` characters of one package, whole folders first dropped by hash, so no project dominates.

    `is_new` remembers what it is asked about, so it is asked only about what there is room for: a file that is
    dropped must not keep a later copy of it out.
    """
    order = sorted(documents, key=lambda d: hashlib.blake2b(str(PurePosixPath(d.path).parent).encode()).digest())
    kept, size = set(), 0
    for document in order:
        if size + len(document.text) <= limit and is_new(document.text):
            kept.add(document.path)
            size += len(document.text)
    return [document for document in documents if document.path in kept]


def known_held_out(names: Path, evaluation: Path | None = None) -> frozenset[str]:
    """Held-out names among the candidates and in the evaluation's list, to recognise bundled copies."""
    words = [word for line in names.read_text().splitlines() for word in line.split("#")[0].split()]
    if evaluation is not None:
        words += [package["name"] for package in tomllib.loads(evaluation.read_text())["package"]]
    held_out = {normalise(word) for word in words if is_held_out(word)}
    aliases = {normalise(alias).strip("-") for name in held_out for alias in ALIASES.get(name, ())}
    return frozenset(held_out | aliases)


def build_corpus(
    packages: list[Package],
    archives: Path,
    held_out: frozenset[str],
    out: Path,
    *,
    package_limit: int,
    workers: int = 2,
) -> dict[str, dict[str, int]]:
    """Write train.jsonl and validation.jsonl; returns files and characters kept of each package.

    The standard library is in it if the manifest pins it. `held_out` are the names of `known_held_out`.
    """
    for package in packages:
        if package.name == STDLIB:
            check_stdlib(package)
    jobs = [(package.name, archives / package.archive, held_out) for package in packages if package.name != STDLIB]
    seen, table = Deduplicator(), {}
    out.mkdir(parents=True, exist_ok=True)
    with (
        (out / "train.jsonl").open("w") as train,
        (out / "validation.jsonl").open("w") as validation,
        ProcessPoolExecutor(workers) as pool,
    ):
        groups = pool.map(_clean_wheel, jobs)
        first = [clean(stdlib_files(), STDLIB, held_out)] if len(jobs) < len(packages) else []
        # The standard library first, so that of two copies its own is the one kept.
        for documents in chain(first, groups):
            kept = capped(documents, package_limit, seen.is_new)
            if not kept:
                continue
            name = kept[0].package
            target = validation if is_validation(name) else train
            target.writelines(json.dumps(asdict(document)) + "\n" for document in kept)
            table[name] = {"files": len(kept), "characters": sum(len(d.text) for d in kept)}
    (out / "table.json").write_text(json.dumps(table, indent=1))
    return table


def read_documents(path: Path) -> Iterator[Document]:
    """Read documents back, refusing held-out packages once more."""
    with path.open() as stream:
        for line in stream:
            document = Document(**json.loads(line))
            if document.package != STDLIB:
                refuse_held_out(document.package)
            yield document
