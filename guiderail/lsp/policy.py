"""Decides which documents get suggestions, and says why others get none."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from guiderail.errors import UsageError
from guiderail.lsp.buffer import Buffer
from guiderail.lsp.configuration import Preferences
from guiderail.lsp.place import place_at
from guiderail.lsp.snooze import Snooze
from guiderail.prompt.gitignore import PatternLimitError, Patterns
from guiderail.prompt.ignore import Ignore
from guiderail.prompt.project import find_root
from guiderail.settings import Settings
from guiderail.text.document import Document
from guiderail.text.language import language_named
from guiderail.text.source import SIZE_LIMIT

# Prose and what tools write; named in enableLanguages they get suggestions too.
PROSE = frozenset({"plaintext", "markdown", "restructuredtext", "log", "scminput", "git-commit", "gitcommit", "help"})

_OFF = re.compile(r"\bguiderail:\s*off\b", re.IGNORECASE)
_HEAD = 5  # lines in which a file can say `guiderail: off`
_HEAD_LIMIT = 4000  # characters of them


@dataclass
class Policy:
    """Decides for one client which documents get suggestions; a reason is a sentence, or "" if there is none.

    Parameters
    ----------
    preferences
        What the person set, in the first folder and for files in none.
    roots
        The workspace's folders.
    folders
        What the person set in the other folders.

    Attributes
    ----------
    language_overrides, file_overrides
        What the person switched on or off by a command since, by canonical language and by URI. It overrides the
        settings.
    override
        What the person set for everything by a command; None if nothing.
    snooze
        The pause of all suggestions, if there is one.
    """

    preferences: Preferences
    roots: list[Path] = field(default_factory=list)
    folders: dict[Path, Preferences] = field(default_factory=dict)
    language_overrides: dict[str, bool] = field(default_factory=dict)
    file_overrides: dict[str, bool] = field(default_factory=dict)
    override: bool | None = None
    snooze: Snooze = field(default_factory=Snooze)
    _paths: dict[Path, str] = field(default_factory=dict)

    @property
    def enabled(self) -> bool:
        """Whether there are suggestions at all."""
        return self._enabled_in_settings if self.override is None else self.override

    @property
    def _enabled_in_settings(self) -> bool:
        """Whether the settings switch them on, somewhere."""
        return any(one.enable for one in (self.preferences, *self.folders.values()))

    @property
    def all_settings(self) -> list[Settings]:
        """The settings of all folders."""
        return [one.settings for one in (self.preferences, *self.folders.values())]

    def configure(self, preferences: Preferences, folders: Mapping[Path, Preferences] | None = None) -> None:
        """Take new settings; where they change a switch, the override of that switch ends."""
        before = self._enabled_in_settings
        languages = {name: self._language_settings(name) for name in self.language_overrides}
        self.preferences, self.folders = preferences, dict(folders or {})
        if self._enabled_in_settings != before:
            self.override = None
        for name, sets in languages.items():
            now = self._language_settings(name)
            if any(now[root] != sets[root] for root in now.keys() & sets.keys()):
                del self.language_overrides[name]
        self._paths.clear()

    def _language_settings(self, language: str) -> dict[Path | None, bool]:
        """Whether the settings give a language suggestions, by folder."""
        return {root: _enables(one, language) for root, one in {None: self.preferences, **self.folders}.items()}

    def switch(self) -> bool:
        """Toggle everything: off, or on where the settings have it on (everywhere if they have it on nowhere).

        During a snooze everything is off, and the snooze ends.
        """
        wanted = not self.enabled or bool(self.snooze.left_s)
        self.snooze.begin(0)
        self.override = None if wanted == self._enabled_in_settings else wanted
        return wanted

    def preferences_for(self, path: Path | None) -> Preferences:
        """The preferences that count for a file."""
        root = self.folder_of(path)
        return self.folders.get(root, self.preferences) if root else self.preferences

    def refresh(self) -> None:
        """Forget which files are ignored: a .gitignore may have changed."""
        self._paths.clear()

    def root_of(self, path: Path | None) -> Path | None:
        """The project that a file belongs to: the innermost of the workspace's folders, else what is found above it."""
        if path is None:
            return None
        return self.folder_of(path) or find_root(path.parent)

    def folder_of(self, path: Path | None) -> Path | None:
        """The innermost of the workspace's folders that holds a file."""
        inside = [root for root in self.roots if path is not None and path.is_relative_to(root)]
        return max(inside, key=lambda root: len(root.parts), default=None)

    def disabled_reason(self, buffer: Buffer) -> str:
        """Why a document gets no suggestions; "" if it does."""
        pause = self.pause_reason()
        if pause:
            return pause
        if self.file_overrides.get(buffer.uri) is False:
            return "suggestions are switched off for this file"
        return self._document_reason(buffer)

    def pause_reason(self) -> str:
        """Why no document at all gets suggestions; "" if there may be some."""
        if not self.enabled:
            return "suggestions are switched off"
        return f"suggestions are snoozed until {self.snooze.clock}" if self.snooze.left_s else ""

    def place_reason(self, document: Document, offset: int) -> str:
        """Why there is no suggestion at a place unless a person asks for one; "" if there is."""
        preferences = self.preferences_for(document.path)
        if preferences.comments and preferences.strings == "all":
            return ""
        place = place_at(document, offset)
        if place == "comment" and not preferences.comments:
            return "suggestions are off in comments"
        if place == "prose" and preferences.strings == "code":
            return "suggestions are off in strings of prose"
        is_off = place in {"string", "prose"} and preferences.strings == "none"
        return "suggestions are off in strings" if is_off else ""

    def is_language_enabled(self, language: str, path: Path | None = None) -> bool:
        """Whether a language gets suggestions, in a file's folder."""
        return not self._language_reason(language, self.preferences_for(path))

    def is_language_enabled_in_settings(self, language: str, path: Path | None = None) -> bool:
        """Whether the settings give a language suggestions in a file's folder, leaving overrides aside."""
        return _enables(self.preferences_for(path), language)

    def settings_to_toggle(self, language: str, path: Path | None = None) -> dict[str, list[str]]:
        """The settings that turn a language off in a file's folder, or on again.

        The keys are `enable_languages` and `disable_languages`.
        """
        name, set_ = canonical(language), self.preferences_for(path)
        if _enables(set_, name):
            return {"disable_languages": [*set_.disable_languages, name]}
        denied = [one for one in set_.disable_languages if canonical(one) != name]
        wanted: dict[str, list[str]] = {}
        if len(denied) < len(set_.disable_languages):
            wanted["disable_languages"] = denied
        if _leaves_out(name, set_):
            wanted["enable_languages"] = [*(set_.enable_languages or ("*",)), name]
        return wanted

    def is_document_disabled(self, buffer: Buffer) -> bool:
        """Whether a document itself gets none, even while suggestions as a whole are on."""
        return self.file_overrides.get(buffer.uri) is False or bool(self._document_reason(buffer))

    def exclusion_reason(self, buffer: Buffer) -> str:
        """Why a document must not be read, whatever the overrides say."""
        if buffer.is_out_of_sync:
            return "a change of the file could not be read, so its text may not be the editor's"
        if len(buffer.text) > SIZE_LIMIT:
            return f"the file is larger than {SIZE_LIMIT // 1_000_000} MB"
        if says_off(buffer.text):
            return "the file says guiderail: off"
        return self._ignored(buffer.path)

    def _document_reason(self, buffer: Buffer) -> str:
        """The document's own reason; if it was switched on by a command, its language and path do not count."""
        reason = self.exclusion_reason(buffer)
        if reason or self.file_overrides.get(buffer.uri):
            return reason
        preferences = self.preferences_for(buffer.path)
        if not preferences.enable and self.override is None and self.enabled:
            return "suggestions are off in this folder of the workspace"
        return self._language_reason(buffer.language or "plaintext", preferences) or self._path_reason(buffer.path)

    def _language_reason(self, language: str, preferences: Preferences) -> str:
        name = canonical(language)
        if name in self.language_overrides:
            return "" if self.language_overrides[name] else f"suggestions are switched off for {language}"
        return "" if _enables(preferences, name) else f"suggestions are off for {language}"

    def _path_reason(self, path: Path | None) -> str:
        """Whether disablePaths names a file."""
        patterns = self.preferences_for(path).disable_paths
        if path is None or not patterns:
            return ""
        root = self.root_of(path) or path.parent
        try:
            spec = Patterns("\n".join(patterns))
        except PatternLimitError:
            return "disablePaths holds more patterns than can be tried"
        names = [path.as_posix().lstrip("/")]
        if path.is_relative_to(root):
            names.append(path.relative_to(root).as_posix())
        return "disablePaths names the file" if any(spec.hides(name) for name in names) else ""

    def _ignored(self, path: Path | None) -> str:
        """Whether a file is ignored by git, may hold secrets, or is not the project's own; looked up once."""
        if path is None:
            return ""
        if path not in self._paths:
            real = Path(os.path.realpath(path))  # a link is judged by what it leads to
            root = self.root_of(path) or path.parent
            inside = real.is_relative_to(os.path.realpath(root))
            hidden = Ignore(root)(path) if inside else Ignore(find_root(real.parent) or real.parent)(real)
            self._paths[path] = "the file is ignored by git, may hold secrets, or is a tool's" if hidden else ""
        return self._paths[path]


def _enables(preferences: Preferences, language: str) -> bool:
    """Whether the settings give a language suggestions."""
    name = canonical(language)
    return name not in map(canonical, preferences.disable_languages) and not _leaves_out(name, preferences)


def _leaves_out(name: str, preferences: Preferences) -> bool:
    """Whether a language is not among those that are to have suggestions; prose must be named."""
    allowed = {canonical(one) for one in preferences.enable_languages}
    return name not in allowed and (name in PROSE or (bool(allowed) and "*" not in allowed))


def says_off(text: str) -> bool:
    """Whether a file says in its first lines that it wants no suggestions."""
    head = "\n".join(text[:_HEAD_LIMIT].split("\n", _HEAD)[:_HEAD])
    return _OFF.search(head) is not None


def canonical(name: str) -> str:
    """The one name of a language that has several; unknown ones in lower case."""
    try:
        return language_named(name)
    except UsageError:
        return name.lower()
