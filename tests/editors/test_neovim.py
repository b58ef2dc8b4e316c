"""The laws of the plug-in in a real Neovim with the real server and a tiny model that says one thing."""

import re
from pathlib import Path

import pytest

from tests.editors.neovim import PLUGIN, Neovim
from tests.editors.parrot import SAID, SOURCE

pytestmark = pytest.mark.e2e

pytest.importorskip("pynvim", reason="NO PYNVIM: pip install -e '.[dev]'")


def after_insertion(inserted: str) -> str:
    """The file when `inserted` has been written into its hole."""
    return SOURCE.removesuffix("\n") + inserted


def test_the_suggestion_is_shown_and_accepted_whole(editor: Neovim, project: Path) -> None:
    """Ghost text appears at the cursor without touching the buffer, and accepting inserts just that."""
    assert editor.wait_for_ghost() == SAID
    assert editor.text() == after_insertion("")
    assert editor.lua("return require('guiderail').accept()") is True
    editor.until(lambda: editor.text() == after_insertion(SAID), "the suggestion in the buffer")
    assert editor.cursor() == (6, len("    return " + SAID))


@pytest.mark.parametrize(("part", "taken"), [("word", "width"), ("line", SAID)])
def test_a_part_is_accepted(editor: Neovim, project: Path, part: str, taken: str) -> None:
    """Accepting a word or a line inserts that beginning of the suggestion, and the rest is suggested again."""
    editor.wait_for_ghost()
    assert editor.lua("return require('guiderail')['accept_' .. ...]()", part) is True
    editor.until(lambda: editor.text() == after_insertion(taken), f"{taken} in the buffer")
    if taken != SAID:
        assert editor.wait_for_ghost() == SAID.removeprefix(taken)


def test_typing_into_the_suggestion_then_accepting(editor: Neovim, project: Path) -> None:
    """What was typed of a suggestion is not inserted a second time when the rest is accepted."""
    editor.wait_for_ghost()
    # In one go, so that no newer answer comes in between.
    editor.lua(
        "vim.api.nvim_feedkeys(..., 'nt', false)\n"
        "vim.api.nvim_feedkeys(vim.keycode('<Cmd>lua require(\"guiderail\").accept()<CR>'), 'nt', false)",
        SAID[:2],
    )
    editor.until(lambda: len(editor.text()) > len(after_insertion(SAID[:2])), "the rest", 5)
    assert editor.text() == after_insertion(SAID)


def test_text_that_goes_another_way_takes_the_ghost_away(editor: Neovim, project: Path) -> None:
    """As soon as what is typed differs from the suggestion, it is off the screen and cannot be accepted."""
    editor.wait_for_ghost()
    editor.lua("vim.api.nvim_feedkeys('q', 'nt', false)")
    editor.until(lambda: editor.text() == after_insertion("q"), "the key", 5)
    assert editor.ghost() != SAID[1:]


FAKE = """
local function request(method, params, done)
  local at = params.position
  local item = at and { insertText = TEXT, range = { start = at, ["end"] = at } }
  local results = {
    initialize = { capabilities = { inlineCompletionProvider = true, positionEncoding = "utf-8" } },
    ["textDocument/inlineCompletion"] = { items = { item } },
  }
  vim.schedule(function() done(nil, results[method]) end)
  return true, 1
end
local function cmd(dispatchers)
  local terminate = function() dispatchers.on_exit(0, 0) end
  return { request = request, notify = function() end, is_closing = function() end, terminate = terminate }
end
return vim.lsp.start(
  { name = "guiderail", cmd = cmd, on_init = require("guiderail.inline").watch },
  { reuse_client = function() return false end }
)
"""


def test_lines_are_lines_whatever_the_file_ends_them_with(editor: Neovim, root: Path) -> None:
    """In a file with carriage returns, of which a suggestion then is too, none is shown and none is inserted."""
    file = root / "dos.txt"
    file.write_bytes(b"one\r\ntwo\r\n")
    editor.rpc.command(f"edit {file}")
    fake = editor.lua("local TEXT = ...\n" + FAKE, "(\r\n  3)")
    editor.until(lambda: editor.lua("return require('guiderail').client() ~= nil"), "the server to be attached")
    editor.keys("GA")
    assert editor.wait_for_ghost() == "(\n  3)"
    assert editor.lua("return require('guiderail').accept()") is True
    editor.until(lambda: editor.rpc.current.buffer[:] == ["one", "two(", "  3)"], "the suggestion in the buffer")
    editor.keys("<Esc>")
    editor.lua("vim.lsp.get_client_by_id(...):stop(true)", fake)
    editor.rpc.command("silent! %bwipeout!")


def test_nothing_to_accept(editor: Neovim, project: Path) -> None:
    """Without a suggestion, accepting says so, that a mapping may insert its own key."""
    editor.wait_for_ghost()
    editor.keys("<Esc>")
    editor.until(lambda: not editor.ghost(), "the ghost to go")
    for name in ("accept", "accept_word", "accept_line", "next", "previous"):
        assert editor.lua("return require('guiderail')[...]()", name) is False
    assert editor.text() == after_insertion("")


def test_asking_by_hand_and_cycling(editor: Neovim, project: Path) -> None:
    """A person who asks gets suggestions again, and cycling through all of them ends at the first."""
    editor.wait_for_ghost()
    before = editor.answered()
    editor.lua("require('guiderail').suggest()")
    editor.wait_for_answer(before)
    first = editor.wait_for_ghost()
    editor.lua("return require('guiderail').next()")
    numbered = editor.wait_for_ghost()
    count = int(numbered.rsplit("/", 1)[1].rstrip(")"))
    for _ in range(count - 1):
        editor.lua("return require('guiderail').next()")
    assert editor.wait_for_ghost() == f"{first} (1/{count})"


def test_a_suggestion_comes_though_the_typing_was_before_the_server(editor: Neovim, tmp_path: Path) -> None:
    """Who types in a project whose server only starts gets a suggestion when it is there, without another key."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "shapes.py").write_text(SOURCE, encoding="utf-8")
    editor.rpc.command(f"edit {tmp_path / 'shapes.py'}")
    editor.keys("6GA")
    assert editor.wait_for_ghost(120) == SAID
    editor.keys("<Esc>")
    editor.lua("require('guiderail').client():stop()")
    editor.until(lambda: len(editor.lua("return vim.api.nvim_get_proc_children(vim.fn.getpid())")) == 1, "its end")
    editor.rpc.command("silent! %bwipeout!")


def test_toggle_stops_suggestions_and_brings_them_back(editor: Neovim, project: Path) -> None:
    """Switched off, the server suggests nothing and the status line says so; switched on, it does again."""
    editor.wait_for_ghost()
    editor.keys("<Esc>")
    editor.rpc.command("silent Guiderail toggle")
    editor.until(lambda: editor.state() == "disabled", "the state")
    assert editor.lua("return require('guiderail').statusline()") == "guiderail: off"
    before = editor.answered()
    editor.keys("6GA")
    editor.wait_for_answer(before)
    assert editor.ghost() == ""
    editor.keys("<Esc>")
    editor.rpc.command("silent Guiderail toggle global")
    editor.until(lambda: editor.state() == "ready", "the state")
    editor.keys("6GA")
    editor.wait_for_ghost()


def test_toggle_of_one_file(editor: Neovim, project: Path) -> None:
    """A file switched off is silent until it is switched on again; each time the person is told."""
    editor.wait_for_ghost()
    for wanted in (False, True):
        editor.keys("<Esc>")
        editor.rpc.command("messages clear")
        editor.rpc.command("Guiderail toggle file")
        said = f"guiderail: suggestions are {'on' if wanted else 'off'} for this file"
        editor.until(lambda said=said: editor.rpc.command_output("messages") == said, said)
        before = editor.answered()
        editor.keys("6GA")
        if wanted:
            editor.wait_for_ghost()
        else:
            editor.wait_for_answer(before)
            assert editor.ghost() == ""


def told(editor: Neovim, words: str) -> str:
    """What the person hears when they say `:Guiderail words`."""
    editor.rpc.command("messages clear")
    editor.rpc.command(f"Guiderail {words}")
    return editor.until(lambda: editor.rpc.command_output("messages"), "a message")


def test_a_toggle_that_turns_nothing_on_says_why(editor: Neovim, root: Path) -> None:
    """Nobody hears "on" where something else keeps suggestions off, nor "off" of a file that the server never saw."""
    file = root / "off.py"
    file.write_text("# guiderail: off\n", encoding="utf-8")
    editor.rpc.command(f"edit {file}")
    editor.until(lambda: editor.state() == "disabled", "the server to have read the file", 120)
    reason = "the file says guiderail: off"
    assert told(editor, "toggle file") == told(editor, "toggle file") == f"guiderail: {reason}"
    assert told(editor, "toggle") == "guiderail: suggestions are off"
    assert told(editor, "toggle language") == "guiderail: suggestions are off for python"
    assert told(editor, "toggle language") == "guiderail: suggestions are switched off"
    assert told(editor, "toggle") == f"guiderail: suggestions are on, but here: {reason}"
    editor.rpc.command("enew")
    assert "not running in this file" in told(editor, "toggle file")
    for word in ("on", "off"):
        assert told(editor, "toggle language") == f"guiderail: suggestions are {word} for plaintext"
    editor.rpc.command("silent! %bwipeout!")


def test_health_is_clean(editor: Neovim, project: Path) -> None:
    """Where all is well, :checkhealth has no warning and no error, and names server and model."""
    editor.keys("<Esc>")
    editor.rpc.command("silent checkhealth guiderail")
    report = editor.text()
    assert "ERROR" not in report
    assert "WARNING" not in report
    assert "on PATH" in report
    assert "guiderail: ready" in report


def test_the_log_and_the_explanation_open(editor: Neovim, project: Path) -> None:
    """:Guiderail explain tells of the last suggestion, :Guiderail log opens the server's log."""
    editor.wait_for_ghost()
    editor.keys("<Esc>")
    editor.rpc.command("silent Guiderail explain")
    editor.until(lambda: "guiderail://explain" in editor.rpc.current.buffer.name, "the explanation")
    assert "promptTokens: " in editor.text()
    editor.rpc.command("silent Guiderail log")
    editor.until(lambda: editor.rpc.current.buffer.name.endswith(".log"), "the log")


def test_the_log_sets_no_option(editor: Neovim, project: Path) -> None:
    """A file's name, of which the log tells, may look like a modeline."""
    editor.wait_for_ghost()
    editor.keys("<Esc>")
    editor.rpc.command("silent Guiderail log")
    editor.until(lambda: editor.rpc.current.buffer.name.endswith(".log"), "the log")
    log = Path(editor.rpc.current.buffer.name)
    editor.rpc.command("silent bwipeout!")
    with log.open("a") as file:
        file.write("WARNING a vim: set textwidth=77 :\n")
    editor.rpc.command("set modeline | silent Guiderail log")
    editor.until(lambda: editor.rpc.current.buffer.name.endswith(".log"), "the log")
    assert "textwidth=77" in editor.text()
    assert editor.lua("return vim.bo.textwidth") == 0
    assert editor.lua("return vim.go.modeline")


def test_a_server_that_is_killed_comes_back(editor: Neovim, project: Path) -> None:
    """When the server dies, a new one is started and suggests again, and the buffer is as it was."""
    editor.wait_for_ghost()
    editor.keys("<Esc>")
    old = editor.lua("return require('guiderail').client().id")
    # The server is Neovim's only child.
    assert (
        editor.lua("local all = vim.api.nvim_get_proc_children(vim.fn.getpid()) vim.uv.kill(all[1], 9) return #all")
        == 1
    )
    new = "local client = require('guiderail').client() return client and client.id"
    editor.until(lambda: editor.lua(new) not in {None, old}, "a new server", 60)
    editor.until(lambda: editor.state() == "ready", "guiderail to be ready", 120)
    assert editor.text() == after_insertion("")
    editor.keys("6GA")
    assert editor.wait_for_ghost() == SAID


def test_words_of_the_command_are_completed(editor: Neovim) -> None:
    """After :Guiderail come its words, and after toggle the scopes."""

    def offered(line: str) -> list[str]:
        return editor.lua("return vim.fn.getcompletion(..., 'cmdline')", line)

    words = ["explain", "log", "restart", "snooze", "stats", "status", "suggest", "toggle", "why"]
    assert offered("Guiderail ") == words
    assert offered("Guiderail stat") == ["stats", "status"]
    assert offered("Guiderail snooze ") == ["5", "30", "60", "off"]
    assert offered("Guiderail toggle ") == ["global", "language", "file"]
    assert offered("Guiderail status ") == []


def test_the_help_has_its_tags(editor: Neovim) -> None:
    """The shipped tags are those of the shipped help file, and :help finds it."""
    tags = {line.split("\t")[0] for line in (PLUGIN / "doc" / "tags").read_text(encoding="utf-8").splitlines()}
    help_text = (PLUGIN / "doc" / "guiderail.txt").read_text(encoding="utf-8")
    assert set(re.findall(r"\*([A-Za-z:][^*\s]*)\*", help_text)) == tags
    assert editor.lua("return vim.fn.getcompletion('guiderail-k', 'help')") == ["guiderail-keys"]


def test_no_key_is_mapped(editor: Neovim, project: Path) -> None:
    """The plug-in leaves every key of the person's as it was."""
    mapped = editor.lua(
        "return vim.tbl_map(function(m) return m.rhs or m.desc or '' end, vim.api.nvim_get_keymap('i'))"
    )
    assert not any("guiderail" in text.lower() for text in mapped)
