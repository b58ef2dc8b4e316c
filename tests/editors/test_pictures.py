"""Neovim as a new user sees it, with the embedded model and its monitors: the picture of the documentation."""

from pathlib import Path

import pytest

from tests.editors.neovim import Neovim
from tests.editors.picture import draw
from tests.editors.shapes import HOLE, SHAPES

pytestmark = pytest.mark.e2e


def test_a_member_of_the_users_own_class(
    neovim_program: str, server_environment: dict[str, str], tmp_path: Path, shots: Path
) -> None:
    """After the dot of an object of the person's own class stands a member of it, and accepting takes the line."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "shapes.py").write_text(SHAPES, encoding="utf-8")
    chosen = {"GUIDERAIL_MODEL": "embedded", "GUIDERAIL_CONFIDENCE": "off"}  # of three members each may be meant
    neovim = Neovim(neovim_program, tmp_path, server_environment | chosen)
    try:
        neovim.rpc.command("set number signcolumn=no statusline=%t\\ %=%{v:lua.require'guiderail'.statusline()}\\ ")
        neovim.open(tmp_path / "shapes.py")
        neovim.keys(f"{HOLE}GA")
        neovim.type(".", 0.1)
        ghost = neovim.wait_for_ghost(60)
        assert ghost.startswith(("width", "height", "depth"))
        neovim.until(lambda: neovim.state() == "ready", "guiderail to be ready")
        draw(neovim.rpc, shots / "neovim-ghost-text.svg", "Neovim")
        assert neovim.lua("return require('guiderail').accept()") is True
        neovim.until(lambda: neovim.text().endswith(f"return box.{ghost}"), "the suggestion in the buffer")
    finally:
        neovim.close()
