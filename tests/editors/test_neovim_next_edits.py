"""Next edits in a real Neovim: a parameter is renamed, and Tab after Tab its uses follow in two files."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.monitors.analysis.servers import server_named
from tests.editors.neovim import Neovim

pytestmark = pytest.mark.e2e

pytest.importorskip("pynvim", reason="NO PYNVIM: pip install -e '.[dev]'")

# Four uses of a parameter, in two files.
SHOP = "def price(net, tax):\n    return net * tax\n\n\ndef double(net):\n    return price(net, tax=2)\n"
TEST = "from shop import double, price\n\nassert price(3, tax=2) == 6\nassert price(net=1, tax=5)\nassert double(1)\n"
MARKS = """
local space, found = vim.api.nvim_get_namespaces()["guiderail.next_edit"], {}
for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
  for _, piece in ipairs(mark[4].virt_text or {}) do found[#found + 1] = piece[1] end
end
return found
"""
TAKE = "return require('guiderail').next_edit()"


@pytest.fixture
def shop(editor: Neovim, tmp_path: Path) -> Iterator[Path]:
    """A project of two files, the first of which is open."""
    if server_named("ty").find() is None:
        pytest.skip("ty is not installed: pip install ty")
    (tmp_path / ".git").mkdir()
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "test_shop.py").write_text(TEST)
    editor.open(tmp_path / "shop.py")
    yield tmp_path
    editor.keys("<Esc>")
    editor.rpc.command("silent! %bwipeout!")


def test_a_parameter_is_renamed_by_one_key(editor: Neovim, shop: Path) -> None:
    """Each key goes to the next use or changes it; then the project's tests pass."""
    editor.keys("gg/tax<CR>cwrate<Esc>")
    editor.until(lambda: editor.text().startswith("def price(net, rate)"), "the change")
    for _ in range(20):
        shown = editor.until(lambda: editor.lua(MARKS) or done(editor), "an edit, or the end", 60)
        if shown is True:
            break
        before = editor.text(), editor.cursor(), editor.rpc.current.buffer.name
        assert editor.lua(TAKE) is True
        editor.until(
            lambda before=before: before != (editor.text(), editor.cursor(), editor.rpc.current.buffer.name), ""
        )
    editor.rpc.command("silent wall")
    assert (shop / "shop.py").read_text() == SHOP.replace("tax", "rate")
    assert (shop / "test_shop.py").read_text() == TEST.replace("tax", "rate")
    subprocess.run([sys.executable, "test_shop.py"], check=True, cwd=shop)


def state(editor: Neovim) -> tuple[str, tuple[int, int], str]:
    """The buffer's text, the cursor, and the buffer."""
    return editor.text(), editor.cursor(), editor.rpc.current.buffer.name


def done(editor: Neovim) -> bool:
    """Whether no use of the old name is left in any buffer."""
    return editor.lua("""
      for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
        local text = table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), " ")
        if text:find("tax") then return false end
      end
      return vim.fn.bufloaded("test_shop.py") == 1 or #vim.api.nvim_list_bufs() > 1
    """)


def test_what_is_dismissed_is_gone(editor: Neovim, shop: Path) -> None:
    """The marks go at once, the key does nothing more, and the text is as it was."""
    editor.keys("gg/tax<CR>cwrate<Esc>")
    editor.until(lambda: editor.lua(MARKS), "an edit", 60)
    text = editor.text()
    assert editor.lua("return require('guiderail').dismiss_next_edit()") is True
    assert (editor.lua(MARKS), editor.lua(TAKE), editor.text()) == ([], False, text)


def test_an_edit_is_undone_alone(editor: Neovim, shop: Path) -> None:
    editor.keys("gg/tax<CR>cwrate<Esc>")
    editor.until(lambda: editor.lua(MARKS), "an edit", 60)
    before = editor.text()
    for _ in range(2):  # there, and then
        editor.lua(TAKE)
    editor.until(lambda: editor.text() != before, "the edit")
    editor.keys("u")
    editor.until(lambda: editor.text() == before, "the text before the edit")


def test_an_edit_elsewhere_is_named(editor: Neovim, shop: Path) -> None:
    """Where nothing is left in this file, the line of the cursor says where the next one is."""
    editor.keys("gg/tax<CR>cwrate<Esc>:2s/tax/rate/<CR>:6s/tax/rate/<CR>")
    hint = editor.until(lambda: [one for one in editor.lua(MARKS) if "→" in one], "a hint", 60)
    assert "test_shop.py:3" in hint[0]
    assert "tax → rate" in hint[0]
    assert "(2 edits)" in hint[0]
