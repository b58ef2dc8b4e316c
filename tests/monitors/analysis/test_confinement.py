"""In a workspace that is not trusted the kernel keeps an analyser from running what the project brings."""

import sys
from pathlib import Path

import pytest

from guiderail.monitors.analysis import confinement
from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.requests import MEMBERS, Question
from guiderail.monitors.analysis.server import environment
from guiderail.monitors.analysis.servers import PYREFLY

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not confinement.is_possible(), reason="this kernel has no Landlock"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose Python leaves a trace when it is run, with a package of its own."""
    folder = tmp_path / ".venv"
    packages = folder / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "shop.py").write_text("class Point:\n    left = 1\n")
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys.base_prefix) / 'bin'}\nversion = 3.11.0\n")
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\ntouch {tmp_path}/it_ran\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("trusted", [True, False])
def test_the_projects_python_runs_only_if_it_is_trusted(project: Path, trusted: bool) -> None:
    """Not trusted, pyrefly starts nothing and knows the project's packages all the same."""
    analyser = ServerAnalyser(PYREFLY, project, trusted=trusted)
    try:
        text = "import shop\nshop.Point()."
        answer = analyser.ask(MEMBERS, Question(project / "a.py", "python", text, len(text))).result(60)
    finally:
        analyser.stop()
    assert (project / "it_ran").exists() == trusted
    assert trusted or "left" in {member.name for member in answer.items}


def test_the_projects_programs_are_not_on_the_search_path(project: Path) -> None:
    """Only a workspace that is trusted puts its programs before the others."""
    own = str(project / ".venv" / "bin")
    assert own in environment(project)["PATH"]
    assert own not in environment(project, trusted=False)["PATH"]
