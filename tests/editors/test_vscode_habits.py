"""Habits of the extension in a real VS Code: undo, accept line, reasons, counts, snooze, settings in their order."""

from pathlib import Path
from typing import Any

import pytest

from tests.editors.shapes import SHAPES
from tests.editors.vscode import CodeServer, missing

pytestmark = pytest.mark.e2e

if MISSING := missing():
    pytest.skip(f"NO VS CODE ({MISSING}): make test-editors fetches and builds all", allow_module_level=True)


@pytest.fixture(scope="module")
def seen(code: CodeServer, tmp_path_factory: pytest.TempPathFactory, shots: Path) -> dict[str, Any]:
    """What one run of the browser's steps saw."""
    folder = tmp_path_factory.mktemp("project") / "shapes"
    folder.mkdir()
    (folder / "shapes.py").write_text(SHAPES, encoding="utf-8")
    return code.drive(folder, "shapes.py", "", shots, "drive_vscode_habits.cjs")


def test_all_steps_were_made(seen: dict[str, Any]) -> None:
    """No step waited in vain."""
    assert seen.get("problem") is None


def test_undo_takes_back_the_acceptance_alone(seen: dict[str, Any]) -> None:
    """The dot that was typed right before it stays."""
    assert seen["accepted"] == seen["before"] + seen["ghost"]
    assert seen["undone"] == seen["before"]
    assert seen["before"].endswith(".")


def test_a_line_is_accepted_by_its_key(seen: dict[str, Any]) -> None:
    assert seen["line"] == seen["undone"] + seen["again"].split("\n")[0]


def test_why_is_a_read_only_page_of_sentences(seen: dict[str, Any]) -> None:
    text = " ".join(seen["why"]["text"].split())  # its lines are wrapped
    assert seen["why"]["locked"]
    assert "guiderail is ready. The model is embedded" in text
    assert "You asked for a suggestion" in text
    assert "of shapes.py, python." in text
    assert f"Sent to the editor: `{seen['third']}`." in text


def test_statistics_are_a_read_only_page(seen: dict[str, Any]) -> None:
    """What was accepted whole and by the line is counted."""
    assert seen["stats"]["locked"]
    row = next(line.split() for line in seen["stats"]["text"].splitlines() if line.startswith("python"))
    assert row[1] == "embedded"
    assert int(row[2]) >= 1
    assert int(row[3]) + int(row[4]) >= 1


def test_snooze_is_chosen_shown_and_ended(seen: dict[str, Any]) -> None:
    """The entries that turn suggestions on and off say how they are."""
    assert seen["minutes"] == ["5 minutes", "30 minutes", "60 minutes"]
    assert "guiderail: snoozed" in seen["snoozed"]
    assert any("End the snooze" in entry and "they are off until" in entry for entry in seen["menu"])
    assert "guiderail: ready" in seen["ended"]
    assert any("Turn on for this file" in entry for entry in seen["fileMenu"])


def test_the_settings_that_matter_come_first(seen: dict[str, Any]) -> None:
    """Those of the machine, such as the model, are on a tab of their own where VS Code is served to a browser."""
    shown = " ".join(seen["settings"])
    assert shown.index("Enable") < shown.index("Disable Languages") < shown.index("Disable Paths")
    assert "Advanced" in seen["categories"]
