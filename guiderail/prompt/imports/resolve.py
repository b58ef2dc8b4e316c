"""The imports of a file, whatever its language."""

import contextlib
from collections.abc import Callable
from importlib import import_module

from guiderail.prompt.imports.binding import Binding, Bounded, Files, LimitReachedError
from guiderail.text.languages.table import BY_NAME
from guiderail.text.syntax import PARSE_S, SlowTextError, parse

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
    record = BY_NAME.get(language or "")
    if record is None or not record.imports:
        return []
    reader = import_module(f"guiderail.prompt.imports.{record.imports}")
    try:
        tree = parse(text[:_HEAD].encode("utf-8", "replace"), record.name, PARSE_S)
    except SlowTextError:
        return []
    some, found = Bounded(files, _PLACES, read), []
    with contextlib.suppress(LimitReachedError):
        found.extend(reader.bindings(tree, record.name, path, some))
    return found
