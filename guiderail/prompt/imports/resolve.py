"""The imports of a file, whatever its language."""

from collections.abc import Callable, Iterator

from tree_sitter import Node

from guiderail.prompt.imports import c, go, java, python, rust, web
from guiderail.prompt.imports.binding import Binding, Files
from guiderail.text.syntax import parse

_READERS: dict[str, Callable[[Node, str, str, Files], Iterator[Binding]]] = {
    "python": python.bindings,
    "javascript": web.bindings,
    "javascriptreact": web.bindings,
    "typescript": web.bindings,
    "typescriptreact": web.bindings,
    "java": java.bindings,
    "c": c.bindings,
    "cpp": c.bindings,
    "rust": rust.bindings,
}

_HEAD = 200_000  # characters: imports stand at the top, and a parse takes a second per few megabytes


def bindings_of(
    text: str, language: str | None, path: str, files: Files, read: Callable[[str], str | None]
) -> list[Binding]:
    """What a file's imports bind, for those that lead to readable files of its project.

    Parameters
    ----------
    text, language, path
        The file; `path` is POSIX and relative to the project's root. Broken code is fine.
    files
        The project's files.
    read
        Text of a project file, for manifests.
    """
    if language == "go":
        return list(go.bindings(parse(text[:_HEAD].encode("utf-8", "replace"), language), language, path, files, read))
    reader = _READERS.get(language or "")
    if reader is None or language is None:
        return []
    return list(reader(parse(text[:_HEAD].encode("utf-8", "replace"), language), language, path, files))
