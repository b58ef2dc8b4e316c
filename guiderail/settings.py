"""What a person can set, and where each value came from.

    flag  >  environment GUIDERAIL_KEY  >  project [tool.guiderail]  >  user config.toml  >  default

Every value passes the same check whatever its source, and an error names that source: a setting that is
silently ignored is worse than one that is missing.
"""

import difflib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from guiderail.errors import UsageError

ENVIRONMENT_PREFIX = "GUIDERAIL_"
TABLE = "[tool.guiderail]"

ANALYSERS = (  # guiderail.monitors.analysis.servers describes them
    "pyrefly", "ty", "basedpyright", "jedi", "tsc", "typescript-language-server", "clangd", "gopls",
    "rust-analyzer",
    "multilspy-rust", "jdtls", "javac", "csharp-ls", "omnisharp", "multilspy-csharp",
)  # fmt: skip

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_SEED_LIMIT = 2**32 - 1


class SettingsError(UsageError):
    """A setting's name or value is wrong."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What one setting may be.

    Parameters
    ----------
    help
        One line for ``--help`` and ``guiderail config show``.
    choices
        The only words allowed; empty when any text is.
    low, high
        Inclusive bounds of a number.
    above
        Exclusive lower bound of a number.
    empty
        Whether a text may be empty.
    personal
        Whether a project must not decide it: its files may come from anybody.
    """

    help: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    above: float | None = None
    empty: bool = False
    personal: bool = False


def _key(default: Any, help: str, **rule: Any) -> Any:
    return field(default=default, metadata={"rule": Rule(help=help, **rule)})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting with its default value."""

    model: str = _key("embedded", "the model: embedded, a local folder or GGUF file, or the hub id of a pulled model")
    device: str = _key("auto", "where the model runs", choices=("auto", "cpu", "cuda"))
    dtype: str = _key("auto", "precision of the weights", choices=("auto", "float32", "bfloat16", "float16"))
    threads: int = _key(0, "CPU threads; 0 lets the machine decide", low=0, high=1024)
    suggestions: int = _key(1, "how many suggestions to offer", low=1, high=16)
    until: str = _key("line", "where a suggestion ends", choices=("line", "block", "tokens"))
    end_loops: bool = _key(True, "end a suggestion that says the same three times in a row")
    max_tokens: int = _key(64, "most tokens in a suggestion", low=1, high=4096)
    layout: str = _key(
        "auto", "order of the prompt's parts around the cursor", choices=("auto", "psm", "spm", "efim", "prefix")
    )
    context: bool = _key(True, "read other files of the project for context")
    context_tokens: int = _key(512, "tokens given to other files of the project", low=0, high=1_000_000)
    prompt_tokens: int = _key(2048, "tokens of the whole prompt", low=64, high=1_000_000)
    project_ngrams: str = _key(
        "auto",
        "mix what the project's files repeat into the model's guesses; auto does so for the embedded model",
        choices=("auto", "on", "off"),
    )
    monitors: bool = _key(True, "forbid names that static analysis knows not to exist")
    only_monitors: str = _key("all", "which monitors work: all, or names with commas between them")
    verdict: str = _key(
        "mark",
        "suggestions that static analysis finds new errors in: named and put last, left out, or not looked for",
        choices=("mark", "drop", "off"),
    )
    analyser: str = _key(
        "auto", "who analyses its languages; auto takes the best one installed", choices=("auto", *ANALYSERS)
    )
    trust: str = _key(
        "listed",
        "where analysers may run programs of the project; listed: see guiderail analysers trust",
        choices=("listed", "always", "never"),
        personal=True,
    )
    cache_policy: str = _key(
        "auto",
        "how the cache follows an edit: encode all behind it again, patch it, or whichever this device makes worth it",
        choices=("auto", "exact", "patch"),
    )
    cache_mb: int = _key(
        256,
        "MiB of memory for the caches of other open files, on a GPU of both memories",
        low=0,
        high=1_000_000,
    )
    method: str = _key(
        "plain", "how to decode: a method, and stages and constraints joined by +; see guiderail methods"
    )
    drafter: str = _key(
        "auto", "who drafts tokens ahead, which changes speed alone: auto (where it pays on this device), off, or names"
    )
    parameters: str = _key(
        "", "parameters of the method and its stages: NAME.KEY=VALUE, separated by blanks", empty=True
    )
    temperature: float = _key(0.0, "randomness of sampling; 0 is greedy", low=0, high=10)
    top_k: int = _key(0, "sample among this many likeliest tokens; 0 is all", low=0, high=1_000_000)
    top_p: float = _key(1.0, "sample among the likeliest tokens of this total probability", above=0, high=1)
    min_p: float = _key(0.0, "drop tokens below this fraction of the likeliest one", low=0, high=1)
    seed: int = _key(0, "seed of sampling", low=0, high=_SEED_LIMIT)
    log_level: str = _key("warning", "how much to log on standard error", choices=("debug", "info", "warning", "error"))


_FIELDS = {item.name: item for item in fields(Settings)}
KEYS: tuple[str, ...] = tuple(_FIELDS)
_FLAGS = {"suggestions": "-n", "parameters": "--set"}


def rule_of(key: str) -> Rule:
    """What the setting ``key`` may be."""
    return _FIELDS[key].metadata["rule"]


def default_of(key: str) -> Any:
    """The value of ``key`` when nobody set it."""
    return _FIELDS[key].default


def flag_of(key: str) -> str:
    """The command-line flag of ``key``."""
    return _FLAGS.get(key) or "--" + key.replace("_", "-")


@dataclass(frozen=True)
class Source:
    """Where a value came from, and how to say so."""

    kind: Literal["flag", "environment", "project", "user", "default"]
    place: str = ""

    def __str__(self) -> str:
        match self.kind:
            case "flag" | "environment":
                return f"{self.kind} {self.place}"
            case "project":
                return f"{self.place} {TABLE}"
            case "user":
                return self.place
            case _:
                return "default"


@dataclass(frozen=True)
class Resolved:
    """Settings together with the source of each value."""

    settings: Settings
    sources: Mapping[str, Source]

    def value(self, key: str) -> Any:
        """The value of ``key``; raises SettingsError for an unknown key."""
        return getattr(self.settings, known(key))

    def source(self, key: str) -> Source:
        """Where the value of ``key`` came from."""
        return self.sources[known(key)]


def known(key: str, source: str = "") -> str:
    """Return ``key`` if it is a setting; else raise SettingsError naming the nearest one and the source."""
    if key in _FIELDS:
        return key
    nearest = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.0)[0]
    place = f" in {source}" if source else ""
    raise SettingsError(f"unknown setting '{key}'{place}", f"The nearest setting is '{nearest}'")


def allowed(key: str) -> str:
    """The values that ``key`` may have, in words."""
    return in_words(rule_of(key), default_of(key))


def in_words(rule: Rule, default: Any) -> str:
    """The values that ``rule`` allows, in words; the default tells their type."""
    if rule.choices:
        return "one of " + ", ".join(rule.choices)
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, str):
        return "a text" if rule.empty else "a text that is not empty"
    noun = "an integer" if isinstance(default, int) else "a number"
    start = f"from {rule.low:g}" if rule.above is None else f"above {rule.above:g}"
    return f"{noun} {start} to {rule.high}"


def checked(key: str, raw: object, source: Source) -> Any:
    """The value that ``raw`` stands for.

    Parameters
    ----------
    key
        A known setting.
    raw
        A string from a flag or the environment, or a TOML value.
    source
        Named in the error.

    Raises
    ------
    SettingsError
        The value has the wrong type or is out of range.
    """
    if rule_of(key).personal and source.kind == "project":
        raise SettingsError(f"{key} is not for a project to decide ({source})", f"Put it into {user_file()}")
    typed = source.kind in {"project", "user"}  # TOML has types of its own; flags and variables are all text
    rule, default = rule_of(key), default_of(key)
    value = fitting(rule, default, raw, typed=typed)
    if value is None:
        raise SettingsError(f"{key} must be {allowed(key)}, not {raw!r} ({source})")
    return value


def fitting(rule: Rule, default: Any, raw: object, *, typed: bool) -> Any:
    """The value that ``raw`` stands for, of the default's type; None when it does not fit the rule.

    ``typed`` says that it has its type already, and is no text to be read.
    """
    value = _typed(default, raw) if typed else _parsed(default, raw)
    return None if value is None or not _in_range(rule, value) else value


def _parsed(default: Any, raw: object) -> Any:
    """Read a flag or an environment variable; None when it cannot be read."""
    if not isinstance(raw, str):
        return _typed(default, raw)
    if isinstance(default, bool):
        word = raw.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else None
    try:
        return type(default)(raw)
    except ValueError:
        return None


def _typed(default: Any, raw: object) -> Any:
    """Take a value that has a type already; None when the type is wrong."""
    if isinstance(default, float) and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw)
    return raw if type(raw) is type(default) else None


def _in_range(rule: Rule, value: Any) -> bool:
    if isinstance(value, bool):
        return True
    if isinstance(value, str):
        return value in rule.choices if rule.choices else rule.empty or bool(value.strip())
    # Every number has a lower bound, so NaN, for which every comparison is false, is refused.
    return (
        (rule.low is None or value >= rule.low)
        and (rule.high is None or value <= rule.high)
        and (rule.above is None or value > rule.above)
    )


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
        An unknown key, a wrong value, or a file that is not TOML.
    """
    values: dict[str, Any] = {}
    sources = {key: Source("default") for key in KEYS}
    for found in (_from_user(user_file), _from_project(project_root), _from_env(env), _from_flags(flags)):
        for key, (raw, source) in found.items():
            value = checked(known(key, str(source)), raw, source)
            # Parameters add up: one source sets one of them, another source another; of two for one the later counts.
            values[key] = f"{values.get(key, '')} {value}".strip() if key == "parameters" else value
            sources[key] = source
    return Resolved(Settings(**values), sources)


_Found = dict[str, tuple[object, Source]]


def _from_flags(flags: Mapping[str, object]) -> _Found:
    return {key: (raw, Source("flag", flag_of(key))) for key, raw in flags.items() if raw is not None}


def _from_env(env: Mapping[str, str]) -> _Found:
    """Read our variables; one that is nearly ours is a typing mistake, others belong to somebody else."""
    found: _Found = {}
    for name, raw in env.items():
        key = name.removeprefix(ENVIRONMENT_PREFIX).lower()
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        if key in _FIELDS or difflib.get_close_matches(key, KEYS, n=1, cutoff=0.75):
            found[key] = (raw, Source("environment", name))
    return found


def _from_project(root: Path | None) -> _Found:
    if root is None:
        return {}
    file = root / "pyproject.toml"
    tool = _read_toml(file).get("tool", {})
    table = tool.get("guiderail", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise SettingsError(f"guiderail under [tool] in {file} must be a table", f"Write {TABLE}")
    return _with_methods(table, Source("project", str(file)))


def _from_user(file: Path | None) -> _Found:
    if file is None:
        return {}
    return _with_methods(_read_toml(file), Source("user", str(file)))


def _with_methods(table: Mapping[str, Any], source: Source) -> _Found:
    """The settings of a file; its tables ``methods.NAME`` become parameters."""
    found: _Found = {key: (raw, source) for key, raw in table.items() if key != "methods"}
    methods = table.get("methods", {})
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


def _read_toml(file: Path) -> dict[str, Any]:
    """The tables of a TOML file; empty when there is no such file."""
    import tomllib

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}", "Correct the file or remove it") from error
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}", "Check its permissions") from error


def user_file() -> Path:
    """The person's own settings file, whether it exists or not."""
    import platformdirs

    return platformdirs.user_config_path("guiderail") / "config.toml"
