"""The one format of every measurement: what was measured (rows), and under which conditions (meta)."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from guiderail import __version__, programs
from guiderail.errors import UsageError

LIBRARIES = ("torch", "transformers", "tokenizers", "numpy")
UNKNOWN = "unknown"
CODE = ("guiderail", "datasets")  # folders of a checkout that decide what is measured


def meta(seeds: Mapping[str, int], *, libraries: Iterable[str] = (), **more: Any) -> dict[str, Any]:
    """The conditions of a measurement.

    Parameters
    ----------
    seeds
        Every seed by what it seeds.
    libraries
        Distributions whose versions matter here, beside torch, transformers, tokenizers and numpy.
    more
        Further conditions, under their names.
    """
    return {
        "versions": versions(*libraries),
        "commit": commit(),
        "hardware": hardware(),
        "seeds": dict(seeds),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **more,
    }


def versions(*libraries: str) -> dict[str, str]:
    """Of guiderail, Python, the libraries that always matter, and further ones."""
    found = {name: _version(name) for name in (*LIBRARIES, *libraries)}
    return {"guiderail": __version__, "python": platform.python_version(), **found}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def commit() -> str:
    """The checkout's commit, with "+changes" if tracked files differ from it; "unknown" outside a checkout.

    After "+changes" comes a digest of how the code differs, so that two edits are told apart.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return UNKNOWN
    try:
        head = _git(root, "rev-parse", "HEAD").decode()
        is_changed = _git(root, "status", "--porcelain", "--untracked-files=no")
        return f"{head}+changes.{_changes(root)}" if is_changed else head
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN


def _changes(root: Path) -> str:
    """A digest of how the code and the lists of packages differ from the commit, new files among them."""
    digest = hashlib.sha256(_git(root, "diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD", "--", *CODE))
    for name in _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *CODE).split(b"\0"):
        file = root / os.fsdecode(name)
        digest.update(name + (file.read_bytes() if file.is_file() else b""))
    return digest.hexdigest()[:12]


def _git(root: Path, *words: str) -> bytes:
    git = programs.find("git")
    if git is None:
        raise FileNotFoundError("git is not installed")
    return subprocess.run([git, "-C", str(root), *words], capture_output=True, check=True, timeout=30).stdout.strip()


def hardware() -> dict[str, Any]:
    """Processor, cores that this process may use, threads of a pass, memory, and the GPU if torch sees one."""
    import psutil
    import torch

    from guiderail.model.threads import allowed

    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "cpu": _cpu_name(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "threads": allowed(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
    }


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or UNKNOWN


def write(target: str, conditions: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the measurement as JSON to a file, or to standard output for "-".

    Raises
    ------
    UsageError
        The file cannot be written.
    """
    write_text(target, json.dumps({"meta": conditions, "rows": list(rows)}, indent=2, allow_nan=False) + "\n")


def write_text(target: str, text: str) -> None:
    """Write a text to a file, or to standard output for "-".

    Raises
    ------
    UsageError
        The file cannot be written.
    """
    if target == "-":
        sys.stdout.write(text)
        return
    try:
        Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}", "Choose another file") from error
