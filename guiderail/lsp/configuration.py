"""What a person has set: in the editor, and everywhere else that settings come from.

    flag  >  environment  >  editor  >  project [tool.guiderail]  >  user config.toml  >  default

A wrong value never stops the server: it is left out, and named among the problems.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guiderail.errors import GuiderailError
from guiderail.settings import KEYS, Settings, Source, checked, resolve, rule_of, user_file

SECTION = "guiderail"
_EDITOR = Source("user", "the editor's settings")


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """The settings of one client.

    Parameters
    ----------
    settings
        What the rooms below know.
    enable
        Whether there are suggestions at all.
    enable_languages
        The only languages with suggestions; empty for all but prose.
    disable_languages
        Languages without.
    disable_paths
        Files without, as .gitignore patterns relative to the root.
    debounce_ms
        Milliseconds an automatic request waits for the next key at most.
    max_suggestions
        How many to offer when asked by hand.
    menu
        Whether the completion menu holds the suggestion too; None as long as the client asks for no ghost text.
    speculate
        Whether the suggestion behind a shown one is made in idle time.
    problems
        One line for each setting that was left out.
    """

    settings: Settings
    enable: bool = True
    enable_languages: tuple[str, ...] = ()
    disable_languages: tuple[str, ...] = ()
    disable_paths: tuple[str, ...] = ()
    debounce_ms: int = 75
    max_suggestions: int = 3
    menu: bool | None = None
    speculate: bool = True
    problems: tuple[str, ...] = ()


def read(
    options: object,
    flags: Mapping[str, object],
    env: Mapping[str, str],
    root: Path | None,
) -> Preferences:
    """Settle the settings.

    Parameters
    ----------
    options
        The client's configuration object; keys in camelCase or with underscores. Unknown keys are the editor's own
        (a path to this server, say) and are passed over, and so is null.
    flags, env
        As `guiderail.settings.resolve` takes them; they are known to be right.
    root
        The project, whose settings count.
    """
    given = {_snake(str(key)): value for key, value in options.items()} if isinstance(options, Mapping) else {}
    given = {key: value for key, value in given.items() if value is not None}
    problems: list[str] = []
    settings = _settings(given, flags, env, root, problems)
    own = {key: value for key in _OWN if (value := _own(key, given, problems)) is not None}
    return replace(Preferences(settings=settings, **own), problems=tuple(problems))


def _settings(
    given: dict[str, Any],
    flags: Mapping[str, object],
    env: Mapping[str, str],
    root: Path | None,
    problems: list[str],
) -> Settings:
    """The settings of all sources; sources that cannot be read are left out."""
    merged = dict(flags)
    stronger = resolve(flags, env)
    for key in KEYS:
        if key in given and stronger.source(key).kind == "default":
            if rule_of(key).personal:  # a workspace can hold settings for the editor
                problems.append(f"{key} is not taken from an editor: put it into {user_file()}")
                continue
            try:
                merged[key] = checked(key, given[key], _EDITOR)
            except GuiderailError as error:
                problems.append(str(error))
    for places in ((root, user_file()), (None, user_file()), (root, None), (None, None)):
        try:
            return resolve(merged, env, *places).settings
        except GuiderailError as error:
            if str(error) not in problems:
                problems.append(str(error))
    raise AssertionError("flags and environment were checked at the start")


_LISTS = ("enable_languages", "disable_languages", "disable_paths")
_OWN = ("enable", *_LISTS, "debounce_ms", "max_suggestions", "menu", "speculate")
_BOUNDS = {"debounce_ms": (0, 10_000), "max_suggestions": (1, 16)}


def _own(key: str, given: dict[str, Any], problems: list[str]) -> Any:
    """The value of one of the server's own settings; None when it is not given, or wrong."""
    value = given.get(key)
    if value is None or (key == "menu" and value == "auto"):
        return None
    if key in _LISTS:
        right = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        value, allowed = tuple(value) if right else value, "a list of strings"
    elif key in _BOUNDS:
        low, high = _BOUNDS[key]
        right = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        allowed = f"an integer from {low} to {high}"
    else:
        right, allowed = isinstance(value, bool), "true or false"
    if not right:
        problems.append(f"{key} must be {allowed}, not {value!r} ({_EDITOR})")
        return None
    return value


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
