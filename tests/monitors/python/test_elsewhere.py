"""Modules that a project's programs import from folders which no file names as import roots."""

from __future__ import annotations

from pathlib import Path

import pytest

from guiderail.monitors.cursor_context import CursorContext
from guiderail.monitors.imports import Imports
from guiderail.monitors.monitor import Trigger
from guiderail.monitors.python.elsewhere import MOST_FOLDERS, modules_elsewhere
from guiderail.monitors.python.modules import ModulePath
from guiderail.text.document import Document
from tests.monitors.python.layouts import environment, write

BRICKS = '[tool.poetry]\npackages = [{include = "acme/x", from = "../../components"}]\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with an environment, in which something is installed."""
    environment(tmp_path / ".venv", "needed")
    return tmp_path


def imported(statement: str, file: Path, root: Path) -> Trigger:
    """The trigger at the end of a statement that a file consists of."""
    document = Document(statement, language="python")
    trigger = Imports().trigger(CursorContext(document, len(statement), file, root=root).snapshot())
    assert trigger is not None
    return trigger


@pytest.mark.parametrize(
    ("files", "file", "modules"),
    [
        ({"manage.py": "sys.path.append('apps')", "apps/shop/models.py": ""}, "conf/urls.py", "shop"),
        ({"tests/conftest.py": "sys.path.insert(0, SCRIPTS)", "scripts/tool.py": ""}, "tests/test_a.py", "tool"),
        ({".env": "PYTHONPATH=./odd", "odd/part.py": ""}, "tests/a.py", "part"),
        ({"tox.ini": "[testenv]\nsetenv = PYTHONPATH = {toxinidir}/odd\n", "odd/part.py": ""}, "tests/a.py", "part"),
        ({"layers/common/python/shared.py": ""}, "functions/one/app.py", "shared"),
        ({"requirements.txt": "-e ./libs/a\n", "libs/a/src/aa/__init__.py": ""}, "tests/a.py", "aa"),
        ({"pants.toml": '[source]\nmarker_filenames = ["ROOT"]\n', "odd/ROOT": "", "odd/p/m.py": ""}, "x/a.py", "p"),
        ({"odd/deep/inner/one.py": ""}, "a.py", "deep.inner inner"),
        ({"projects/p/pyproject.toml": BRICKS, "components/acme/x/m.py": ""}, "bases/acme/y/a.py", "acme.x"),
        ({"setup.py": "setup(package_dir={'foo': 'code'})", "code/m.py": ""}, "tests/a.py", "foo"),
        ({"setup.cfg": "[options]\npackage_dir =\n    foo = code\n", "code/m.py": ""}, "tests/a.py", "foo"),
        (
            {"pyproject.toml": '[tool.hatch.build.targets.wheel.force-include]\n"code" = "foo"\n', "code/m.py": ""},
            "tests/a.py",
            "foo",
        ),
    ],
)
def test_what_lies_in_the_project_may_be_imported(root: Path, files: dict[str, str], file: str, modules: str) -> None:
    """Wherever it lies: programs change their import path in ways that no file tells."""
    write(root, files | {file: ""})
    for module in modules.split():
        package, _, last = module.rpartition(".")
        path = ModulePath(root, (root / file).parent)
        known = path.modules(package)
        assert known is None or last in known | path.elsewhere(package), module
        if not package:
            restriction = imported("import ", root / file, root).interpret(None)
            assert restriction.allows(module), module
            assert not restriction.allows("nowhere")


def test_modules_elsewhere_are_less_likely(root: Path) -> None:
    """Those of the import path go first."""
    write(root, {"app/a.py": "", "app/near.py": "", "odd/far.py": ""})
    restriction = imported("import ", root / "app/a.py", root).interpret(None)
    assert restriction.allows("far")
    assert restriction.allows("near")
    assert restriction.preferred is not None


def test_what_a_host_program_or_the_system_brings_may_be_imported(root: Path) -> None:
    """No project declares it, and no environment shows it."""
    restriction = imported("import ", root / "a.py", root).interpret(None)
    assert all(map(restriction.allows, ("gi", "bpy", "vim", "dbus")))


def test_hidden_folders_environments_and_data_hold_no_modules(root: Path) -> None:
    """Only the project's own sources count."""
    write(root, {".secret/one.py": "", "node_modules/two.py": "", "data/three.txt": "", "own/four.py": ""})
    assert modules_elsewhere(root) == {"own", "four"}


def test_a_large_project_is_looked_through_as_far_as_is_allowed(root: Path) -> None:
    """What is found until then counts."""
    write(root, {f"f{number}/m{number}.py": "" for number in range(MOST_FOLDERS + 20)})
    assert len({name for name in modules_elsewhere(root) if name.startswith("m")}) <= MOST_FOLDERS
