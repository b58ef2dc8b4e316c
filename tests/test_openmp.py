"""How long threads spin."""

import os
import subprocess
import sys

import pytest

from guiderail import openmp


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person has said nothing, and what a test sets is put back."""
    for name in openmp.PERSONS:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_threads_sleep_soon_unless_the_person_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number of rounds is set where nothing was."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    openmp.spin_less()
    assert openmp.VARIABLE not in os.environ
    monkeypatch.delenv("OMP_WAIT_POLICY")
    openmp.spin_less()
    assert os.environ[openmp.VARIABLE] == openmp.ROUNDS


def test_a_rival_waits_as_it_does_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """What we set is taken out again, what the person set is not."""
    openmp.spin_less()
    assert openmp.VARIABLE not in openmp.without(os.environ)
    monkeypatch.setenv(openmp.VARIABLE, "77")
    assert openmp.without(os.environ)[openmp.VARIABLE] == "77"


def test_the_command_line_sets_it_before_torch_is_imported() -> None:
    """GNU's OpenMP reads it once, when it is loaded."""
    code = (
        "import os, sys, builtins\n"
        "real = builtins.__import__\n"
        "def watch(name, *rest):\n"
        "    if name == 'torch': os.write(2, f'spins {os.environ.get(\"GOMP_SPINCOUNT\")}\\n'.encode()); os._exit(0)\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = watch\n"
        "sys.argv[1:] = ['doctor']\n"
        "from guiderail.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == f"spins {openmp.ROUNDS}\n"
