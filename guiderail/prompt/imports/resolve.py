"""The imports of a file, whatever its language."""

import contextlib
from collections.abc import Callable, Iterator

from tree_sitter import Node

from guiderail.prompt.imports import c, go, java, python, rust, web
from guiderail.prompt.imports.binding import Binding, Bounded, Files, LimitReachedError
from guiderail.text.syntax import PARSE_S, SlowTextError, parse

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

_PLACES = 20_000  # where the files of all imports may be looked for together
_HEAD = 200_000  # characters: imports are at the top, and a parse takes a second per few megabytes


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
    reader = _READERS.get(language or "")
    if language is None or (reader is None and language != "go"):
        return []
    try:
        tree = parse(text[:_HEAD].encode("utf-8", "replace"), language, PARSE_S)
    except SlowTextError:
        return []
    some, found = Bounded(files, _PLACES), []
    with contextlib.suppress(LimitReachedError):
        found.extend(reader(tree, language, path, some) if reader else go.bindings(tree, language, path, some, read))
    return found
