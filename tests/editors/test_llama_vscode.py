"""Unmodified llama.vscode in a real VS Code, with a real `guiderail serve`: its suggestions gain monitors."""

from pathlib import Path

import pytest

from tests.editors.serving import MEMBERS, PLUGINS, WRONG, Serving, project
from tests.editors.shapes import SHAPES
from tests.editors.vscode import CodeServer, missing

pytestmark = pytest.mark.e2e

VSIX = PLUGINS / "llama.vscode" / "llama-vscode.vsix"

if MISSING := missing(VSIX):
    pytest.skip(f"NO VS CODE ({MISSING}): fetch_vscode.sh and fetch_plugins.sh fetch it", allow_module_level=True)


def test_llama_vscode_gains_monitors(tmp_path: Path) -> None:
    """In a file of the project a member is suggested and inserted; in one that is not read, what the model says."""
    root = project(tmp_path / "shapes")
    (root / ".gitignore").write_text("other.py\n", encoding="utf-8")
    (root / "other.py").write_text(SHAPES.replace("Box", "Crate"), encoding="utf-8")
    (tmp_path / "serve").mkdir()
    server = Serving(tmp_path / "serve", root)
    settings = {
        "llama-vscode.endpoint": server.url,
        "llama-vscode.ask_install_llamacpp": False,
        "llama-vscode.rag_enabled": False,
    }
    try:
        server.wait_for_monitors()
        code = CodeServer(tmp_path / "code", {"HOME": str(tmp_path)}, VSIX, settings)
        try:
            seen = code.drive(root, "shapes.py", "other.py", tmp_path / "shots", "drive_vscode_llama.cjs")
        finally:
            code.close()
    finally:
        server.close()
    assert seen.get("problem") is None, seen
    assert MEMBERS.match(seen["inside"]), seen
    assert seen["accepted"] == f"    return box.{seen['inside']}"
    assert seen["outside"].startswith(WRONG)
