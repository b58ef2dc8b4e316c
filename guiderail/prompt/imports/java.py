"""Java: ``import a.b.Name``, ``import static``, ``import a.b.*``, and the classes of the same package."""

from collections.abc import Iterator

from tree_sitter import Node

from guiderail.prompt.imports.binding import Binding, Files, ancestors, existing, text_of, under
from guiderail.text.syntax import find

_CUSTOMARY_ROOTS = ("src/main/java", "src/test/java", "src", "")


def bindings(tree: Node, language: str, path: str, files: Files) -> Iterator[Binding]:
    """What the imports of the file at `path` bind, for those that resolve inside the project."""
    package = _declared_package(tree, language)
    roots = _source_roots(package, path)
    for statement in find(tree, language, "(import_declaration) @it"):
        name = text_of(next((part for part in statement.named_children if "identifier" in part.type), None))
        is_static = any(child.type == "static" for child in statement.children)
        if any(child.type == "asterisk" for child in statement.named_children):
            yield from _static(name, "*", roots, files) if is_static else _package(name, roots, path, files)
        elif is_static:
            owner, _, member = name.rpartition(".")
            yield from _static(owner, member, roots, files)
        else:
            found = _class(name, roots, files)
            if found:
                yield Binding(found, name.rpartition(".")[2], name.rpartition(".")[2])
    yield from _package(package, roots, path, files)


def _static(owner: str, member: str, roots: list[str], files: Files) -> Iterator[Binding]:
    found = _class(owner, roots, files)
    name = owner.rpartition(".")[2]
    if found:
        yield Binding(found, name if member == "*" else member, name)


def _class(name: str, roots: list[str], files: Files) -> tuple[str, ...]:
    place = name.replace(".", "/") + ".java"
    return existing((under(root, place) for root in roots), files)[:1]


def _package(name: str, roots: list[str], without: str, files: Files) -> Iterator[Binding]:
    """A public class has its file's name, so the file need not be opened to know what it brings."""
    for folder in (under(root, name.replace(".", "/") or ".") for root in roots):
        for file in files.names(folder):
            stem, _, ending = file.rpartition(".")
            if ending == "java" and under(folder, file) != without:
                yield Binding((under(folder, file),), stem, stem)


def _declared_package(tree: Node, language: str) -> str:
    declared = find(tree, language, "(package_declaration) @it")
    return text_of(declared[0].named_children[-1]) if declared else ""


def _source_roots(package: str, path: str) -> list[str]:
    """Where packages start: the folder that the file's own package declaration tells, then customary places."""
    folder, place = ancestors(path)[0], package.replace(".", "/")
    own = folder[: -len(place)].rstrip("/") if place and f"/{folder}".endswith(f"/{place}") else folder
    around = ancestors(f"{own}/x") if own else [""]
    customary = (under(base, root or ".") for base in around for root in _CUSTOMARY_ROOTS)
    return list(dict.fromkeys([own, *customary]))
