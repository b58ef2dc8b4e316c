"""Python: ``import a.b as c``, ``from .a import b``, ``from a import *``."""

from collections.abc import Iterator

from tree_sitter import Node

from guiderail.prompt.imports.binding import Binding, Files, ancestors, existing, text_of, under
from guiderail.text.syntax import find

_IMPORTS = "[(import_statement) (import_from_statement)] @it"


def bindings(tree: Node, language: str, path: str, files: Files) -> Iterator[Binding]:
    """What the imports of the module at `path` bind, for those that resolve inside the project."""
    for statement in find(tree, language, _IMPORTS):
        if statement.type == "import_statement":
            yield from _import(statement, path, files)
        else:
            yield from _import_from(statement, path, files)


def _import(statement: Node, path: str, files: Files) -> Iterator[Binding]:
    for item in statement.children_by_field_name("name"):
        module = text_of(item.child_by_field_name("name") or item)
        found = _module(_bases(path), module, files)
        if found:
            yield Binding(found, text_of(item.child_by_field_name("alias")) or module)


def _import_from(statement: Node, path: str, files: Files) -> Iterator[Binding]:
    module = text_of(statement.child_by_field_name("module_name"))
    dots = len(module) - len(module.lstrip("."))
    bases = [under(ancestors(path)[0], "../" * (dots - 1) or ".")] if dots else _bases(path)
    package = _module(bases, module[dots:], files)
    if any(child.type == "wildcard_import" for child in statement.children):
        if package:
            yield Binding(package)
        return
    for item in statement.children_by_field_name("name"):
        name = text_of(item.child_by_field_name("name") or item)
        local = text_of(item.child_by_field_name("alias")) or name
        submodule = _module(bases, f"{module[dots:]}.{name}".strip("."), files)
        if submodule:
            yield Binding(submodule, local)
        if package:
            yield Binding(package, local, name)


def _bases(path: str) -> list[str]:
    """Where absolute imports may start: the folders around the file and their ``src``, innermost first."""
    return [base for folder in ancestors(path) for base in (folder, under(folder, "src"))]


def _module(bases: list[str], module: str, files: Files) -> tuple[str, ...]:
    """The file of a dotted module in the first base that has it."""
    place = module.replace(".", "/")
    for base in bases:
        stem = under(base, place or ".")
        shapes = (f"{stem}.py", f"{stem}.pyi") if place else ()
        found = existing((*shapes, under(stem, "__init__.py"), under(stem, "__init__.pyi")), files)
        if found:
            return found[:1]
    return ()
