"""Links that a repository holds: the import path of a Python project leads out of it only where a person trusts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from guiderail.monitors.analysis.workspaces import trust
from guiderail.monitors.python.description import surroundings
from guiderail.monitors.python.modules import ModulePath
from guiderail.monitors.python.project import python_project
from tests.monitors.python.layouts import environment

SITE = ".venv/lib/python3.11/site-packages"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, of a person who trusts none."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.mark.parametrize("link", [".venv", ".venv/lib", ".venv/lib/python3.11", SITE])
def test_an_environment_that_a_project_links_to_is_not_looked_into(root: Path, tmp_path: Path, link: str) -> None:
    """Not at any step of the way to the packages; a trusted project's is."""
    outside = tmp_path / "outside"
    (outside / SITE / "private_module").mkdir(parents=True)
    (outside / ".venv" / "pyvenv.cfg").touch()
    (root / link).parent.mkdir(parents=True, exist_ok=True)
    (root / link).symlink_to(outside / link)
    (root / ".venv" / "pyvenv.cfg").touch()
    assert ModulePath(root).modules() is None
    assert not any(folder.resolve().is_relative_to(outside) for folder in ModulePath(root).folders)
    trust(root)
    assert "private_module" in (ModulePath(root).modules() or ())


def test_a_package_that_is_a_link_out_is_not_looked_into(root: Path, tmp_path: Path) -> None:
    """Its name is known, for it lies in the project; what it leads to is not."""
    (tmp_path / "outside" / "private_module").mkdir(parents=True)
    (root / "regular").mkdir()
    for place in (root, root / "regular"):
        (place / "package").symlink_to(tmp_path / "outside")
    for package in ("package", "regular.package", "package.private_module"):
        assert ModulePath(root).modules(package) is None
    assert ModulePath(root).modules("regular") == {"package"}


def test_links_inside_a_project_are_followed(root: Path) -> None:
    """As in a project whose packages lie in one place and are linked to from others."""
    (root / "packages" / "shop" / "cart").mkdir(parents=True)
    (root / "shop").symlink_to("packages/shop")
    (root / SITE).mkdir(parents=True)
    (root / ".venv" / "pyvenv.cfg").touch()
    (root / SITE / "linked.pth").write_text(f"{root / 'packages'}\n")
    assert ModulePath(root).modules("shop") == {"cart"}
    assert {"shop", "packages"} <= (ModulePath(root).modules() or frozenset())


def test_the_setting_trust_counts_for_the_import_path(root: Path, tmp_path: Path) -> None:
    """Above the list: for monitors, for analysers and for what a person is told."""
    site = environment(tmp_path / "outside", "private_module")
    (root / ".venv").symlink_to(tmp_path / "outside")
    assert ModulePath(root, trust="listed").modules() is None
    assert "private_module" in (ModulePath(root, trust="always").modules() or ())
    inside = root / ".venv" / site.relative_to(tmp_path / "outside")
    assert str(inside) in surroundings(root, trust="always").packages
    assert inside in python_project(root, trust="always").packages
    trust(root)
    assert ModulePath(root, trust="never").modules() is None
    assert str(inside) not in surroundings(root, trust="never").packages
    assert inside not in python_project(root, trust="never").packages
