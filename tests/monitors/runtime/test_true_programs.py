"""Programs composed of idioms that make names at run time: they run, and no monitor forbids any of their text."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from guiderail.evaluation.studies.soundness import folder_files, positions, replay
from guiderail.monitors.registry import chosen
from tests.monitors.runtime.idioms import FRAMEWORK, IDIOMS
from tests.monitors.snapshots import PYREFLY

MONITORS = "dereference,arguments,imports,keys,enums"
SEEDS = range(3)
LEAST_HELD = 0.4  # of the places, the share that must be constrained: who abstains is never wrong


def written(root: Path, names: list[str], *, line_end: str = "\n") -> list[str]:
    """Write the idioms into a project; the modules to run."""
    files, mains = dict(FRAMEWORK), []
    for number, name in enumerate(names):
        parts = {key: _numbered(text, number) for key, text in IDIOMS[name].items()}
        files |= {_numbered(key, number): text for key, text in parts.items()}
        mains.append(_numbered("useN" if "useN.py" in parts else "mN", number))
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.replace("\n", line_end).encode())
    return mains


def _numbered(text: str, number: int) -> str:
    for word in ("m", "use", "boot", "base", "names", "lazy", "built", "shapes", "kit"):
        text = text.replace(f"{word}N", f"{word}_{number}")
    return text


def forbidden(root: Path) -> list[str]:
    """What monitors would forbid of a project's text, at all places that trigger one."""
    files = folder_files(root, "python")
    asked = [place for monitor in chosen(MONITORS) for place in positions(files, root, monitor, 10**6, 0)]
    assert len(asked) > 50
    verdicts = replay(asked, root, PYREFLY).verdicts
    held = [one for one in verdicts if one.abstained is None and one.right is not None]
    assert len(held) > len(asked) * LEAST_HELD
    wrong = [one for one in held if one.right is False]
    return [f"{one.monitor}: {one.path}:{one.offset} {one.truth}" for one in wrong]


@pytest.mark.e2e
@pytest.mark.parametrize("seed", SEEDS)
def test_no_truth_is_forbidden(tmp_path: Path, seed: int) -> None:
    """Whatever idioms a project combines."""
    if PYREFLY.find() is None:
        pytest.skip("pyrefly is not installed")
    shuffled = sorted(IDIOMS)
    random.Random(seed).shuffle(shuffled)
    chosen_names = shuffled if seed == 0 else shuffled[: len(shuffled) // 2]
    mains = written(tmp_path, chosen_names, line_end="\r\n" if seed == 2 else "\n")
    program = "import " + ", ".join(mains)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "\n".join(forbidden(tmp_path)) == ""
