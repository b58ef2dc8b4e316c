"""Programs in the sandbox, and what is left of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from guiderail.decoding.sandbox.sandbox import Outcome, Tree, run


def python(
    code: str, tree: Tree | None = None, *, seconds: float = 60, megabytes: int = 1024, marker: str = ""
) -> Outcome:
    """What becomes of some Python in the sandbox; skips where there is none. `marker` shows in its command line."""
    found = run([sys.executable, "-c", code, marker], tree or Tree(), seconds=seconds, megabytes=megabytes)
    if found.refused:
        pytest.skip(f"this machine has no sandbox: {found.refused}")
    return found


def living(marker: str) -> list[int]:
    """The processes of this machine whose command line ends with the marker."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                line = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            except OSError:
                continue
            if line[-1] == marker.encode() and line[1] == b"-c":
                found.append(int(process.name))
    return found
