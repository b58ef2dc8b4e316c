"""What the tests of all editors share: the variables under which an editor finds the server and a parrot."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.neovim import ROOT, Neovim, find_neovim
from tests.editors.parrot import SAID, SOURCE, parrot_folder
from tests.editors.vscode import CodeServer

FETCH_S = 240


@pytest.fixture(scope="session")
def fetched() -> str:
    """Neovim and Helix fetched into .clients/, from the Debian archive; why they are not there, or the empty string."""
    if (ROOT / ".clients" / "nvim").exists():
        return ""
    try:
        script = ROOT / "tests" / "editors" / "fetch_neovim.sh"
        done = subprocess.run([str(script)], capture_output=True, text=True, timeout=FETCH_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__} in fetch_neovim.sh"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["fetch_neovim.sh failed"])[-1]


@pytest.fixture(scope="session")
def neovim_program(fetched: str) -> str:
    """A Neovim with inline completion."""
    found = find_neovim()
    if found is None:
        pytest.skip(f"NO NEOVIM 0.12: {fetched}")
    return found


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the editors go: into the documentation where `make test-editors` asks for it."""
    named = os.environ.get("GUIDERAIL_SCREENSHOTS")
    return Path(named).resolve() if named else tmp_path_factory.mktemp("shots")


@pytest.fixture(scope="session")
def server_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """PATH with this environment's `guiderail`, a model that says `SAID`, and an empty home."""
    model = parrot_folder(tmp_path_factory.mktemp("model"), " " + SAID, after=("    return",))
    home, programs = tmp_path_factory.mktemp("home"), Path(sys.executable).parent
    # VS Code takes PATH from a login shell, whose first file may set it anew.
    (home / ".profile").write_text(f'PATH="{programs}:$PATH"\n', encoding="utf-8")
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "GUIDERAIL_MODEL": str(model),
        "GUIDERAIL_THREADS": "1",
        "HOME": str(home),
    }


@pytest.fixture(scope="module")
def editor(
    neovim_program: str, server_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    """One Neovim for all tests of a module; each opens a file of its own."""
    neovim = Neovim(neovim_program, tmp_path_factory.mktemp("neovim"), server_environment)
    try:
        yield neovim
    finally:
        neovim.close()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project, and so one server, for all tests of a module."""
    folder = tmp_path_factory.mktemp("project")
    (folder / ".git").mkdir()
    return folder


@pytest.fixture
def project(root: Path, editor: Neovim) -> Iterator[Path]:
    """A file with a hole at line 6, open and the cursor in the hole, in insert mode."""
    file = root / "shapes.py"
    file.write_text(SOURCE, encoding="utf-8")
    editor.open(file)
    editor.keys("6GA")
    yield file
    editor.keys("<Esc>")
    editor.rpc.command("silent! %bwipeout!")


@pytest.fixture(scope="module")
def code(server_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodeServer]:
    """A VS Code with the embedded model, which shows all that it writes, for all tests of a module."""
    variables = {key: value for key, value in server_environment.items() if key != "GUIDERAIL_MODEL"}
    variables["GUIDERAIL_CONFIDENCE"] = "off"
    server = CodeServer(tmp_path_factory.mktemp("code"), variables)
    try:
        yield server
    finally:
        server.close()
