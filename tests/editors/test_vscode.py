"""The laws of the extension in a real VS Code with the real server and a tiny model that says one thing."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.editors.parrot import SAID, SOURCE
from tests.editors.vscode import ROOT, CodeServer, missing

pytestmark = pytest.mark.e2e

if MISSING := missing():
    pytest.skip(f"NO VS CODE ({MISSING}): make test-editors fetches and builds all", allow_module_level=True)


@pytest.fixture(scope="module")
def code(server_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodeServer]:
    server = CodeServer(tmp_path_factory.mktemp("code"), server_environment)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def seen(code: CodeServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one run of the browser's steps saw; screenshots go into the documentation."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "shapes.py").write_text(SOURCE.replace("return \n", "return\n"), encoding="utf-8")
    shots = ROOT / "docs" / "images"
    shots.mkdir(exist_ok=True)
    return code.drive(folder, "shapes.py", shots)


def test_all_steps_were_made(seen: dict[str, Any]) -> None:
    """No step waited in vain."""
    assert "problem" not in seen


def test_ghost_text_appears_and_is_accepted(seen: dict[str, Any]) -> None:
    """Typing brings ghost text; Ctrl+Right takes a word of it, Tab the rest."""
    assert seen["ghosts"]["first"].strip() == SAID
    assert seen["afterWord"].startswith("    return width")
    assert seen["afterTab"] == "    return " + SAID


def test_asking_by_hand_cycles(seen: dict[str, Any]) -> None:
    """A request by hand brings a suggestion, and Alt+] leaves one on the screen."""
    assert seen["ghosts"]["byHand"].strip()
    assert seen["ghosts"]["next"].strip()


def test_the_status_bar_follows(seen: dict[str, Any]) -> None:
    """The status bar says ready, off after the toggle, and ready again."""
    assert "guiderail: ready" in seen["ready"]
    assert "guiderail: off" in seen["off"]
    assert "guiderail: ready" in seen["on"]


def test_the_menu(seen: dict[str, Any]) -> None:
    """A click on the status bar offers to turn it off, to explain, to show the log and to restart."""
    menu = " ".join(seen["menu"])
    for words in ("Turn off", "for python", "this file", "Explain", "log", "Restart"):
        assert words in menu
