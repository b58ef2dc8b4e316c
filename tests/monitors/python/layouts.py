"""Small projects for the tests of import paths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SITE = "lib/python3.11/site-packages"


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder, and return it."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def environment(place: Path, *distributions: str, version: str = "3.11.4", marker: str = "pyvenv.cfg") -> Path:
    """An environment in which each distribution has a module of its name; its folder of packages."""
    site = place / "lib" / f"python{version.rpartition('.')[0]}" / "site-packages"
    text = f"home = /usr/bin\nversion = {version}\n"
    write(place, {"pyvenv.cfg": text} if marker == "pyvenv.cfg" else {f"{marker}/history": ""})
    site.mkdir(parents=True, exist_ok=True)
    for name in distributions:
        write(site, {f"{name}.py": "", f"{name}-1.0.dist-info/METADATA": f"Name: {name}\nVersion: 1.0\n"})
    return site
