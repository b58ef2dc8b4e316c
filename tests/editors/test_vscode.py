"""The laws of the extension in a real VS Code, with the real server and the embedded model."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.editors.shapes import SHAPES
from tests.editors.vscode import CodeServer, missing

pytestmark = pytest.mark.e2e

if MISSING := missing():
    pytest.skip(f"NO VS CODE ({MISSING}): make test-editors fetches and builds all", allow_module_level=True)

TYPED = "    return box."
MEMBERS = ("width", "height", "depth")


@pytest.fixture(scope="module")
def seen(code: CodeServer, tmp_path_factory: pytest.TempPathFactory, shots: Path) -> dict[str, Any]:
    """What one run of the browser's steps saw."""
    folder = tmp_path_factory.mktemp("project") / "shapes"
    folder.mkdir()
    (folder / "shapes.py").write_text(SHAPES, encoding="utf-8")
    # The workspace's own values: a switch that is thrown in the person's settings would be overruled.
    (folder / ".vscode").mkdir()
    own = {"guiderail.enable": True, "guiderail.disableLanguages": ["sql"]}
    (folder / ".vscode" / "settings.json").write_text(json.dumps(own), encoding="utf-8")
    (folder / ".vscode" / "notes.md").write_text("# Shapes\n", encoding="utf-8")  # where no picture shows it
    return code.drive(folder, "shapes.py", "notes.md", shots)


def test_all_steps_were_made(seen: dict[str, Any]) -> None:
    """No step waited in vain."""
    assert seen.get("problem") is None


def test_ghost_text_appears_and_is_accepted(seen: dict[str, Any]) -> None:
    """Typing a dot brings a member of the class as ghost text; Ctrl+Right takes a word of it, Tab the rest."""
    ghost = seen["ghosts"]["first"]
    assert ghost.startswith(MEMBERS)
    assert seen["afterWord"].startswith(TYPED)
    assert len(TYPED) < len(seen["afterWord"]) < len(TYPED + ghost)
    assert (TYPED + ghost).startswith(seen["afterWord"])
    assert seen["afterTab"] == TYPED + ghost


def test_the_menu_does_not_repeat_the_ghost_text(seen: dict[str, Any]) -> None:
    """Where there is ghost text, no completion menu opens with the same words."""
    assert seen["suggestWidget"] == 0


def test_asking_by_hand_cycles(seen: dict[str, Any]) -> None:
    """A request by hand brings several suggestions, and Alt+] shows another one."""
    assert seen["ghosts"]["byHand"].startswith(MEMBERS)
    assert seen["ghosts"]["next"].startswith(MEMBERS)
    assert seen["ghosts"]["next"] != seen["ghosts"]["byHand"]


@pytest.mark.parametrize("switch", ["all", "language"])
def test_the_status_bar_follows(seen: dict[str, Any], switch: str) -> None:
    """The status bar says off after a toggle, though the workspace says on, and ready again."""
    assert "guiderail: ready" in seen["ready"]
    off, on = seen[switch]
    assert "guiderail: off" in off
    assert "guiderail: ready" in on


def test_a_restart_during_a_start_ends_with_one_server(seen: dict[str, Any], code: CodeServer) -> None:
    """Two restarts at once leave one server, which suggests, and no complaint."""
    assert seen["ghosts"]["restarted"].startswith(MEMBERS)
    assert seen["messages"] == []
    assert code.settled_servers() == 1


def test_the_menu(seen: dict[str, Any]) -> None:
    """A click on the status bar offers to turn it off, to explain, to show the log and to restart."""
    menu = " ".join(seen["menu"])
    for words in ("Turn off", "for python", "this file", "Explain", "log", "Restart"):
        assert words in menu


def test_the_menu_of_prose_offers_to_turn_it_on(seen: dict[str, Any]) -> None:
    """Where suggestions are off unless they are asked for, the language can be turned on, and all of them off."""
    menu = " ".join(seen["proseMenu"])
    for words in ("Turn off", "Turn on for markdown", "this file"):
        assert words in menu
