"""Where a Python project's own files say that its modules lie: ``src``, ``lib``, or any folder that a tool is told."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from guiderail import projectfile
from guiderail.projectfile import ProjectFileError

log = logging.getLogger(__name__)
T = TypeVar("T")

CUSTOMARY = ("src", "lib", "python", "src/python")
MANIFESTS = frozenset({
    "pyproject.toml", "setup.py", "setup.cfg", "pants.toml", "requirements.txt", "Pipfile", "manage.py", "conftest.py",
    "pytest.ini", "tox.ini", "environment.yml", "uv.lock", "poetry.lock", "WORKSPACE", "MODULE.bazel",
    "pyrightconfig.json",
})  # fmt: skip
_MANY = 200  # folders that one project names
_WILD, _WILD_WORDS = 10, 3  # patterns with wildcards that it names, and wildcards of one
_CODE = 1 << 17  # bytes of a setup.py or BUILD file
_MYPY_FOLDER = re.compile(
    r"\$(?:MYPY_CONFIG_FILE_DIR\b|\{MYPY_CONFIG_FILE_DIR\})/?"
)  # what mypy replaces by the folder of its file
_SPLIT = re.compile(r"[\s,:;]+")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
# Keys whose value is a folder of modules, a list of such, or a table of them by package; the path of tables first.
_FOLDER_KEYS = (
    ("tool.setuptools", "package-dir"),
    ("tool.setuptools.packages.find", "where"),
    ("tool.pdm.build", "package-dir"),
    ("tool.uv.build-backend", "module-root"),
    ("tool.maturin", "python-source"),
    ("tool.hatch.build", "dev-mode-dirs"),
    ("tool.pytest.ini_options", "pythonpath"),
    ("tool.pytest", "pythonpath"),
    ("tool.pyright", "extraPaths"),
    ("tool.basedpyright", "extraPaths"),
    ("tool.pyrefly", "search-path"),
    ("tool.pyrefly", "search_path"),
    ("tool.mypy", "mypy_path"),
    ("tool.ty.environment", "root"),
    ("tool.ty.environment", "extra-paths"),
    ("tool.ty.src", "root"),
    ("tool.ruff", "src"),
)  # fmt: skip
_INI_KEYS = (
    ("setup.cfg", "options", "package_dir"),
    ("setup.cfg", "options.packages.find", "where"),
    ("setup.cfg", "tool:pytest", "pythonpath"),
    ("setup.cfg", "mypy", "mypy_path"),
    ("pytest.ini", "pytest", "pythonpath"),
    ("tox.ini", "pytest", "pythonpath"),
    ("mypy.ini", "mypy", "mypy_path"),
)


def source_folders(folder: Path, root: Path) -> Iterator[Path]:
    """The folders that modules are imported from, as the files of one folder of a project say.

    They may not exist. What cannot be read says nothing: it may be half edited just now.
    """
    readers = (_of_pyproject, _of_ini, _of_setup, _of_pyright, _of_pants, _of_build)
    named = (name for reader in readers for name in _read(reader, folder, root))
    for name in bounded(named, _MANY):
        yield folder / name


def renamed(folder: Path, root: Path) -> Iterator[str]:
    """The modules, with dots, that are installed under other names than their folders have."""
    yield from bounded((name for name in _read(_renamed, folder, root) if _DOTTED.fullmatch(name)), _MANY)


def _renamed(folder: Path, root: Path) -> Iterator[str]:
    said = projectfile.read_toml(folder / "pyproject.toml", root)
    yield from texts(part(said, "tool", "setuptools", "package-dir"))
    build = part(said, "tool", "hatch", "build")
    for tables in ("force-include", "sources"):
        for where in (part(build, tables), part(build, "targets", "wheel", tables)):
            yield from (name.strip("/").replace("/", ".") for name in folders_in(where) if isinstance(where, dict))
    listed = projectfile.read_ini(folder / "setup.cfg", root).get("options", "package_dir", fallback="")
    yield from (line.partition("=")[0].strip() for line in listed.splitlines())
    for node in calls(folder / "setup.py", root):
        for keyword in node.keywords:
            if keyword.arg == "package_dir" and isinstance(keyword.value, ast.Dict):
                yield from (value for one in keyword.value.keys if one for value in _constants(one))


def members(folder: Path, root: Path) -> Iterator[Path]:
    """The folders of other projects that one is developed together with: workspaces, and dependencies by path.

    Raises
    ------
    ProjectFileError
        There are more than can be looked at; as for `source_folders`.
    """
    patterns = list(bounded(_read(_linked, folder, root), _MANY))
    wild = list(bounded((one for one in patterns if "*" in one), _WILD))
    plain = (one for one in patterns if one not in wild)
    yield from bounded((place for one in (*wild, *plain) for place in _matching(folder, one, root)), 2 * _MANY)


def _read(reader: Callable[[Path, Path], Iterator[str]], folder: Path, root: Path) -> Iterator[str]:
    try:
        yield from reader(folder, root)
    except ProjectFileError as error:
        log.info("the layout of %s is not known: %s", folder, error)


def _of_pyproject(folder: Path, root: Path) -> Iterator[str]:
    said = projectfile.read_toml(folder / "pyproject.toml", root)
    for tables, key in _FOLDER_KEYS:
        yield from folders_in(part(said, *tables.split("."), key))
    for package in items(part(said, "tool", "poetry", "packages")):
        yield from folders_in(part(package, "from"))
    for tables in ("tool.hatch.build", "tool.hatch.build.targets.wheel"):  # a table has folders as keys
        yield from texts(part(said, *tables.split("."), "sources"))
    for place in texts(part(said, "tool", "hatch", "build", "targets", "wheel", "packages")):
        yield place.rpartition("/")[0] or "."
    for environment in items(part(said, "tool", "pyright", "executionEnvironments")):
        yield from (*folders_in(part(environment, "root")), *folders_in(part(environment, "extraPaths")))


def _of_ini(folder: Path, root: Path) -> Iterator[str]:
    for file in dict.fromkeys(name for name, _, _ in _INI_KEYS):
        said = projectfile.read_ini(folder / file, root)
        for section, key in ((section, key) for name, section, key in _INI_KEYS if name == file):
            value = _MYPY_FOLDER.sub("./", said.get(section, key, fallback=""))
            yield from (line.rpartition("=")[2].strip() for line in _SPLIT.split(value.replace(" = ", "=")) if line)


def _of_setup(folder: Path, root: Path) -> Iterator[str]:
    """``package_dir={"": "src"}`` and ``find_packages("src")``, read as text."""
    for node in calls(folder / "setup.py", root):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name.startswith("find_") or name == "find":
            yield from (value for one in node.args[:1] for value in _constants(one))
        for keyword in node.keywords:
            if keyword.arg in ("package_dir", "where"):
                yield from _constants(keyword.value)


def _of_pyright(folder: Path, root: Path) -> Iterator[str]:
    said = projectfile.read_json(folder / "pyrightconfig.json", root)
    yield from folders_in(part(said, "extraPaths"))
    for environment in items(part(said, "executionEnvironments")):
        yield from (*folders_in(part(environment, "root")), *folders_in(part(environment, "extraPaths")))


def _of_pants(folder: Path, root: Path) -> Iterator[str]:
    said = projectfile.read_toml(folder / "pants.toml", root)
    for name in folders_in(part(said, "source", "root_patterns")):
        yield name.lstrip("/") or "."  # a slash in front stands for the project's folder


def _of_build(folder: Path, root: Path) -> Iterator[str]:
    """The attribute ``imports`` of Bazel's rules for Python."""
    for name in ("BUILD", "BUILD.bazel"):
        for node in calls(folder / name, root):
            for keyword in node.keywords:
                if keyword.arg == "imports":
                    yield from _constants(keyword.value)


def _linked(folder: Path, root: Path) -> Iterator[str]:
    said = projectfile.read_toml(folder / "pyproject.toml", root)
    for tables in (("tool", "uv", "workspace"), ("tool", "rye", "workspace"), ("tool", "pdm", "workspace")):
        yield from texts(part(said, *tables, "members"))
    environments = part(said, "tool", "hatch", "envs")
    for environment in environments.values() if isinstance(environments, dict) else ():
        yield from texts(part(environment, "workspace", "members"))
    groups = part(said, "tool", "poetry", "group")
    tables = [part(group, "dependencies") for group in groups.values()] if isinstance(groups, dict) else []
    for table in (part(said, "tool", "uv", "sources"), part(said, "tool", "poetry", "dependencies"), *tables):
        for source in table.values() if isinstance(table, dict) else ():
            yield from folders_in(part(source, "path"))


def _matching(folder: Path, pattern: str, root: Path) -> Iterator[Path]:
    """The folders inside the root that a path matches, whose parts may be wildcards."""
    words = [word for word in pattern.split("/") if word not in ("", ".")]
    if sum("*" in word for word in words) > _WILD_WORDS:
        return
    places = [folder]
    for word in words:
        if "*" in word:
            places = list(bounded(_children(places, word, root), _MANY))
        else:
            places = [place.parent if word == ".." else place / word for place in places]
    yield from (place for place in places if place.is_relative_to(root) and place != folder)


def _children(places: list[Path], pattern: str, root: Path) -> Iterator[Path]:
    """The folders in some whose names match; hidden ones never do."""
    for place in places:
        try:
            entries = projectfile.read_folder(place, root)
        except ProjectFileError:
            continue
        for name, is_folder in entries:
            if is_folder and not name.startswith(".") and fnmatchcase(name, pattern):
                yield place / name


def bounded(found: Iterable[T], most: int) -> Iterator[T]:
    """What is found; raises ProjectFileError once it is more than may be looked at."""
    for number, one in enumerate(found):
        if number >= most:
            raise ProjectFileError(f"a project names more than {most} folders", "Name fewer")
        yield one


def calls(file: Path, root: Path) -> Iterator[ast.Call]:
    """The calls in a file of Python, or of Starlark as far as it is Python; none if it cannot be parsed."""
    text = projectfile.read_text(file, root, limit=_CODE) if projectfile.is_file(file) else None
    try:
        tree = ast.parse(text or "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _constants(node: ast.AST) -> Iterator[str]:
    """The texts of a literal: of a table its values."""
    inside = (
        node.values if isinstance(node, ast.Dict) else node.elts if isinstance(node, (ast.List, ast.Tuple)) else [node]
    )
    yield from (one.value for one in inside if isinstance(one, ast.Constant) and isinstance(one.value, str))


def part(table: Any, *keys: str) -> Any:
    """The value under a path of keys; None where there is none, or a part of the path is no table."""
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def items(found: Any) -> Iterator[Any]:
    """The items of a list; none of what is no list."""
    yield from found if isinstance(found, list) else ()


def texts(found: Any) -> Iterator[str]:
    """The texts of a list, or the keys of a table."""
    yield from (one for one in found if isinstance(one, str)) if isinstance(found, (list, dict)) else ()


def folders_in(value: Any) -> Iterator[str]:
    """The folders that a value names: a text, a list of texts, or a table of them."""
    if isinstance(value, str):
        yield from (name for name in re.split(r"[:,]", _MYPY_FOLDER.sub("./", value)) if name.strip())
    elif isinstance(value, (list, dict)):
        found = value.values() if isinstance(value, dict) else value
        yield from (one for one in found if isinstance(one, str))
