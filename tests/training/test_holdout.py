from __future__ import annotations

import json
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from training.corpus import Document, carries_held_out, known_held_out, read_documents
from training.holdout import HeldOutPackage, is_held_out, name_digit, normalise, refuse_held_out
from training.manifest import Package, candidates, pin, read_manifest
from training.recipe import DataRecipe

TRAINING = Path(__file__).parents[2] / "training"
DATASETS = TRAINING.parent / "datasets"
HELD_OUT, TRAINED = "aiohttp", "requests"


def test_every_spelling_of_a_package_has_one_verdict():
    """The rule looks at the PEP 503 name."""
    assert normalise("Zope._-Interface") == "zope-interface"
    assert name_digit("Zope.Interface") == name_digit("zope_interface")


def test_the_rule_is_the_first_digit_of_the_hash():
    """Held out means that the SHA-256 of the name begins with 0, 1, 2 or 3."""
    names = [f"package-{i}" for i in range(400)]
    assert all(is_held_out(name) == (name_digit(name) in "0123") for name in names)
    assert 60 < sum(map(is_held_out, names)) < 140
    assert is_held_out(HELD_OUT) and not is_held_out(TRAINED)


def test_a_held_out_package_is_refused_before_any_download(tmp_path: Path):
    """Pinning a held-out package raises and leaves the folder empty."""
    with pytest.raises(HeldOutPackage):
        pin(HELD_OUT, tmp_path)
    assert not list(tmp_path.iterdir())


def test_candidates_leave_held_out_names_out(tmp_path: Path):
    """Names that the rule keeps back never become candidates."""
    names = tmp_path / "names.txt"
    names.write_text(f"# a comment\n{HELD_OUT} {TRAINED}\n{TRAINED.upper()}\n")
    assert candidates(names) == [TRAINED]


def test_a_manifest_edited_by_hand_does_not_get_round_the_rule(tmp_path: Path):
    """Reading a manifest that names a held-out package raises."""
    manifest = tmp_path / "corpus.jsonl"
    manifest.write_text(json.dumps(asdict(Package(HELD_OUT, "1", "MIT", "a.whl", "0" * 64))) + "\n")
    with pytest.raises(HeldOutPackage):
        read_manifest(manifest)


def test_a_corpus_edited_by_hand_does_not_get_round_the_rule(tmp_path: Path):
    """Reading documents of a held-out package raises."""
    corpus = tmp_path / "train.jsonl"
    corpus.write_text(json.dumps(asdict(Document(HELD_OUT, "a.py", "x = 1\n"))) + "\n")
    with pytest.raises(HeldOutPackage):
        list(read_documents(corpus))


def test_the_committed_manifest_obeys_both_rules():
    """No pinned package is held out and every licence is allowed."""
    packages = read_manifest(TRAINING / "corpus.jsonl")
    assert len(packages) > 200
    for package in packages:
        refuse_held_out(package.name)


@pytest.mark.parametrize(
    ("path", "copied"),
    [
        ("tool/misc/appdirs.py", True),
        ("tool/compat/_dill.py", True),
        ("tool/sklearn/base.py", True),
        ("tomllib/_parser.py", True),
        ("tool/google/auth/jwt.py", True),
        ("zope/event/classhandler.py", True),
        ("bson/codec.py", True),
        ("allauth/account.py", True),
        ("tool/google/cloud/storage.py", False),
        ("tool/misc/colours.py", False),
    ],
)
def test_copies_of_held_out_packages_are_recognised_by_name(path: str, copied: bool):
    """A file or folder named like a held-out package, or like its import name, is left out."""
    held_out = known_held_out(TRAINING / "packages.txt", DATASETS / "pragmatic_py.toml")
    assert carries_held_out(path, held_out) == copied


def test_every_package_of_the_evaluation_is_recognised():
    """Also those that are no candidates for training."""
    evaluation = DATASETS / "pragmatic_py.toml"
    names = [normalise(package["name"]) for package in tomllib.loads(evaluation.read_text())["package"]]
    held_out = known_held_out(TRAINING / "packages.txt", evaluation)
    assert set(names) <= held_out
    assert not set(names) <= known_held_out(TRAINING / "packages.txt")
    assert DataRecipe().evaluation == evaluation.relative_to(TRAINING.parent)
