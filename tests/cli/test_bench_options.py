"""Options that the commands of `guiderail bench` share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result

Run = Callable[..., Result]


@pytest.mark.parametrize("command", [("bench", "decode"), ("bench", "typing"), ("bench", "cache")])
def test_a_folder_without_a_build_of_llama_cpp_is_refused(guiderail: Run, command: tuple[str, str]) -> None:
    """At once, and instead of measuring the build that is installed."""
    Path("empty").mkdir()
    done = guiderail(*command, "--quick", "--llama-cpp-build", "empty")
    assert done.code == 2
    assert "neither llama_cpp nor xllamacpp" in done.err and len(done.err.splitlines()) == 1
