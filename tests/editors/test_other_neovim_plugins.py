"""Unmodified plug-ins of others in a real Neovim, with a real `guiderail serve`: their suggestions gain monitors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.neovim import Neovim
from tests.editors.serving import MEMBERS, PLUGINS, WRONG, Serving, project
from tests.editors.shapes import SHAPES

pytestmark = pytest.mark.e2e

pytest.importorskip("pynvim", reason="NO PYNVIM: pip install -e '.[dev]'")

if not (PLUGINS / "llama.vim").exists():
    pytest.skip("NO PLUG-INS: tests/editors/fetch_plugins.sh fetches them", allow_module_level=True)

MINUET = """
require("minuet").setup {
  provider = "openai_fim_compatible",
  n_completions = 2,
  request_timeout = 30,
  throttle = 0,
  debounce = 50,
  virtualtext = { auto_trigger_ft = { "python" } },
  provider_options = {
    openai_fim_compatible = {
      api_key = "TERM",
      name = "guiderail",
      end_point = URL .. "/v1/completions",
      model = "guiderail",
      optional = { max_tokens = 56, top_p = 0.9 },
    },
  },
}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("project") / "shapes")


@pytest.fixture(scope="module")
def serving(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    server = Serving(tmp_path_factory.mktemp("serve"), root)
    server.wait_for_monitors()  # llama.vim never asks again what was answered before
    yield server
    server.close()


def editor_with(plugin: str, program: str, home: Path, before: str = "") -> Neovim:
    """A Neovim with one plug-in of another's on its path, which it loads by itself; `before` that runs a command."""
    load = ("--cmd", before, "--cmd", f"set runtimepath^={PLUGINS / plugin}")
    return Neovim(program, home, {"TERM": "dumb"}, load)


@pytest.fixture(scope="module")
def llama(neovim_program: str, serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neovim]:
    config = f"let g:llama_config = {{'endpoint_fim': '{serving.url}/infill', 'show_info': 0}}"
    editor = editor_with("llama.vim", neovim_program, tmp_path_factory.mktemp("neovim"), config)
    yield editor
    editor.close()


@pytest.fixture(scope="module")
def minuet(neovim_program: str, serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neovim]:
    editor = editor_with("minuet-ai.nvim", neovim_program, tmp_path_factory.mktemp("neovim"))
    editor.lua(f"local URL = ...\n{MINUET}", serving.url)
    yield editor
    editor.close()


def suggestion(editor: Neovim, space: str, file: Path) -> str:
    """What is shown when a dot is typed in the hole, the last line with text."""
    editor.keys("<Esc>")
    editor.until(lambda: editor.lua("return vim.fn.mode()") == "n" and not editor.ghost(space), "the last one to go")
    editor.rpc.command("silent! %bwipeout!")
    editor.rpc.command(f"edit {file}")
    editor.keys("GA.")
    return editor.until(lambda: editor.ghost(space).strip(), "a suggestion", 60)


def legal_suggestion(editor: Neovim, space: str, file: Path) -> str:
    """What is shown in a project's file, once the analyser was not too late; llama.vim asks once about each text."""
    shown, attempt = WRONG, 0
    while shown.startswith(WRONG) and attempt < 20:
        file.write_text(f"# {attempt}\n{SHAPES}", encoding="utf-8")
        shown = suggestion(editor, space, file)
        attempt += 1
    return shown


def check_effect(editor: Neovim, space: str, root: Path, tmp_path: Path) -> None:
    """In a file of the project a member is suggested; in a similar text elsewhere, what the model says by itself."""
    elsewhere = tmp_path / "other.py"
    # minuet says that it is Python, so types that the text itself tells would be known there too.
    elsewhere.write_text(SHAPES.replace("Box", "Crate").replace("box: Crate", "box"), encoding="utf-8")
    # An answer to the last test's second request may come first.
    editor.until(lambda: suggestion(editor, space, elsewhere).startswith(WRONG), WRONG, 60)
    shown = legal_suggestion(editor, space, root / "shapes.py")
    assert MEMBERS.match(shown), shown


def test_llama_vim_gains_monitors(llama: Neovim, root: Path, tmp_path: Path) -> None:
    """By `/infill`."""
    check_effect(llama, "vt_fim", root, tmp_path)


@pytest.mark.parametrize("stream", [True, False])
def test_minuet_gains_monitors(minuet: Neovim, root: Path, tmp_path: Path, stream: bool) -> None:
    """By `/v1/completions`, streamed and whole; it asks for two suggestions by two requests."""
    minuet.lua("require('minuet').config.provider_options.openai_fim_compatible.stream = ...", stream)
    check_effect(minuet, "minuet.virtualtext", root, tmp_path)


def test_llama_vim_s_suggestion_is_accepted(llama: Neovim, root: Path) -> None:
    """Tab inserts what is shown."""
    shown = legal_suggestion(llama, "vt_fim", root / "shapes.py")
    llama.keys("<Tab>")
    llama.until(lambda: f"return box.{shown}" in llama.text(), "the suggestion in the buffer")
