"""An unmodified sidekick.nvim in a real Neovim: it shows the edits that follow from a change, and Tab makes them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.monitors.analysis.servers import server_named
from tests.editors.neovim import ROOT, Neovim
from tests.editors.serving import PLUGINS

pytestmark = pytest.mark.e2e

pytest.importorskip("pynvim", reason="NO PYNVIM: pip install -e '.[dev]'")

SIDEKICK = PLUGINS / "sidekick.nvim"
if not SIDEKICK.exists():
    pytest.skip("NO PLUG-INS: tests/editors/fetch_plugins.sh fetches them", allow_module_level=True)

# The name is all that sidekick.nvim looks for in a server; the rest is docs/next-edits.md's.
SETUP = """
vim.lsp.config("guiderail-copilot", {
  cmd = { "guiderail", "lsp" }, filetypes = { "python" }, root_markers = { ".git" },
})
vim.lsp.enable("guiderail-copilot")
require("sidekick").setup({})
vim.keymap.set("n", "<Tab>", function()
  if not require("sidekick").nes_jump_or_apply() then return "<Tab>" end
end, { expr = true })
"""
SHOWN = """
local space = vim.api.nvim_get_namespaces()["sidekick.ui"]
return #vim.api.nvim_buf_get_extmarks(0, space, 0, -1, {}) > 0
"""
READY = "return (vim.lsp.get_clients({ name = 'guiderail-copilot' })[1] or {}).initialized"

SHOP = "def price(net, tax):\n    return net * tax\n\n\ndef double(net):\n    return price(net, tax=2)\n"
TEST = "from shop import double, price\n\nassert price(3, tax=2) == 6\n"


@pytest.fixture
def sidekick(
    neovim_program: str, server_environment: dict[str, str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    """An editor with the plug-in, and a project of two files, the first of which is open."""
    if server_named("ty").find() is None:
        pytest.skip("ty is not installed: pip install ty")
    (tmp_path / ".git").mkdir()
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "test_shop.py").write_text(TEST)
    variables = server_environment | {"PYTHONPATH": str(ROOT)}
    load = ("--cmd", f"set runtimepath^={SIDEKICK}")
    editor = Neovim(neovim_program, tmp_path_factory.mktemp("neovim"), variables, load)
    try:
        editor.lua(SETUP)
        editor.rpc.command(f"edit {tmp_path / 'shop.py'}")
        editor.until(lambda: editor.lua(READY), "the server", 60)
        yield editor
    finally:
        editor.close()


def test_sidekick_shows_what_follows_and_tab_makes_it(sidekick: Neovim) -> None:
    """Each Tab goes to the next use or changes it, until none is left; undo takes back one."""
    sidekick.keys("gg/tax<CR>cwrate<Esc>")
    changed = SHOP.replace("tax", "rate", 1)
    sidekick.until(lambda: sidekick.text() + "\n" == changed, "the change")
    texts = [changed]
    while len(texts) < 3:
        sidekick.until(lambda: sidekick.lua(SHOWN), "an edit", 120)
        place = sidekick.cursor(), texts[-1]
        sidekick.keys("<Tab>")
        sidekick.until(lambda place=place: place != (sidekick.cursor(), sidekick.text() + "\n"), "a step")
        if sidekick.text() + "\n" != texts[-1]:
            texts.append(sidekick.text() + "\n")
    assert texts == [SHOP.replace("tax", "rate", count) for count in (1, 2, 3)]
    sidekick.keys("u")
    sidekick.until(lambda: sidekick.text() + "\n" == texts[-2], "the last edit to be undone")
    sidekick.until(lambda: sidekick.lua(SHOWN), "the edit that was undone", 120)


def test_sidekick_clears_what_is_typed_over(sidekick: Neovim) -> None:
    """An edit for another text than the buffer's is never shown: a use that was changed by hand needs none."""
    sidekick.keys("gg/tax<CR>cwrate<Esc>")
    sidekick.until(lambda: sidekick.lua(SHOWN), "an edit", 120)
    sidekick.keys(":%s/tax/rate/<CR>")
    sidekick.until(lambda: sidekick.text() + "\n" == SHOP.replace("tax", "rate"), "the change")
    sidekick.until(lambda: not sidekick.lua(SHOWN), "the edit to go")
