"""Next edits in a real VS Code: a parameter is renamed, and Tab after Tab its uses follow in two files."""

import subprocess
import sys
from pathlib import Path

import pytest

from guiderail.monitors.analysis.servers import server_named
from tests.editors.test_neovim_next_edits import SHOP, TEST
from tests.editors.vscode import CodeServer, missing

pytestmark = pytest.mark.e2e

if MISSING := missing():
    pytest.skip(f"NO VS CODE ({MISSING}): make test-editors fetches and builds all", allow_module_level=True)


def test_a_parameter_is_renamed_by_tab(code: CodeServer, tmp_path: Path, shots: Path) -> None:
    """Each Tab goes to the next use or changes it; then the project's tests pass."""
    if server_named("ty").find() is None:
        pytest.skip("ty is not installed: pip install ty")
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / ".git").mkdir()
    (folder / "shop.py").write_text(SHOP, encoding="utf-8")
    (folder / "test_shop.py").write_text(TEST, encoding="utf-8")
    seen = code.drive(folder, "shop.py", "", shots, "drive_vscode_next_edits.cjs")
    assert seen.get("problem") is None
    assert (folder / "shop.py").read_text(encoding="utf-8") == SHOP.replace("tax", "rate")
    assert (folder / "test_shop.py").read_text(encoding="utf-8") == TEST.replace("tax", "rate")
    assert any("→ test_shop.py:3" in text for text in seen["marks"])
    subprocess.run([sys.executable, "test_shop.py"], check=True, cwd=folder)
