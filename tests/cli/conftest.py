"""What the command line's tests share: a tiny model, a clean home, and two ways to run a command."""

import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from guiderail.cli.main import run
from tests.helpers.tiny import tiny_model_folder

SCRIPT = [sys.executable, "-m", "guiderail"]


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of the embedded model's shape, in a folder."""
    return tiny_model_folder("guiderail", tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home and an empty working folder, without settings from outside."""
    for name in [name for name in os.environ if name.startswith("GUIDERAIL_")]:
        monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home" / name.lower()))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield tmp_path / "home"
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def small(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny model as the one that the settings name."""
    monkeypatch.setenv("GUIDERAIL_MODEL", str(tiny_model))
    monkeypatch.setenv("GUIDERAIL_THREADS", "1")
    monkeypatch.setenv("GUIDERAIL_MONITORS", "off")  # an analyser for each command would take most of the time
    return tiny_model


@pytest.fixture
def guiderail(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command inside this process, with ``stdin`` as its standard input."""

    def call(*args: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        code = run([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def process() -> Callable[..., Result]:
    """Run a command as a process of its own."""

    def call(*args: object, stdin: bytes = b"", timeout: float = 60) -> Result:
        command = [*SCRIPT, *map(str, args)]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, check=False)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call


@pytest.fixture
def source() -> Path:
    """A small Python file in the working folder."""
    path = Path("app.py").resolve()
    path.write_text("def größe(items):\n    return len(it\n\n\nprint(größe([]))\n", encoding="utf-8")
    return path
