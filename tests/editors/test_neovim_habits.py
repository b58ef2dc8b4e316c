"""Habits of the plug-in in a real Neovim: snooze, reasons, counts, undo, colours, one server for several roots."""

import re
from pathlib import Path

import pytest

from tests.editors.neovim import Neovim
from tests.editors.parrot import SAID, SOURCE
from tests.editors.test_neovim import after_insertion, told

pytestmark = pytest.mark.e2e

pytest.importorskip("pynvim", reason="NO PYNVIM: pip install -e '.[dev]'")

STATUS = "return require('guiderail').statusline()"


def page(editor: Neovim, word: str) -> str:
    """What `:Guiderail word` shows, read-only, in a window of its own."""
    editor.keys("<Esc>")
    editor.rpc.command(f"silent Guiderail {word}")
    name = "return vim.api.nvim_buf_get_name(0)"  # at once: the buffer may be another one a moment later
    editor.until(lambda: editor.lua(name).endswith(f"guiderail://{word}"), "the page")
    assert editor.lua("return { vim.bo.modifiable, vim.bo.buftype }") == [False, "nofile"]
    return editor.text()


def test_undo_takes_back_the_acceptance_alone(editor: Neovim, project: Path) -> None:
    """What was typed before it in the same insertion stays, and what was typed after it goes first."""
    editor.wait_for_ghost()
    editor.type("w")
    editor.until(lambda: editor.ghost() == SAID[1:], "the rest as ghost text", 30)
    assert editor.lua("return require('guiderail').accept()") is True
    editor.until(lambda: editor.text() == after_insertion(SAID), "the suggestion in the buffer")
    editor.type(" + 1")
    editor.keys("<Esc>")
    for text in (SAID, "w", ""):
        editor.keys("u")
        editor.until(lambda text=text: editor.text() == after_insertion(text), f"{text!r} after undo", 5)
    for text in ("w", SAID, SAID + " + 1"):
        editor.keys("<C-r>")
        editor.until(lambda text=text: editor.text() == after_insertion(text), f"{text!r} after redo", 5)


def test_undo_takes_back_each_accepted_word(editor: Neovim, project: Path) -> None:
    editor.wait_for_ghost()
    words = ["width", "width *"]
    for text in words:
        editor.until(lambda: editor.lua("return require('guiderail').accept_word()"), "something to accept", 30)
        editor.until(lambda text=text: editor.text() == after_insertion(text), text)
        editor.wait_for_ghost()
    editor.keys("<Esc>")
    for text in ("width", ""):
        editor.keys("u")
        editor.until(lambda text=text: editor.text() == after_insertion(text), f"{text!r} after undo", 5)


def test_snooze_is_shown_and_ends(editor: Neovim, project: Path) -> None:
    """While it lasts nothing is suggested and the status line says until when; `off` ends it, as the toggle does."""
    editor.wait_for_ghost()
    editor.keys("<Esc>")
    for ends, answer in (("snooze off", "no longer snoozed"), ("toggle", "suggestions are on")):
        said = told(editor, "snooze 30")
        assert re.fullmatch(r"guiderail: snoozed until \d\d:\d\d", said)
        editor.until(lambda said=said: editor.lua(STATUS) == said, "the status line")
        before = editor.answered()
        editor.keys("6GA")
        editor.wait_for_answer(before)
        assert editor.ghost() == ""
        editor.keys("<Esc>")
        assert told(editor, ends) == f"guiderail: {answer}"
        editor.until(lambda: editor.lua(STATUS) == "guiderail: ready", "the status line")
    editor.keys("6GA")
    assert editor.wait_for_ghost() == SAID


@pytest.mark.parametrize(("state", "enabled", "shown"), [("error", True, "error"), ("disabled", False, "off")])
def test_a_snooze_hides_no_error_and_no_off(editor: Neovim, state: str, enabled: bool, shown: str) -> None:
    said = {"state": state, "enabled": enabled, "snoozed": "14:05"}
    code = "local s = require('guiderail.status') s.update(-1, ...) return s.short({ id = -1 })"
    assert editor.lua(code, said) == f"guiderail: {shown}"
    assert editor.lua(code, {"state": "disabled", "enabled": True, "snoozed": "14:05"}).endswith("snoozed until 14:05")


def test_the_status_line_says_off(editor: Neovim, project: Path) -> None:
    editor.wait_for_ghost()
    editor.keys("<Esc>")
    assert told(editor, "toggle") == "guiderail: suggestions are off"
    editor.until(lambda: editor.lua(STATUS) == "guiderail: off", "the status line")
    assert told(editor, "toggle") == "guiderail: suggestions are on"
    editor.until(lambda: editor.lua(STATUS) == "guiderail: ready", "the status line", 60)


def test_why_is_a_page_of_sentences(editor: Neovim, project: Path) -> None:
    """It names the place, what was sent and the model; in a comment that is switched off, the reason."""
    editor.wait_for_ghost()
    text = page(editor, "why")
    assert "guiderail is ready. The model is" in text
    assert "line 6 of shapes.py, python." in text
    assert f"Sent to the editor: `{SAID}`." in text
    editor.rpc.command("bwipeout")
    editor.keys('6GA"""the width of<Esc>')
    before = editor.answered()
    editor.keys("A ")
    editor.wait_for_answer(before)
    assert editor.ghost() == ""
    assert "The model was not asked: suggestions are off in strings of prose." in page(editor, "why")
    assert page(editor, "why")  # again, in place of the one that is open


def test_stats_count_what_is_shown_and_accepted(editor: Neovim, project: Path) -> None:
    assert told(editor, "stats reset") == "guiderail: all counts are forgotten"
    editor.keys("<Esc>6GA")
    editor.wait_for_ghost()
    assert editor.lua("return require('guiderail').accept_word()") is True
    editor.until(lambda: editor.text() == after_insertion("width"), "a word")
    editor.wait_for_ghost()
    row = page(editor, "stats").splitlines()[-1].split()
    assert [row[0], *row[2:5]] == ["python", "1", "0", "1"]
    editor.rpc.command("bwipeout")
    editor.keys("A")
    editor.wait_for_ghost()
    assert editor.lua("return require('guiderail').accept()") is True
    editor.until(lambda: editor.text() == after_insertion(SAID), "all of it")
    row = page(editor, "stats").splitlines()[-1].split()
    assert [row[0], *row[2:5]] == ["python", "1", "1", "0"]


def test_ghost_text_has_a_colour_without_true_colour(editor: Neovim, project: Path) -> None:
    """Also after another colour scheme; one that a person or a scheme has given stays."""
    editor.wait_for_ghost()
    read = "return vim.api.nvim_get_hl(0, { name = 'ComplHint', link = false }).ctermfg"
    plain = editor.lua("return vim.api.nvim_get_hl(0, { name = 'Normal', link = false }).ctermfg")
    for scheme in ("default", "retrobox", "default"):
        editor.rpc.command(f"colorscheme {scheme}")
        assert editor.lua(read) not in {None, plain}, scheme
    editor.rpc.command("highlight ComplHint ctermfg=5")
    editor.rpc.command("doautocmd ColorScheme")
    assert editor.lua(read) == 5
    editor.rpc.command("colorscheme default")


def test_one_server_serves_several_roots(editor: Neovim, project: Path, tmp_path: Path) -> None:
    """A file of another project joins the server that runs, which suggests there too; closing neither ends it."""
    editor.wait_for_ghost()
    editor.keys("<Esc>")
    others = []
    for name in ("second", "third"):
        (tmp_path / name / ".git").mkdir(parents=True)
        file = tmp_path / name / "shapes.py"
        file.write_text(SOURCE, encoding="utf-8")
        others.append(file)
    for file in others:
        editor.open(file)
        editor.keys("6GA")
        assert editor.wait_for_ghost() == SAID
        editor.keys("<Esc>")
    assert editor.lua("return #vim.lsp.get_clients({ name = 'guiderail' })") == 1
    assert editor.lua("return #vim.api.nvim_get_proc_children(vim.fn.getpid())") == 1
    folders = editor.lua(
        "return vim.tbl_map(function(f) return f.uri end, require('guiderail').client().workspace_folders)"
    )
    assert folders[-2:] == [file.parent.as_uri() for file in others]
    assert len(set(folders)) == len(folders)


def test_a_command_of_ones_own_runs_in_the_root(editor: Neovim, root: Path) -> None:
    """As `uv run` needs it to find the project; a program that was found runs where no project is."""
    code = """
        local cmd, root = ...
        local before, start, seen = vim.g.guiderail, vim.lsp.rpc.start, nil
        if cmd ~= vim.NIL then vim.g.guiderail = { cmd = cmd } end
        vim.lsp.rpc.start = function(_, _, options) seen = options.cwd end
        dofile(vim.api.nvim_get_runtime_file("lsp/guiderail.lua", false)[1]).cmd({}, { root_dir = root })
        vim.g.guiderail, vim.lsp.rpc.start = before, start
        return seen
    """
    assert editor.lua(code, ["sh", "-c", "true"], str(root)) == str(root)
    assert editor.lua(code, None, str(root)) == editor.lua("return vim.env.VIMRUNTIME")
