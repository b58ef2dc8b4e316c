"""Go: packages of the module in go.mod, and the other files of the same package."""

import re
from collections.abc import Iterator

from tree_sitter import Node

from guiderail.prompt.imports.binding import Binding, Files, ReadableFiles, ancestors, text_of, under
from guiderail.text.syntax import find

_MODULE = re.compile(r"^[ \t]*+module[ \t]++\"?([^\s\"]++)", re.MULTILINE)


def bindings(tree: Node, language: str, path: str, files: ReadableFiles) -> Iterator[Binding]:
    """What the imports of the file at `path` bind, for packages of its own module."""
    base, module = _module(path, files)
    for spec in find(tree, language, "(import_spec) @it"):
        package = text_of(spec.child_by_field_name("path")).strip('"`')
        if module and f"{package}/".startswith(f"{module}/"):
            found = _package(under(base, package[len(module) + 1 :] or "."), "", files)
            alias = text_of(spec.child_by_field_name("name"))
            local = None if alias == "." else alias or package.rpartition("/")[2]
            if found and alias != "_":
                yield Binding(found, local)
    siblings = _package(ancestors(path)[0], path, files)
    if siblings:
        yield Binding(siblings)


def _module(path: str, files: ReadableFiles) -> tuple[str, str]:
    """Folder and path of the module that the file belongs to."""
    for folder in ancestors(path):
        manifest = under(folder, "go.mod")
        match = _MODULE.search(files.read(manifest) or "") if files.is_readable(manifest) else None
        if match:
            return folder, match.group(1)
    return "", ""


def _package(folder: str, without: str, files: Files) -> tuple[str, ...]:
    names = (name for name in files.names(folder) if name.endswith(".go") and not name.endswith("_test.go"))
    return tuple(under(folder, name) for name in names if under(folder, name) != without)
