"""Makes ``guiderail/monitors/python/distributions.json``: which modules a distribution brings, by its own metadata.

    python datasets/distributions.py FOLDER…            # environments, and folders of wheels
    python datasets/distributions.py --fetch NAMES.txt  # wheels of these distributions, by pip

A wheel's list of files, or an installed distribution's ``RECORD``, says what it brings. What is in the table stays
unless new metadata replaces it, so that it can grow in several runs, and lines written by hand stay. Only what could
not be guessed from the distribution's name is written; ``[]`` means that the guess is right.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from guiderail.monitors.python.installed import normalised
from guiderail.monitors.python.requirements import DISTRIBUTIONS, guesses

SUFFIXES = (".py", ".so", ".pyd", ".pyi")
# Folders that some distributions install at the top by mistake.
NEVER = frozenset(
    (
        "benchmarks", "build", "conftest", "deploy_libs", "doc", "docs", "example", "examples", "scripts", "setup",
        "sphinx", "src", "test", "testing", "tests", "tools", "twisted", "typings",
    )
)  # fmt: skip
DEEPEST = 3  # parts of a module's name, in a namespace
MOST = 12  # modules of one; of more the namespace alone is named


def main(folders: Iterable[Path], fetch: Path | None) -> None:
    """Add what is found in folders, and in fetched wheels, to the table."""
    table: dict[str, list[str]] = json.loads(DISTRIBUTIONS.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        if fetch:
            _fetch(fetch.read_text(encoding="utf-8").split(), Path(scratch))
        for name, files in _described((*folders, Path(scratch))):
            if name and (modules := _modules(files)):
                table[name] = sorted(modules - guesses(name))
    lines = (f"{json.dumps(name)}: {json.dumps(table[name])}" for name in sorted(table))
    DISTRIBUTIONS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _fetch(names: Iterable[str], folder: Path) -> None:
    for name in names:
        words = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), name]
        subprocess.run([sys.executable, "-m", "pip", *words], check=False)


def _described(folders: Iterable[Path]) -> Iterator[tuple[str, list[str]]]:
    """The distributions in folders, each with the files that it installs."""
    for folder in folders:
        for wheel in sorted(folder.rglob("*.whl")):
            try:
                with ZipFile(wheel) as archive:
                    yield _name(archive), archive.namelist()
            except (BadZipFile, OSError) as error:
                print(f"{wheel}: {error}", file=sys.stderr)
        for record in sorted(folder.rglob("*.dist-info/RECORD")):
            lines = record.read_text(encoding="utf-8", errors="replace").splitlines()
            yield normalised(record.parent.name.partition("-")[0]), [line.split(",")[0].strip('"') for line in lines]


def _name(wheel: ZipFile) -> str:
    """A distribution's name, for files may have any."""
    folder = next((path.partition("/")[0] for path in wheel.namelist() if ".dist-info/" in path), "")
    return normalised(folder.rpartition(".")[0].rpartition("-")[0])


def _modules(files: Iterable[str]) -> set[str]:
    """The modules that files are: top ones, and below a namespace the first with code in it."""
    paths = {path for path in files if path.endswith(SUFFIXES) and not path.startswith(("..", "/"))}
    paths = {path for path in paths if ".dist-info/" not in path and ".data/" not in path}
    regular = {path.rpartition("/")[0] for path in paths if "/__init__." in path}
    found = set()
    for path in paths:
        parts = path.split("/")
        parts[-1] = parts[-1].partition(".")[0]
        depth = next((n for n in range(1, len(parts)) if "/".join(parts[:n]) in regular), len(parts))
        name = ".".join(parts[: min(depth, DEEPEST)])
        if all(part.isidentifier() for part in name.split(".")) and parts[0] not in NEVER:
            found.add(name)
    crowded = {top for top, count in Counter(name.partition(".")[0] for name in found).items() if count > MOST}
    return {name for name in found if name.partition(".")[0] not in crowded} | crowded


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--fetch", type=Path, metavar="NAMES.txt")
    arguments = parser.parse_args()
    main(arguments.folders, arguments.fetch)
