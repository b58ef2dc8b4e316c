"""A real Neovim without a window, driven over its own RPC."""

import gc
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "editors" / "neovim"
# --clean leaves out the person's own configuration; the plug-in is put on the path as a person would.
LOAD_GUIDERAIL = ("--cmd", f"set runtimepath^={PLUGIN}", "-c", "runtime! plugin/guiderail.lua")
_GHOST = "nvim.lsp.inline_completion"
# Neovim says so right before it hands an answer over.
_COUNT = """
vim.g.answered = 0
vim.api.nvim_create_autocmd("LspRequest", { callback = function(event)
  local request = event.data.request
  if request.type == "complete" and request.method == "textDocument/inlineCompletion" then
    vim.schedule(function() vim.g.answered = vim.g.answered + 1 end)
  end
end })
"""


def find_neovim() -> str | None:
    """The Neovim to drive: `GUIDERAIL_NVIM`, the one fetched into .clients/, or 0.12 and newer on PATH."""
    fetched = ROOT / ".clients" / "nvim"
    named = os.environ.get("GUIDERAIL_NVIM") or (str(fetched) if fetched.exists() else shutil.which("nvim"))
    if named is None:
        return None
    said = subprocess.run([named, "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = said.split()[1].lstrip("v").split(".")[:2]
    return named if (int(major), int(minor)) >= (0, 12) else None


class Neovim:
    """One editor with the plug-in, in a folder of its own.

    Parameters
    ----------
    program
        What `find_neovim` found.
    home
        An empty folder for Neovim's own files, and its working directory.
    environment
        Added to the variables that the editor, and so the server, sees.
    load
        Arguments that load a plug-in; guiderail's own by default.
    """

    def __init__(
        self, program: str, home: Path, environment: dict[str, str], load: Sequence[str] = LOAD_GUIDERAIL
    ) -> None:
        import pynvim

        socket = home / "nvim.sock"
        homes = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
        unattended = ["-c", "set messagesopt=wait:0,history:100"]  # nobody is there to press Enter at a long message
        self._process = subprocess.Popen(
            [program, "--clean", "-n", "--headless", "--listen", str(socket), *load, *unattended],
            cwd=home, env=os.environ | homes | environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._wait(socket.exists, "Neovim's socket", 20)
        self.rpc = pynvim.attach("socket", path=str(socket))
        self.rpc.ui_attach(100, 30, rgb=True)  # with a screen, screen events happen
        self.rpc.exec_lua(_COUNT)

    def close(self) -> None:
        """End the editor, and wait until it is gone."""
        self.rpc.command("qa!", async_=True)
        try:
            self._process.wait(20)
        finally:
            self._process.kill()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)  # pynvim leaves its transport to be collected
                self.rpc.close()
                del self.rpc
                gc.collect()

    def lua(self, code: str, *arguments: Any) -> Any:
        """The value that the Lua `code` returns."""
        return self.rpc.exec_lua(code, *arguments)

    def keys(self, keys: str) -> None:
        """Type `keys` as a person does, in Neovim's notation, all at once."""
        self.rpc.input(keys)

    def type(self, text: str, pause: float = 0.03) -> None:
        """Type `text` key by key, `pause` seconds apart."""
        for letter in text:
            self.rpc.input("<lt>" if letter == "<" else letter)
            time.sleep(pause)

    def open(self, path: Path) -> None:
        """Edit `path` and wait until guiderail says that it is ready."""
        self.rpc.command(f"edit {path}")
        self.until(lambda: self.state() == "ready", "guiderail to be ready", 120)

    def state(self) -> str | None:
        """The state that the server last told."""
        now = self.lua("return require('guiderail.status').of(require('guiderail').client())")
        return now and now["state"]

    def text(self) -> str:
        """The buffer's text."""
        return "\n".join(self.rpc.current.buffer[:])

    def cursor(self) -> tuple[int, int]:
        """Line from 1, bytes from 0."""
        row, column = self.rpc.current.window.cursor
        return row, column

    def ghost(self, space: str = _GHOST) -> str:
        """The suggestion on the screen, of the plug-in that writes into this namespace; empty if there is none."""
        marks = self.lua(
            "local space = vim.api.nvim_get_namespaces()[...]"
            "return space and vim.api.nvim_buf_get_extmarks(0, space, 0, -1, {details = true}) or {}", space
        )  # fmt: skip
        found = [mark[3] for mark in marks]
        first = [details["virt_text"] for details in found if "virt_text" in details]
        rows = [*first, *(row for details in found for row in details.get("virt_lines", []))]
        return "\n".join("".join(piece[0] for piece in row) for row in rows)

    def answered(self) -> int:
        """How many requests for suggestions were answered and shown, if there was anything to show."""
        return self.rpc.vars["answered"]

    def wait_for_answer(self, before: int, seconds: float = 30) -> None:
        """Wait until a request was answered that is not among the first `before`."""
        self.until(lambda: self.answered() > before, "an answer", seconds)

    def wait_for_ghost(self, seconds: float = 30) -> str:
        """The next suggestion on the screen."""
        return self.until(self.ghost, "a suggestion", seconds)

    def until(self, read: Callable[[], Any], what: str, seconds: float = 20) -> Any:
        """What `read` returns as soon as it is true."""
        return self._wait(read, what, seconds)

    def _wait(self, read: Callable[[], Any], what: str, seconds: float) -> Any:
        end = time.monotonic() + seconds
        while not (value := read()):
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds} s for {what}")
            time.sleep(0.03)
        return value
