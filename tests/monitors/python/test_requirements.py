"""What a project says that it needs."""

from pathlib import Path

import pytest

from guiderail.monitors.python.modules import ModulePath
from guiderail.monitors.python.requirements import requirements


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", '[project]\ndependencies = ["one-two >= 1", "PyYAML"]\n'),
        ("pyproject.toml", '[project.optional-dependencies]\nall = ["one-two[x]", "PyYAML; python_version > \'3\'"]\n'),
        ("pyproject.toml", '[dependency-groups]\ntest = ["one.two", {include-group = "x"}, "PyYAML"]\n'),
        ("pyproject.toml", '[tool.poetry.group.dev.dependencies]\none-two = "^1"\npyyaml = {version = "1"}\n'),
        ("setup.cfg", "[options]\ninstall_requires =\n    one-two\n[options.extras_require]\nx =\n    PyYAML>1\n"),
        ("requirements-test.txt", "# a comment\n-r other.txt\none-two==1\nPyYAML\n"),
        ("src/a.egg-info/requires.txt", "one-two\n\n[x]\nPyYAML\n"),
        ("a-1.dist-info/METADATA", "Name: a\nRequires-Dist: one-two (>=1)\nRequires-Dist: PyYAML ; extra == 'x'\n"),
    ],
)
def test_requirements_are_read_wherever_projects_write_them(tmp_path: Path, file: str, text: str) -> None:
    """A distribution's name stands for its module's; extras count."""
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    found = ModulePath(tmp_path).declared
    assert {"one_two", "yaml"} <= found
    assert not {"1", "x", "a", "r", "other"} & found


@pytest.mark.parametrize(
    ("file", "text"),
    [("pyproject.toml", "[project"), ("pyproject.toml", "project = 1"), ("setup.cfg", "nothing"), ("README", "")],
)
def test_what_cannot_be_read_declares_nothing(tmp_path: Path, file: str, text: str) -> None:
    """Half-edited and odd files are passed over."""
    (tmp_path / file).write_text(text)
    assert ModulePath(tmp_path).declared == frozenset()


def test_a_file_that_cannot_be_read_declares_nothing(tmp_path: Path) -> None:
    """An editor's lock file is a link to nowhere, with the name of a list of requirements."""
    (tmp_path / ".#requirements.txt").symlink_to("somebody@somewhere.1:2")
    (tmp_path / "requirements.txt").write_text("one-two")
    assert "one_two" in ModulePath(tmp_path).declared


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("git+https://github.com/acme/some-tools.git@v1/x#egg=acme_tools&subdirectory=a", "acme-tools"),
        ("-e git+ssh://git@github.com/acme/acme-tools.git@v1.2", "acme-tools"),
        ("https://acme.example/files/acme_tools-1.2-py3-none-any.whl", "acme-tools"),
        ("https://acme.example/acme-tools-1.2.tar.gz#sha256=12", "acme-tools"),
        ("file:///srv/acme-tools", "acme-tools"),
        ("acme-tools@https://acme.example/a.zip", "acme-tools"),
        ("acme.tools[x]>=1,<2; python_version > '3'", "acme-tools"),
        ("acme-tools~=1 # git+https://x/y#egg=other", "acme-tools"),
        ("libs/acme-tools", None),
        ("wheels/acme_tools-1.2-py3-none-any.whl", None),
        ("acme_tools-1.2-py3-none-any.whl", None),
        ("./libs/acme-tools", None),
        ("# git+https://x/y#egg=acme-tools", None),
        ("--index-url https://acme.example/simple", None),
        ("https://", None),
    ],
)
def test_an_address_is_no_name(tmp_path: Path, line: str, name: str | None) -> None:
    """Else git or https would be required, and missing."""
    (tmp_path / "requirements.txt").write_text(f"{line}\n")
    assert [one.name for one in requirements(tmp_path, tmp_path)] == ([name] if name else [])
