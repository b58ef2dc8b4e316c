"""The laws of imports: rooms look downwards only, and light rooms stay light."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "guiderail"

# From the ground up; a room may import its own level's number or a smaller one only if it is itself or lower.
LEVELS = (
    ("allowance", "choices", "errors", "lru", "openmp", "private"),
    ("projectfile", "programs", "rule"),
    ("settings",),
    ("resolution",),
    ("text",),
    ("prompt",),
    ("model",),
    ("cache",),
    ("decoding",),
    ("monitors",),
    ("remote",),
    ("engine",),
    ("next_edit",),
    ("evaluation",),
    ("lsp", "benchmarks"),
    ("serve",),
    ("cli",),
)
HEIGHT = {room: height for height, rooms in enumerate(LEVELS) for room in rooms}
HEAVY = frozenset({"torch", "transformers", "huggingface_hub", "rich", "tokenizers"})
SOURCES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: str) -> str | None:
    """The room of a dotted module name; None outside guiderail and for guiderail itself."""
    parts = module.split(".")
    return parts[1] if parts[0] == "guiderail" and len(parts) > 1 else None


def module_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that a source names, at any depth: a back door inside a function is a back door."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "guiderail":
                yield from (f"guiderail.{alias.name}" for alias in node.names)


def forbidden(module: str, source: str) -> list[str]:
    """The imports of ``module`` that look upwards or sideways."""
    here = room_of(module)
    if here not in HEIGHT:
        return []
    found = []
    for target in imported(ast.parse(source)):
        there = room_of(target)
        if there is None or there == here or there.startswith("_"):
            continue
        if there not in HEIGHT or HEIGHT[there] >= HEIGHT[here]:
            found.append(target)
    return found


def test_every_room_has_a_level() -> None:
    """A new room must be given its place before it can be imported."""
    rooms = {path.stem for path in PACKAGE.iterdir() if (path / "__init__.py").exists() or path.suffix == ".py"}
    assert rooms - {"__init__", "__main__"} <= HEIGHT.keys()


@pytest.mark.parametrize("file", SOURCES, ids=module_of)
def test_imports_point_downwards(file: Path) -> None:
    """No module imports a room above its own or beside it."""
    assert forbidden(module_of(file), file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("guiderail.text.edit", "from guiderail.prompt import fim", ["guiderail.prompt"]),
        ("guiderail.model.load", "def f():\n    import guiderail.cache.buffers", ["guiderail.cache.buffers"]),
        ("guiderail.lsp.server", "from guiderail import benchmarks", ["guiderail.benchmarks"]),
        ("guiderail.cli.main", "from guiderail import __version__, engine", []),
        ("guiderail.settings", "from guiderail.errors import UsageError", []),
        ("guiderail.text.edit", "from guiderail.nowhere import x", ["guiderail.nowhere"]),
    ],
)
def test_the_rule_itself(module: str, source: str, expected: list[str]) -> None:
    """The check sees upward, sideways, hidden and unknown imports."""
    assert forbidden(module, source) == expected


def import_graph(sources: dict[str, str]) -> dict[str, set[str]]:
    """Which of the modules each one imports, at any depth and for types alone too."""
    graph: dict[str, set[str]] = {module: set() for module in sources}
    for module, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                graph[module] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                graph[module] |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        graph[module] &= sources.keys()
    return graph


def cycles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """The groups of several modules that all lead to one another."""
    reached: dict[str, set[str]] = {}
    for module in graph:
        found, waiting = set[str](), [module]
        while waiting:
            new = graph[waiting.pop()] - found
            found |= new
            waiting += new
        reached[module] = found
    groups = {
        frozenset({module, *(other for other in reached[module] if module in reached[other])})
        for module in graph
        if module in reached[module]
    }
    return {group for group in groups if len(group) > 1}


def test_no_module_imports_itself_through_others() -> None:
    """No cycles between files, also not by imports inside functions or for type checkers."""
    found = cycles(import_graph({module_of(file): file.read_text(encoding="utf-8") for file in SOURCES}))
    assert found == set()


@pytest.mark.parametrize(
    "back",
    ["import p.a", "def f():\n    from p.a import x", "if TYPE_CHECKING:\n    from p import a", "from p.c import y"],
)
def test_cycles_of_all_kinds_are_found(back: str) -> None:
    """Imports at the top, in functions, for types and of whole modules count; a file that nobody imports is in none."""
    sources = {"p.a": "from p.b import x", "p.b": back, "p.c": "from p import a", "p.d": "import p.a"}
    (found,) = cycles(import_graph(sources))
    assert {"p.a", "p.b"} <= found
    assert "p.d" not in found


def test_modules_and_functions_stay_small() -> None:
    """No module has more than 400 lines, and no function more than 50."""
    long = []
    for file in SOURCES:
        text = file.read_text(encoding="utf-8")
        if text.count("\n") > 400:
            long.append(module_of(file))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                if node.end_lineno - node.lineno >= 50:
                    long.append(f"{module_of(file)}.{node.name}")
    assert long == []


# What a completion is put together from. Only the engine does that
PARTS = frozenset(
    {
        "guiderail.engine.completer",
        "guiderail.engine.plan",
        "guiderail.engine.run",
        "guiderail.monitors.monitors",
        "guiderail.prompt.context",
    }
)
# They measure a part below the engine: where the time of a token goes, and what each kind of context is worth.
MEASURING = frozenset({"guiderail.benchmarks.monitored", "guiderail.evaluation.context_kinds"})


@pytest.mark.parametrize(
    "file",
    [file for file in SOURCES if room_of(module_of(file)) in {"cli", "lsp", "evaluation", "benchmarks"}],
    ids=module_of,
)
def test_only_the_engine_puts_a_completion_together(file: Path) -> None:
    """The command line, the server and the evaluation complete through `Engine`: people run what is measured."""
    parts = PARTS & set(imported(ast.parse(file.read_text(encoding="utf-8"))))
    assert bool(parts) == (module_of(file) in MEASURING)


@pytest.mark.parametrize("file", [file for file in SOURCES if file.name == "__init__.py"], ids=module_of)
def test_package_files_import_only_the_standard_library(file: Path) -> None:
    """Importing a package costs nothing: its __init__ imports none of its modules."""
    names = {module.split(".")[0] for module in imported(ast.parse(file.read_text(encoding="utf-8")))}
    assert names <= sys.stdlib_module_names


def test_every_library_that_is_imported_is_declared() -> None:
    """No import works only because another package happens to bring the library along."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    declared = {re.split(r"[^\w-]", line)[0].replace("-", "_") for line in lines}
    found = {module.split(".")[0] for file in SOURCES for module in imported(ast.parse(file.read_text("utf-8")))}
    assert found - sys.stdlib_module_names - {"guiderail"} <= declared


def light_modules() -> list[str]:
    """Modules that must be importable without the heavy libraries."""
    light = [module_of(file) for file in SOURCES if room_of(module_of(file)) in {"errors", "settings", "text", None}]
    return [module for module in light if not module.endswith("__main__")] + [
        "guiderail.cli.main",
        "guiderail.cli.complete",
        "guiderail.cli.config",
        "guiderail.prompt.fim",
        "guiderail.prompt.project",
        "guiderail.prompt.prompt",
        "guiderail.prompt.snippet",
    ]


@pytest.mark.e2e
def test_light_rooms_import_nothing_heavy() -> None:
    """Text, prompt, settings and the command line's start pull in none of the heavy libraries."""
    code = f"import sys, {', '.join(light_modules())}; print(*({set(HEAVY)!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
