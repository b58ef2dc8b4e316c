"""Resolves the settings of one client: from its editor, and from everywhere else that settings come from.

    flag  >  environment  >  editor  >  project [tool.guiderail]  >  user config.toml  >  default

A wrong value never stops the server: it is left out, and named among the problems. So is a process-wide setting where
it cannot be chosen: the first folder decides the model of a process, and for a shared server whoever started it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from guiderail.errors import GuiderailError, sentences
from guiderail.lsp.worker import LOADED
from guiderail.resolution import Resolved, resolve
from guiderail.settings import KEYS, Settings, Source, checked, names_server, rule_of, user_file

SECTION = "guiderail"
PER_PROCESS = (*LOADED, "log_level")  # settings that a process has once
_EDITOR = Source("user", "the editor's settings")

Strings = Literal["code", "all", "none"]


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
    comments
        Whether there are suggestions in comments.
    strings
        In which strings there are suggestions: all, none, or those of code, which are not prose (`place_at`).
    debounce_ms
        Milliseconds an automatic request waits for the next key at most.
    max_suggestions
        How many to offer when asked by hand.
    menu
        Whether the completion menu holds the suggestion too; None as long as the client asks for no ghost text.
    speculate
        Whether the suggestion after a shown one is made in idle time.
    next_edits
        Whether the edits that follow from a change are proposed.
    chosen
        The keys of `settings` that a flag or the editor chose.
    problems
        One line for each setting that was left out.
    """

    settings: Settings
    enable: bool = True
    enable_languages: tuple[str, ...] = ()
    disable_languages: tuple[str, ...] = ()
    disable_paths: tuple[str, ...] = ()
    comments: bool = True
    strings: Strings = "code"
    debounce_ms: int = 75
    max_suggestions: int = 3
    menu: bool | None = None
    speculate: bool = True
    next_edits: bool = True
    chosen: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClientConfig:
    """The settings that a client sent.

    Parameters
    ----------
    everywhere
        The section, for all that is not in `folders`.
    folders
        The sections of single folders of the workspace.
    """

    everywhere: dict[str, Any] = field(default_factory=dict)
    folders: dict[Path, dict[str, Any]] = field(default_factory=dict)


def settle(
    config: ClientConfig,
    roots: Sequence[Path],
    flags: Mapping[str, object],
    env: Mapping[str, str],
    fixed: Settings | None = None,
) -> tuple[Preferences, dict[Path, Preferences]]:
    """The preferences of the first folder, which are those of files in no folder too, and of each further folder.

    Parameters
    ----------
    config
        The client's settings.
    roots
        The workspace's folders; each folder's project settings count there.
    flags, env
        See `read`.
    fixed
        The settings with which a shared server was started; None where its one client chooses.
    """
    own = {root: read(config.folders.get(root, config.everywhere), flags, env, root) for root in roots}
    first = own.pop(roots[0]) if roots else read(config.everywhere, flags, env, None)
    if fixed is None:
        remedy = f"Choose it in {roots[0].name}, or for all" if roots else ""
        return first, {
            root: _bound(one, first.settings, f"for the folder {root.name}: all folders share one model", remedy)
            for root, one in own.items()
        }
    who, remedy = (
        "here: this server has several clients",
        "Start it with what you want, or one of your own without --tcp",
    )
    return _bound(first, fixed, who, remedy), {root: _bound(one, fixed, who, remedy) for root, one in own.items()}


def _bound(own: Preferences, to: Settings, who: str, remedy: str) -> Preferences:
    """Preferences with the process-wide values of `to`; a different choice for one of these is a problem."""
    same = {key: getattr(to, key) for key in PER_PROCESS}
    lost = [key for key, value in same.items() if key in own.chosen and getattr(own.settings, key) != value]
    problems = (sentences(f"{', '.join(lost)} cannot be chosen {who}", remedy),) if lost else ()
    return replace(own, settings=replace(own.settings, **same), problems=own.problems + problems)


def read(
    options: object,
    flags: Mapping[str, object],
    env: Mapping[str, str],
    root: Path | None,
) -> Preferences:
    """The preferences that follow from all sources of settings.

    Parameters
    ----------
    options
        The client's configuration object; keys in camelCase or with underscores. Unknown keys are the editor's own
        (a path to this server, say) and are passed over, and so is null.
    flags, env
        As `guiderail.resolution.resolve` takes them; they are known to be right.
    root
        The project, whose settings count.
    """
    given = {_snake(str(key)): value for key, value in options.items()} if isinstance(options, Mapping) else {}
    given = {key: value for key, value in given.items() if value is not None}
    problems: list[str] = []
    found = _settings(given, flags, env, root, problems)
    chosen = frozenset(key for key in KEYS if found.source(key).kind == "flag")
    own = {key: value for key in _OWN if (value := _own(key, given, problems)) is not None}
    return replace(Preferences(settings=found.settings, chosen=chosen, **own), problems=tuple(problems))


def _settings(
    given: dict[str, Any],
    flags: Mapping[str, object],
    env: Mapping[str, str],
    root: Path | None,
    problems: list[str],
) -> Resolved:
    """The settings of all sources; sources that cannot be read are left out."""
    merged = dict(flags)
    stronger = resolve(flags, env)
    for key in KEYS:
        if key in given and stronger.source(key).kind == "default":
            is_server = key == "model" and names_server(str(given[key]))  # code goes to where a model server is
            if is_server or not rule_of(key).from_editors:  # a workspace can hold settings for the editor
                what = "a model server" if is_server else key
                problems.append(f"{what} is not taken from an editor: put it into {user_file()}")
                continue
            try:
                merged[key] = checked(key, given[key], _EDITOR)
            except GuiderailError as error:
                problems.append(str(error))
    try:
        found = resolve(merged, env, root, user_file())
    except GuiderailError as error:  # the person's file; flags and environment were checked at the start
        problems.append(str(error))
        found = resolve(merged, env, root, None)
    problems.extend(found.problems)
    return found


_LISTS = ("enable_languages", "disable_languages", "disable_paths")
_OWN = ("enable", *_LISTS, "comments", "strings", "debounce_ms", "max_suggestions", "menu", "speculate", "next_edits")
_BOUNDS = {"debounce_ms": (0, 10_000), "max_suggestions": (1, 16)}


def _own(key: str, given: dict[str, Any], problems: list[str]) -> Any:
    """The value of one of the server's own settings; None when it is not given, or wrong."""
    value = given.get(key)
    if value is None or (key == "menu" and value == "auto"):
        return None
    if key in _LISTS:
        right = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        value, allowed = tuple(value) if right else value, "a list of strings"
    elif key == "strings":
        right, allowed = value in get_args(Strings), f"one of {', '.join(get_args(Strings))}"
    elif key in _BOUNDS:
        low, high = _BOUNDS[key]
        right = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        allowed = f"an integer from {low} to {high}"
    else:
        right, allowed = isinstance(value, bool), "true or false"
    if not right:
        problems.append(f"{key} must be {allowed}, not {value!r:.60} ({_EDITOR})")
        return None
    return value


def section_of(options: object, *, only: bool = False) -> dict[str, Any] | None:
    """guiderail's section of a settings object; the object itself if it has none, unless `only` is given."""
    if not isinstance(options, dict):
        return None
    inner = options.get(SECTION)
    if isinstance(inner, dict):
        return inner
    return None if only else options


def camel(key: str) -> str:
    """The name of a setting in an editor."""
    head, *tail = key.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
