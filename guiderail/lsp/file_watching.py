"""The files and folders that the client is asked to watch, and which of their changes matter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lsprotocol import types

from guiderail.lsp.configuration import SECTION
from guiderail.prompt.ignore import is_apart
from guiderail.text.language import LANGUAGES, is_code

_SETTINGS = ("json", "toml")  # of projects and analysers, beside code
_KNOWN = [language for language in LANGUAGES if is_code(language.name) or language.name in _SETTINGS]
_ENDINGS = tuple(ending for language in _KNOWN for ending in language.endings)
_NAMES = (".gitignore", "go.mod", "go.work", "setup.cfg", *(name for language in _KNOWN for name in language.files))
_INSTALLED = frozenset({"node_modules", "site-packages"})  # whose code analysers read, though it is no context
# No pattern tells folders from files, and of a folder that goes, or comes from elsewhere, clients tell the name alone.
_ANY = "**/*"
_COMES_OR_GOES = int(types.WatchKind.Create) | int(types.WatchKind.Delete)

FOLDERS = types.FileOperationRegistrationOptions(
    [types.FileOperationFilter(types.FileOperationPattern(_ANY, types.FileOperationPatternKind.Folder), scheme="file")]
)


def registrations(capabilities: types.ClientCapabilities) -> list[types.Registration]:
    """The registrations to ask for from a client with these capabilities."""
    workspace = capabilities.workspace or types.WorkspaceClientCapabilities()
    found = []
    if workspace.did_change_configuration and workspace.did_change_configuration.dynamic_registration:
        method = types.WORKSPACE_DID_CHANGE_CONFIGURATION
        found.append(types.Registration("guiderail-configuration", method, {"section": SECTION}))
    if watches(capabilities):
        options = types.DidChangeWatchedFilesRegistrationOptions(_watchers())
        found.append(types.Registration("guiderail-files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options))
    return found


def _watchers() -> list[types.FileSystemWatcher]:
    """Watchers of all that suggestions may depend on: code, project files, and folders."""
    endings = [ending.removeprefix(".") for ending in _ENDINGS]
    globs = [f"**/*.{{{','.join(endings)}}}", f"**/{{{','.join(_NAMES)}}}"]
    return [*map(types.FileSystemWatcher, globs), types.FileSystemWatcher(_ANY, _COMES_OR_GOES)]


def watches(capabilities: types.ClientCapabilities) -> bool:
    """Whether a client with these capabilities tells what changes on the disk."""
    files = capabilities.workspace and capabilities.workspace.did_change_watched_files
    return bool(files and files.dynamic_registration)


def is_named(name: str) -> bool:
    """Whether a file's name is that of code, or of a file that tells of a project."""
    return name in _NAMES or name.lower().endswith(_ENDINGS)


def matters(path: Path, folder: Path | None, kind: int, knows: Callable[[Path], bool]) -> bool:
    """Whether suggestions may depend on a file or folder that was changed in this way.

    An installation or a build changes tens of thousands of files: the disk is asked only where a name does not decide.

    Parameters
    ----------
    path, folder
        The file or folder, and the folder of the workspace that it is in, if any.
    kind
        Whether it was created, changed or deleted.
    knows
        Whether a path that is gone was a folder.
    """
    parts = path.relative_to(folder).parts if folder else (path.name,)
    if is_apart(parts):
        return is_named(path.name) and not _INSTALLED.isdisjoint(parts)
    if is_named(path.name):
        return True
    if kind == types.FileChangeType.Created:
        return path.is_dir()
    return kind == types.FileChangeType.Deleted and knows(path)
