"""JavaScript and TypeScript: ``import``, ``export … from``, ``require``."""

import posixpath
from collections.abc import Iterator

from tree_sitter import Node

from guiderail.prompt.imports.binding import Binding, Files, ancestors, existing, text_of, under
from guiderail.text.syntax import find

_STATEMENTS = "[(import_statement) (export_statement)] @it"
_REQUIRES = '((variable_declarator value: (call_expression function: (identifier) @f)) @it (#eq? @f "require"))'
_ENDINGS = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")


def bindings(tree: Node, language: str, path: str, files: Files) -> Iterator[Binding]:
    """What the imports and re-exports of the module at `path` bind, for those that resolve in the project."""
    for statement in find(tree, language, _STATEMENTS):
        source = statement.child_by_field_name("source")
        found = _module(path, _string(source), files) if source is not None else ()
        if source is None and statement.type == "export_statement":
            yield from _own_exports(statement, path)
        elif found:
            yield from _statement(statement, found)
    for declarator in find(tree, language, _REQUIRES):
        if declarator.type == "variable_declarator":
            yield from _require(declarator, path, files)


def _statement(statement: Node, found: tuple[str, ...]) -> Iterator[Binding]:
    if any(child.type == "*" for child in statement.children):  # export * from
        yield Binding(found)
    for child in statement.named_children:
        if child.type == "export_clause":
            yield from _specifiers(child, found)
        elif child.type == "import_clause":
            for part in child.named_children:
                if part.type == "identifier":
                    yield Binding(found, text_of(part), "default")
                elif part.type == "namespace_import":
                    yield Binding(found, text_of(part.named_children[-1]))
                elif part.type == "named_imports":
                    yield from _specifiers(part, found)


def _specifiers(clause: Node, found: tuple[str, ...]) -> Iterator[Binding]:
    for part in clause.named_children:
        name = text_of(part.child_by_field_name("name"))
        if name:
            yield Binding(found, text_of(part.child_by_field_name("alias")) or name, name)


def _own_exports(statement: Node, path: str) -> Iterator[Binding]:
    """``export default Name`` and ``export {name as other}`` lead to another name of the same file."""
    value = statement.child_by_field_name("value")
    if value is not None and value.type == "identifier":
        yield Binding((path,), "default", text_of(value))
    for child in statement.named_children:
        if child.type == "export_clause":
            yield from (found for found in _specifiers(child, (path,)) if found.local != found.name)


def _require(declarator: Node, path: str, files: Files) -> Iterator[Binding]:
    call, target = declarator.child_by_field_name("value"), declarator.child_by_field_name("name")
    arguments = call.child_by_field_name("arguments") if call is not None else None
    source = arguments.named_children[0] if arguments is not None and arguments.named_children else None
    found = _module(path, _string(source), files) if source is not None and source.type == "string" else ()
    if not found or target is None:
        return
    if target.type == "identifier":
        yield Binding(found, text_of(target))
    for part in target.named_children:
        if part.type == "shorthand_property_identifier_pattern":
            yield Binding(found, text_of(part), text_of(part))
        elif part.type == "pair_pattern":
            key, value = part.child_by_field_name("key"), part.child_by_field_name("value")
            yield Binding(found, text_of(value), text_of(key))


def _string(node: Node) -> str:
    return text_of(node).strip("\"'`")


def _module(path: str, source: str, files: Files) -> tuple[str, ...]:
    """The file that a module specifier names: relative, or from a folder around the file (``@/`` is customary)."""
    if source.startswith("."):
        return _variants(under(ancestors(path)[0], source), files)
    place = source.removeprefix("@/").removeprefix("~/")
    for folder in ancestors(path):
        found = _variants(under(folder, under("src", place)), files) or _variants(under(folder, place), files)
        if found:
            return found
    return ()


def _variants(stem: str, files: Files) -> tuple[str, ...]:
    """The first that exists of the file itself, with an ending, as a folder's index, or .js meaning .ts."""
    base, ending = posixpath.splitext(stem)
    bases = [stem, base] if ending in _ENDINGS else [stem]
    shapes = [f"{form}{suffix}" for form in bases for suffix in _ENDINGS]
    indexes = [under(stem, f"index{suffix}") for suffix in _ENDINGS]
    exact = [stem] if ending in _ENDINGS else []
    return existing((*exact, *shapes, *indexes), files)[:1]
