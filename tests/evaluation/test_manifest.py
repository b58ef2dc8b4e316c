"""The shipped manifest, and what a manifest may say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guiderail.evaluation.manifest import (
    DEFAULT,
    EVALUATION_DIGITS,
    ManifestError,
    datasets_folder,
    digit,
    read_manifest,
)

PERMISSIVE = {"MIT", "BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "PSF-2.0"}


def one_package(name: str) -> str:
    return f'[[package]]\nname = "{name}"\nversion = "1"\nsha256 = "{"0" * 64}"\nlicence = "MIT"\n'


def test_the_shipped_manifest_pins_at_least_thirty_permissive_held_out_packages() -> None:
    packages = read_manifest(datasets_folder() / DEFAULT)
    assert len({p.name for p in packages}) == len(packages) >= 30
    for package in packages:
        assert digit(package.name) in EVALUATION_DIGITS
        assert re.fullmatch("[0-9a-f]{64}", package.sha256)
        assert set(package.licence.split(" OR ")) & PERMISSIVE


def test_the_rule_reads_the_pep_503_name() -> None:
    assert digit("pytest") == digit("PyTest") == "2"
    assert digit("python.engineio") == digit("Python_EngineIO") == digit("python-engineio")


def test_the_card_states_every_package_and_its_licence() -> None:
    card = (datasets_folder() / "README.md").read_text(encoding="utf-8")
    for package in read_manifest(datasets_folder() / DEFAULT):
        assert f"| {package.name} | {package.version} | {package.licence} |" in card


def test_a_package_outside_the_rule_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    name = next(n for n in (f"name{i}" for i in range(100)) if digit(n) not in EVALUATION_DIGITS)
    file.write_text(one_package(name))
    with pytest.raises(ManifestError, match=name):
        read_manifest(file)


@pytest.mark.parametrize("text", ["", "package = 3", "[[package]]\nname = 'x'", "not toml ["])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "m.toml"
    file.write_text(text)
    with pytest.raises(ManifestError):
        read_manifest(file)


def test_the_order_does_not_follow_the_alphabet_and_does_not_depend_on_the_file(tmp_path: Path) -> None:
    names = [n for n in (f"name{i}" for i in range(200)) if digit(n) in EVALUATION_DIGITS]
    file = tmp_path / "m.toml"
    file.write_text("\n".join(map(one_package, names)))
    forward = [p.name for p in read_manifest(file)]
    file.write_text("\n".join(map(one_package, reversed(names))))
    assert [p.name for p in read_manifest(file)] == forward != sorted(forward)
