"""What the server asks its client to be told of, where the client can be asked."""

from __future__ import annotations

from lsprotocol import types

from guiderail.lsp.configuration import SECTION
from guiderail.text.language import LANGUAGES, is_code

_SETTINGS = ("json", "toml")  # of projects and analysers, beside code
_NAMES = (".gitignore", "go.mod", "go.work", "setup.cfg")


def registrations(capabilities: types.ClientCapabilities) -> list[types.Registration]:
    """The registrations that a client with these capabilities takes."""
    workspace = capabilities.workspace or types.WorkspaceClientCapabilities()
    found = []
    if workspace.did_change_configuration and workspace.did_change_configuration.dynamic_registration:
        method = types.WORKSPACE_DID_CHANGE_CONFIGURATION
        found.append(types.Registration("guiderail-configuration", method, {"section": SECTION}))
    if workspace.did_change_watched_files and workspace.did_change_watched_files.dynamic_registration:
        options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(one) for one in _globs()])
        found.append(types.Registration("guiderail-files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options))
    return found


def _globs() -> list[str]:
    """Patterns of the files that suggestions may depend on: code, and what says how it belongs together."""
    known = [language for language in LANGUAGES if is_code(language.name) or language.name in _SETTINGS]
    endings = [ending.removeprefix(".") for language in known for ending in language.endings]
    names = [*_NAMES, *(name for language in known for name in language.files)]
    return [f"**/*.{{{','.join(endings)}}}", f"**/{{{','.join(names)}}}"]
