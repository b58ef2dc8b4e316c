"""Rust: ``use crate::…``, ``use super::…``, ``use self::…``, ``mod name;``, and crates of the same workspace."""

from collections.abc import Iterator

from tree_sitter import Node

from guiderail.prompt.imports.binding import Binding, Files, ancestors, existing, text_of, under
from guiderail.text.syntax import find

_Path = tuple[str, ...]

_MAX_DEPTH = 50  # of nested use trees
_MAX_PARTS = 50  # of a path


def bindings(tree: Node, language: str, path: str, files: Files) -> Iterator[Binding]:
    """What the use declarations of the file at `path` bind, for those that resolve inside the project."""
    source, own = _place(path, files)
    for statement in find(tree, language, "(use_declaration argument: (_) @it)"):
        for written, local in _leaves(statement, ()):
            if len(written) > _MAX_PARTS:
                continue
            base, parts = _absolute(written, source, own, files)
            found = _resolve(base, parts, local, files)
            if found and found.files != (path,):
                yield found
    for module in find(tree, language, "(mod_item) @it"):
        if module.child_by_field_name("body") is None:
            name = text_of(module.child_by_field_name("name"))
            found = _file(source, (*own, name), files)
            if found:
                yield Binding(found, name)


def _leaves(node: Node, before: _Path, depth: int = 0) -> Iterator[tuple[_Path, str | None]]:
    """Full path and local name of every leaf of a use tree; ``*`` has no local name."""
    if depth > _MAX_DEPTH:
        return
    if node.type == "scoped_use_list":
        inside, listed = node.child_by_field_name("path"), node.child_by_field_name("list")
        path = (*before, *_parts(inside))
        for child in listed.named_children if listed is not None else ():
            yield from _leaves(child, path, depth + 1)
    elif node.type == "use_list":
        for child in node.named_children:
            yield from _leaves(child, before, depth + 1)
    elif node.type == "use_as_clause":
        yield (*before, *_parts(node.child_by_field_name("path"))), text_of(node.child_by_field_name("alias"))
    elif node.type == "use_wildcard":
        yield (*before, *_parts(node.named_children[0] if node.named_children else None), "*"), None
    else:
        parts = (*before, *_parts(node))
        if before and parts[-1] == "self":
            parts = parts[:-1]
        if parts:
            yield parts, parts[-1]


def _parts(node: Node | None) -> _Path:
    return tuple(part.strip() for part in text_of(node).split("::") if part.strip())


def _place(path: str, files: Files) -> tuple[str, _Path]:
    """The source folder of the file's crate, and the file's module path in it."""
    crate = next((base for base in ancestors(path) if files.is_readable(under(base, "Cargo.toml"))), "")
    source = under(crate, "src")
    if not path.startswith(f"{source}/"):
        source = ancestors(path)[0]
    parts = path[len(source) :].strip("/").removesuffix(".rs").split("/")
    is_top = parts[-1] == "mod" or parts in (["lib"], ["main"])
    return source, tuple(parts[:-1] if is_top else parts)


def _absolute(parts: _Path, source: str, own: _Path, files: Files) -> tuple[str, _Path]:
    """Source folder and path from there of a path as written; an unknown first name may be a workspace crate."""
    if parts[0] == "crate":
        return source, parts[1:]
    module = own
    while parts and parts[0] in {"self", "super"}:
        module = module[:-1] if parts[0] == "super" else module
        parts = parts[1:]
        if not parts or parts[0] not in {"self", "super"}:
            return source, (*module, *parts)
    for folder in ancestors(source):
        for name in (parts[0], parts[0].replace("_", "-")):
            for place in (under(folder, f"{name}/src"), under(folder, f"crates/{name}/src")):
                if files.is_readable(f"{place}/lib.rs"):
                    return place, parts[1:]
    return source, (*own, *parts)


def _resolve(source: str, parts: _Path, local: str | None, files: Files) -> Binding | None:
    """The longest beginning of the path that is a module's file; what is left names something in it."""
    if parts[-1:] == ("*",):
        found = _file(source, parts[:-1], files)
        return Binding(found) if found else None
    found = _file(source, parts, files)
    if found and parts:
        return Binding(found, local)
    for depth in range(len(parts) - 1, -1, -1):
        found = _file(source, parts[:depth], files)
        if found:
            return Binding(found, local, parts[depth])
    return None


def _file(source: str, parts: _Path, files: Files) -> tuple[str, ...]:
    stem = under(source, "/".join(parts) or ".")
    if not parts:
        return existing((f"{source}/lib.rs".lstrip("/"), f"{source}/main.rs".lstrip("/")), files)[:1]
    return existing((f"{stem}.rs", f"{stem}/mod.rs"), files)[:1]
