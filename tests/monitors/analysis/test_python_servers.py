"""Analysers of Python find the modules that the imports monitor finds: they are told where these are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.monitors.analysis import confinement
from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.requests import COMPLETIONS, Question
from guiderail.monitors.analysis.servers import may_start, server_named
from tests.monitors.python.layouts import environment, write

FILES = {
    "pyproject.toml": '[project]\nname = "all"\nrequires-python = ">=3.13"\n',
    "a/pyproject.toml": "",
    "a/app/__init__.py": "",
    "a/app/models.py": "class OfA: ...\n",
    "a/tests/helpers.py": "def help_a(): ...\n",
    "a/tests/unit/test_a.py": "",
    "b/pyproject.toml": "",
    "b/app/__init__.py": "",
    "b/app/models.py": "class OfB: ...\n",
    "scripts/common.py": "def of_scripts(): ...\n",
    "tools/common.py": "def of_tools(): ...\n",
    "packages/core/src/core/__init__.py": "NAME = 1\n",
    "lib/only/__init__.py": "HERE = 1\n",
}


@pytest.fixture(scope="module", params=["pyrefly", "pyrefly untrusted", "ty", "basedpyright"])
def analyser(request, tmp_path_factory) -> Iterator[ServerAnalyser]:
    """Each analyser on a repository of several projects, with one environment for all."""
    name, _, how = request.param.partition(" ")
    server, trusted = server_named(name), not how
    if server.find() is None or not may_start(server, trusted):
        pytest.skip(f"{request.param} cannot be started here")
    root = write(tmp_path_factory.mktemp("projects").resolve(), FILES)
    site = environment(root / ".venv", "installed", version="3.13.1")
    write(site, {"core.pth": "../../../../packages/core/src\n", "installed.py": "VALUE = 1\n"})
    found = ServerAnalyser(server, root, trusted=trusted)
    yield found
    found.stop()


@pytest.mark.parametrize(
    ("file", "module", "name"),
    [
        ("a/app/views.py", "app.models", "OfA"),
        ("b/app/views.py", "app.models", "OfB"),
        ("a/tests/test_b.py", "helpers", "help_a"),
        ("a/tests/unit/test_a.py", "helpers", "help_a"),
        ("scripts/run.py", "common", "of_scripts"),
        ("tools/run.py", "common", "of_tools"),
        ("use.py", "core", "NAME"),
        ("a/app/use.py", "core", "NAME"),
        ("use.py", "only", "HERE"),
        ("b/app/use.py", "installed", "VALUE"),
        ("use.py", "typing", "override"),
        ("use.py", "itertools", "batched"),
        ("use.py", "warnings", "deprecated"),
    ],
)
def test_modules_are_found_from_the_file_that_imports_them(
    analyser: ServerAnalyser, file: str, module: str, name: str
) -> None:
    """Each file those that its own project means, and the library of the environment's Python."""
    text = f"from {module} import "
    question = Question(analyser.root / file, "python", f"{text}\n", len(text))
    found = {member.name for member in analyser.ask(COMPLETIONS, question).result(120).items}
    assert name in found
    assert not {"OfA", "OfB", "of_scripts", "of_tools"} & (found - {name})


@pytest.mark.parametrize("name", ["pyrefly", "ty"])
def test_a_relative_folder_is_as_good_as_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A relative path has no URI."""
    server = server_named(name)
    if server.find() is None:
        pytest.skip(f"{name} is not installed")
    write(tmp_path, {"project/app.py": "VALUE = 1\n", "here/empty": ""})
    monkeypatch.chdir(tmp_path / "here")
    analyser = ServerAnalyser(server, Path("../project"))
    try:
        text = "from app import "
        question = Question(Path("../project/use.py"), "python", f"{text}\n", len(text))
        assert "VALUE" in {member.name for member in analyser.ask(COMPLETIONS, question).result(120).items}
        analyser.files_changed([Path("../project/app.py"), Path("../project/gone.py")]).result(10)
    finally:
        analyser.stop()


@pytest.mark.skipif(not confinement.is_possible(alone=True), reason="this kernel has no Landlock")
def test_a_file_for_an_analyser_is_gone_with_it(tmp_path: Path) -> None:
    """Its configuration lies in a folder of its own."""
    analyser = ServerAnalyser(server_named("pyrefly"), tmp_path, trusted=False)
    analyser.warm_up().result(120)
    notes = Path(analyser._client._notes)
    assert (notes / "pyrefly.toml").is_file()
    analyser.stop()
    assert not notes.exists()
