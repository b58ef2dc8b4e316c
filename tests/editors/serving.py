"""A real `guiderail serve`, with a model that says a word which static analysis knows to be wrong."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.editors.neovim import ROOT
from tests.editors.parrot import parrot_folder
from tests.editors.shapes import SHAPES

PLUGINS = ROOT / ".clients" / "plugins"
WRONG = "colour"  # what the model says of a box
MEMBERS = re.compile(r"width|height|depth|__\w+__")


class Serving:
    """One server on a free port of this machine.

    Parameters
    ----------
    home
        An empty folder for its model, log and state.
    roots
        The projects that it serves.
    variables, flags
        Added to its environment and to its command.
    patience
        Seconds in which its model must be loaded.
    """

    def __init__(
        self,
        home: Path,
        *roots: Path,
        variables: dict[str, str] | None = None,
        flags: tuple[str, ...] = (),
        patience: float = 120,
    ):
        model = parrot_folder(home / "model", WRONG, after=("box.", "."))
        homes = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "STATE", "CACHE")}
        command = [sys.executable, "-m", "guiderail", "serve", "--port", "0", "--threads", "1", "--confidence", "off"]
        self.log = home / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--model", str(model), *(f"--root={root}" for root in roots), *flags],
                cwd=home, env=os.environ | homes | {"PYTHONPATH": str(ROOT)} | (variables or {}), stderr=log,
            )  # fmt: skip
        self.url = self._url()
        self._wait_for_model(patience)

    def wait_for_monitors(self, seconds: float = 120) -> None:
        """Wait until the analyser has started, and forbids what the model says in the project's file."""
        body = json.dumps({"input_prefix": SHAPES.rstrip("\n") + ".", "input_suffix": "\n"}).encode()
        end = time.monotonic() + seconds
        while True:
            with urllib.request.urlopen(f"{self.url}/infill", body, timeout=60) as answer:
                if MEMBERS.match(json.load(answer)["content"]):
                    return
            assert time.monotonic() < end, "the monitors never acted"
            time.sleep(0.2)

    def close(self, seconds: float = 20) -> int:
        """End it; the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        finally:
            self.process.kill()
            self.process.wait()

    def _url(self) -> str:
        end = time.monotonic() + 60
        while not (found := re.search(r"on (http://\S+)", self.log.read_text(encoding="utf-8"))):
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            assert time.monotonic() < end, "no address was printed"
            time.sleep(0.05)
        return found[1]

    def _wait_for_model(self, patience: float) -> None:
        end = time.monotonic() + patience
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=10).close()
                return
            except urllib.error.HTTPError as error:
                assert error.code == 503, error
            except OSError:
                assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            assert time.monotonic() < end, "the model was not loaded"
            time.sleep(0.1)


def project(folder: Path) -> Path:
    """A project with a file in which a dot after `box` is missing."""
    (folder / ".git").mkdir(parents=True)
    (folder / "shapes.py").write_text(SHAPES, encoding="utf-8")
    return folder
