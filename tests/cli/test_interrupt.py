"""Ctrl-C ends a command with one line at most, whatever it does and whatever it has started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.models import tiny_folder

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform == "win32", reason="a terminal's group of processes is POSIX's"),
]

INTERRUPTED = "guiderail: interrupted\n"
# Python ends itself by the signal where C code called it back meanwhile: a shell says 130 of both.
ENDS = {(130, INTERRUPTED), (-signal.SIGINT, INTERRUPTED), (0, "")}  # 0: on a fast machine it may be done


def interrupted(arguments: list[str], folder: Path, after_s: float) -> tuple[int, str]:
    """Exit code and standard error of a command that a terminal interrupts, with all that it has started."""
    model = str(tiny_folder("guiderail"))
    process = subprocess.Popen(
        [sys.executable, "-m", "guiderail", *arguments],
        cwd=folder,
        env=os.environ | {"XDG_STATE_HOME": str(folder / "state"), "GUIDERAIL_MODEL": model},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        time.sleep(after_s)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr is not None
        error = process.stderr.read()
        return process.wait(30), error
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("after_s", [0.5, 2.0, 6.0])
def test_complete_with_an_analyser_is_quiet(tmp_path: Path, after_s: float) -> None:
    """During the imports, while the model is loaded, and while it writes and an analyser runs."""
    (tmp_path / "a.py").write_text("class A:\n    def f(self):\n        return 1\n\n\nA().")
    words = ["complete", "a.py", "--max-tokens", "400", "--until", "tokens", "--no-end-loops", "--monitors"]
    code, error = interrupted(words, tmp_path, after_s)
    assert (code, error) in ENDS


@pytest.mark.parametrize("after_s", [0.5, 2.0, 6.0])
def test_the_server_is_quiet(tmp_path: Path, after_s: float) -> None:
    """Ready or not, it leaves no traceback in the terminal that it was started from."""
    code, error = interrupted(["lsp"], tmp_path, after_s)
    assert (code, error) in ENDS
