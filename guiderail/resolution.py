"""Merges the sources of settings, and remembers where each value came from.

    flag  >  environment GUIDERAIL_KEY  >  project [tool.guiderail]  >  user config.toml  >  default

A project's files may come from anybody. It decides what shapes a suggestion and costs little. What starts programs,
loads files, chooses how to decode, or says how much of the machine is used and what is kept is the person's alone
(`Rule.owner`). Whatever else a project says, and whatever is wrong there, is left out and named in `Resolved.problems`:
it never stops a person's work.
"""

import difflib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guiderail import projectfile
from guiderail.errors import GuiderailError, sentences
from guiderail.projectfile import ProjectFileError
from guiderail.settings import (
    KEYS,
    TABLE,
    Settings,
    SettingsError,
    Source,
    checked,
    default_of,
    flag_of,
    known,
    rule_of,
    user_file,
)  # fmt: skip

ENVIRONMENT_PREFIX = "GUIDERAIL_"
TOKEN, API_KEY = "GUIDERAIL_TOKEN", "GUIDERAIL_API_KEY"  # of servers' clients: no settings
PROJECT_FILE = "pyproject.toml"
METHODS = "methods"  # a table of tables in a file: the parameters of each method

_MOST_PROBLEMS = 4  # of a project that are named; whoever made them may have made millions


@dataclass(frozen=True)
class Resolved:
    """Settings together with the source of each value.

    Parameters
    ----------
    settings
        All values.
    sources
        Where each came from.
    problems
        One line for each thing in the project's file that was left out, and what to do about it.
    """

    settings: Settings
    sources: Mapping[str, Source]
    problems: tuple[str, ...] = ()

    def value(self, key: str) -> Any:
        """The value of ``key``; raises SettingsError for an unknown key."""
        return getattr(self.settings, known(key))

    def source(self, key: str) -> Source:
        """Where the value of ``key`` came from."""
        return self.sources[known(key)]


_Found = dict[str, tuple[Any, Source]]  # by key: what is said, and by whom


def resolve(
    flags: Mapping[str, object],
    env: Mapping[str, str],
    project_root: Path | None = None,
    user_file: Path | None = None,
) -> Resolved:
    """Merge all sources of settings.

    Parameters
    ----------
    flags
        Values by key; None means that the flag was not given.
    env
        Environment variables.
    project_root
        Folder whose ``pyproject.toml`` may hold ``[tool.guiderail]``.
    user_file
        The person's own ``config.toml``; it need not exist.

    Raises
    ------
    SettingsError
        An unknown key, a wrong value, or a file that is not TOML; never for what the project says.
    """
    person = _checked(_from_user(user_file))
    project, problems = _of_project(project_root, {key: value for key, (value, _) in person.items()})
    values: dict[str, Any] = {}
    sources = {key: Source("default") for key in KEYS}
    for found in (person, project, _checked(_from_env(env)), _checked(_from_flags(flags))):
        for key, (value, source) in found.items():
            # Parameters add up: one source sets one of them, another source another; of two for one the later counts.
            values[key] = f"{values.get(key, '')} {value}".strip() if key == "parameters" else value
            sources[key] = source
    return Resolved(Settings(**values), sources, problems)


def _checked(found: _Found) -> _Found:
    return {key: (checked(known(key, str(source)), raw, source), source) for key, (raw, source) in found.items()}


def _of_project(root: Path | None, person: Mapping[str, Any]) -> tuple[_Found, tuple[str, ...]]:
    """What a project sets of what it may set, and one line for each thing that is left out."""
    found: _Found = {}
    foreign: list[str] = []
    problems: list[str] = []
    try:
        said, source = _from_project(root)
    except GuiderailError as error:
        return {}, (str(error),)
    for key, raw in said.items():
        if key == METHODS or (key in KEYS and rule_of(key).owner == "person"):
            foreign.append(key)
            continue
        if key not in KEYS and len(problems) >= _MOST_PROBLEMS:
            continue
        try:
            value = checked(known(key, str(source)), raw, source)
            found[key] = _modest(key, value, person.get(key, default_of(key)), source), source
        except SettingsError as error:
            problems.append(str(error))
    if foreign:
        words = f"{', '.join(foreign)} {'is' if len(foreign) == 1 else 'are'} not for a project to decide ({source})"
        problems.insert(0, sentences(words, f"If you want that, put it into {user_file()}"))
    return found, tuple(problems[:_MOST_PROBLEMS])


def _modest(key: str, value: Any, person: Any, source: Source) -> Any:
    """A project's value, if it is no more than a project may set; raises SettingsError."""
    most = rule_of(key).project_most
    if most is None or value <= max(most, person):
        return value
    what = f"{key} = true is" if value is True else f"{key} above {max(most, person)} is"
    raise SettingsError(
        f"{what} not for a project to decide ({source})", f"If you want that, put it into {user_file()}"
    )


def _from_flags(flags: Mapping[str, object]) -> _Found:
    return {key: (raw, Source("flag", flag_of(key))) for key, raw in flags.items() if raw is not None}


def _from_env(env: Mapping[str, str]) -> _Found:
    """Read our variables; one that is nearly ours is a typing mistake, others belong to somebody else."""
    found: _Found = {}
    for name, raw in env.items():
        key = name.removeprefix(ENVIRONMENT_PREFIX).lower()
        if not name.startswith(ENVIRONMENT_PREFIX) or name in (TOKEN, API_KEY):
            continue
        if key in KEYS or difflib.get_close_matches(key, KEYS, n=1, cutoff=0.75):
            found[key] = (raw, Source("environment", name))
    return found


def _from_project(root: Path | None) -> tuple[Mapping[str, Any], Source]:
    """Our table in a project's file, and its source."""
    if root is None:
        return {}, Source("default")
    file = root / PROJECT_FILE
    tool = projectfile.read_toml(file, root).get("tool", {})
    table = tool.get("guiderail", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise SettingsError(f"guiderail under [tool] in {file} must be a table", f"Write {TABLE}")
    return table, Source("project", str(file))


def _from_user(file: Path | None) -> _Found:
    if file is None:
        return {}
    try:
        # Anywhere: a person may keep it with others in another folder, and link to it.
        table = projectfile.read_toml(file)
    except ProjectFileError as error:
        raise SettingsError(error.message, error.remedy) from error
    return _with_methods(table, Source("user", str(file)))


def _with_methods(table: Mapping[str, Any], source: Source) -> _Found:
    """The settings of a file; its tables ``methods.NAME`` become parameters."""
    found: _Found = {key: (raw, source) for key, raw in table.items() if key != METHODS}
    methods = table.get(METHODS, {})
    if not isinstance(methods, dict) or not all(isinstance(part, dict) for part in methods.values()):
        raise SettingsError(f"methods must hold one table for each method ({source})", "Write [methods.NAME]")
    words = [
        shlex.quote(f"{name}.{key}={str(value).lower() if isinstance(value, bool) else value}")
        for name, part in methods.items()
        for key, value in part.items()
    ]
    if words:
        raw = found.get("parameters", ("", source))[0]
        found["parameters"] = (f"{raw} {' '.join(words)}".strip() if isinstance(raw, str) else raw, source)
    return found
