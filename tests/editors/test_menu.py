"""The laws of the menu route, in editors without ghost text: real Helix and Emacs with the real server."""

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.editors.parrot import SAID, SOURCE

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
HELIX = ROOT / ".clients" / "hx"
LANGUAGES = """
[language-server.guiderail]
command = "guiderail"
args = ["lsp"]

[[language]]
name = "python"
language-servers = ["guiderail"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file in a project of its own, with a hole at the end of line 6."""
    (tmp_path / ".git").mkdir()
    path = tmp_path / "shapes.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


@pytest.mark.skipif(not HELIX.exists(), reason="NO HELIX: tests/editors/fetch_neovim.sh fetches one")
def test_helix_offers_the_suggestion(file: Path, server_environment: dict[str, str]) -> None:
    """Two letters open Helix's menu with the suggestion, and accepting it replaces them."""
    pexpect = pytest.importorskip("pexpect", reason="NO PEXPECT: pip install -e '.[dev]'")
    pyte = pytest.importorskip("pyte", reason="NO PYTE: pip install -e '.[dev]'")
    settings = file.parent / "config" / "helix"
    settings.mkdir(parents=True)
    (settings / "languages.toml").write_text(LANGUAGES, encoding="utf-8")
    variables = {"XDG_CONFIG_HOME": str(settings.parent), "TERM": "xterm-256color"}
    helix = pexpect.spawn(
        str(HELIX), [file.name], cwd=str(file.parent), env=os.environ | server_environment | variables,
        dimensions=(20, 90),
    )  # fmt: skip
    screen = pyte.Screen(90, 20)
    screen.report_device_attributes = screen.report_device_status = lambda *_, **__: None
    stream = pyte.ByteStream(screen)

    def shows(text: str, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not any(text in line for line in screen.display):
            with contextlib.suppress(pexpect.TIMEOUT):
                stream.feed(helix.read_nonblocking(65536, timeout=0.1))
        return any(text in line for line in screen.display)

    try:
        assert shows("NOR", 30)
        # There is no item while the model loads, so type until one comes.
        helix.send("5jA")
        for _ in range(20):
            helix.send("wi")
            if shows(SAID, 4):
                break
            helix.send("\x08\x08")
        helix.send("\x0e\r")
        assert shows(f"return {SAID}", 10)
    finally:
        helix.close(force=True)


def has_eglot() -> bool:
    """Whether there is an Emacs with eglot."""
    if shutil.which("emacs") is None:
        return False
    probe = ["emacs", "--batch", "--eval", '(kill-emacs (if (locate-library "eglot") 0 1))']
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_eglot(), reason="NO EMACS WITH EGLOT: apt-get install emacs-nox elpa-eglot")
def test_emacs_completes_at_point(file: Path, server_environment: dict[str, str]) -> None:
    """In Emacs the suggestion is the completion at point."""
    done = subprocess.run(
        ["emacs", "--batch", "-l", str(Path(__file__).with_name("check.el"))],
        env=os.environ | server_environment | {"FILE": str(file)},
        capture_output=True, text=True, timeout=150, check=True,
    )  # fmt: skip
    assert f"LINE:    return {SAID}\n" in done.stderr
