"""Pyrefly on many variants of a package's files at once: far fewer runs than one for each answer."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guiderail.errors import GuiderailError
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.scoring import new_errors

PATIENCE_S = 600
FILES = 200  # of one call
Error = tuple[str, str]  # kind and message
VARIANT = re.compile(r"__variant\d+")


class CheckError(GuiderailError):
    """The type checker does not answer."""


def errors_of_variants(
    files: Sequence[SourceFile], variants: Mapping[str, Sequence[str]]
) -> dict[tuple[str, str], list[Error]]:
    """The new errors (`guiderail.evaluation.scoring.new_errors`) of each variant of a file, by path and text.

    Pyrefly checks every variant in its file's place in the package. Dependencies are not installed: what is missing for
    that is missing on both sides.

    Parameters
    ----------
    files
        All files of one package.
    variants
        By path, whole texts to be judged.

    Raises
    ------
    CheckError
        Pyrefly cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for file in files:
            place = root / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(file.text, encoding="utf-8")
        (root / "pyrefly.toml").write_text("", encoding="utf-8")
        named: dict[str, tuple[str, str]] = {}
        for path, texts in variants.items():
            for number, text in enumerate(dict.fromkeys(texts)):
                name = str(Path(path).with_name(f"{Path(path).stem}__variant{number}.py"))
                (root / name).write_text(text, encoding="utf-8")
                named[name] = path, text
        found = _errors(root, [*variants, *named])
    return {(path, text): new_errors(found[name], found[path]) for name, (path, text) in named.items()}


def _errors(root: Path, names: Sequence[str]) -> dict[str, list[Error]]:
    found: dict[str, list[Error]] = {name: [] for name in names}
    for start in range(0, len(names), FILES):
        for error in _check(root, names[start : start + FILES]):
            path = Path(error["path"])
            name = str(path.relative_to(root) if path.is_absolute() else path)
            # A message may name a class with its module in front, which is another for each variant.
            message = VARIANT.sub("", error["concise_description"])
            if error.get("severity", "error") == "error" and name in found:
                found[name].append((error["name"], message))
    return found


def _check(root: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    command = [sys.executable, "-P", "-m", "pyrefly", "check", "--output-format", "json", *names]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        return json.loads(done.stdout)["errors"]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError) as error:
        raise CheckError(f"pyrefly does not judge the answers ({error})", "Install it: pip install pyrefly") from error
