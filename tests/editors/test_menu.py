"""The laws of the menu route, in editors without ghost text: real Helix and Emacs with the real server."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.editors.neovim import ROOT
from tests.editors.parrot import SAID, SOURCE
from tests.editors.terminal import Terminal

pytestmark = pytest.mark.e2e

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


def test_helix_offers_the_suggestion(file: Path, fetched: str, server_environment: dict[str, str]) -> None:
    """Two letters open Helix's menu with the suggestion, and accepting it replaces them."""
    if not HELIX.exists():
        pytest.skip(f"NO HELIX: {fetched}")
    settings = file.parent / "config" / "helix"
    settings.mkdir(parents=True)
    (settings / "languages.toml").write_text(LANGUAGES, encoding="utf-8")
    variables = server_environment | {"XDG_CONFIG_HOME": str(settings.parent)}
    with Terminal([str(HELIX), file.name], file.parent, variables) as helix:
        helix.wait_for("NOR", 30)
        # There is no item while the model loads, so type until one comes.
        helix.send("5jA")
        for _ in range(20):
            helix.send("wi")
            if helix.shows(SAID, 4):
                break
            helix.send("\x08\x08")
        helix.send("\x0e\r")
        helix.wait_for(f"return {SAID}", 10)


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
