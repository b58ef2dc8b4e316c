"""C and C++: ``#include``."""

from collections.abc import Iterator

from tree_sitter import Node

from guiderail.prompt.imports.binding import Binding, Files, ancestors, existing, text_of, under
from guiderail.text.syntax import find


def bindings(tree: Node, language: str, path: str, files: Files) -> Iterator[Binding]:
    """Every name of each included header of the project.

    Angle brackets count as well: projects include their own public headers that way.
    """
    folders = [base for folder in ancestors(path) for base in (folder, under(folder, "include"))]
    folders += ["src"]
    for include in find(tree, language, "(preproc_include path: (_) @it)"):
        name = text_of(include).strip('"<>')
        found = existing((under(folder, name) for folder in folders), files)[:1]
        if found:
            yield Binding(found)
