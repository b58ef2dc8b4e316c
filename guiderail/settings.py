"""What a person can set: the keys, their defaults and their checks; `guiderail.resolution` reads their sources.

Every value passes the same check whatever its source, and an error names that source: a setting that is
silently ignored is worse than one that is missing.
"""

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from guiderail import choices
from guiderail.choices import ANALYSERS
from guiderail.errors import UsageError
from guiderail.rule import Rule, fitting, in_words

TABLE = "[tool.guiderail]"

_SEED_LIMIT = 2**32 - 1
_MODELS = ("model", "draft_model")
_LONG = 60  # characters of a name or value that a message repeats


class SettingsError(UsageError):
    """A setting's name or value is wrong."""


def _key(default: Any, help: str, choices: Any = (), **rule: Any) -> Any:
    words = get_args(choices) or choices  # of a Literal, or as they are
    return field(default=default, metadata={"rule": Rule(help=help, choices=words, **rule)})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting with its default value."""

    model: str = _key(
        "embedded",
        "the model: embedded, a folder or GGUF file, the hub id of a pulled model, or (not in an editor) the URL of a "
        "model server",
    )
    api_key_env: str = _key(
        "",
        "the environment variable that holds the key of the model server; empty for none",
        empty=True,
        from_editors=False,
    )
    device: choices.Device = _key("auto", "where the model runs", choices=choices.Device)
    dtype: choices.Dtype = _key("auto", "precision of the weights", choices=choices.Dtype)
    threads: int = _key(0, "CPU threads; 0 lets the machine decide", low=0, high=1024)
    # A project's suggestions may be short or long, few or many; what a person waits for has a bound.
    suggestions: int = _key(1, "how many suggestions to offer", low=1, high=16, owner="both", project_most=4)
    until: choices.Until = _key("line", "where a suggestion ends", choices=choices.Until, owner="both")
    end_loops: bool = _key(True, "end a suggestion that says the same three times in a row", owner="both")
    max_tokens: int = _key(64, "most tokens in a suggestion", low=1, high=4096, owner="both", project_most=256)
    # The model decides which layouts there are: a wrong one fails at each request.
    layout: choices.Layout = _key("auto", "order of the prompt's parts around the cursor", choices=choices.Layout)
    # A project may keep its files out of the prompt. Where a person keeps them out, they stay out.
    context: bool = _key(True, "read other files of the project for context", owner="both", project_most=False)
    context_tokens: int = _key(
        512, "tokens given to other files of the project", low=0, high=1_000_000, owner="both", project_most=2048
    )
    prompt_tokens: int = _key(2048, "tokens of the whole prompt", low=64, high=1_000_000)
    project_ngrams: choices.Ngrams = _key(
        "auto",
        "mix what the project's files repeat into the model's guesses; auto does so for the embedded model",
        choices=choices.Ngrams,
        owner="both",
    )
    # Monitors start analysers: a project may do without, and not start them where a person does without.
    monitors: bool = _key(
        True, "forbid names that static analysis knows not to exist", owner="both", project_most=False
    )
    # These names may choose code of plug-ins, and a wrong one fails at each request.
    only_monitors: str = _key("all", "which monitors work: all, or names with commas between them")
    verdict: choices.VerdictUse = _key(
        "sure",
        "suggestions with new errors: left out if the kind of error is sure, put last, all left out, or not looked for",
        choices=choices.VerdictUse,
        owner="both",
    )
    confidence: choices.Confidence = _key(
        "balanced",
        "how likely a suggestion of the embedded model must be right to be shown; off shows all",
        choices=choices.Confidence,
    )
    analyser: str = _key(
        "auto", "who analyses its languages; auto takes the best one installed", choices=("auto", *ANALYSERS)
    )
    # An analyser may run it, so a project does not name one.
    python: str = _key("", "the Python of your project: an interpreter or an environment; empty finds it", empty=True)
    trust: choices.Trust = _key(
        "listed",
        "where analysers may run programs of the project; listed: see guiderail analysers trust",
        choices=choices.Trust,
        from_editors=False,
    )
    cache_policy: choices.CachePolicy = _key(
        "auto",
        "how the cache follows an edit: encode all after it again, patch it, or whichever this device makes worth it",
        choices=choices.CachePolicy,
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
    draft_model: str = _key(
        "", "a smaller model that drafts too, which changes speed alone; named as the setting model", empty=True
    )
    parameters: str = _key(
        "", "parameters of the method and its stages: NAME.KEY=VALUE, separated by blanks", empty=True
    )
    # How to sample belongs to the method: not every method takes every temperature.
    temperature: float = _key(0.0, "randomness of sampling; 0 is greedy", low=0, high=10)
    top_k: int = _key(0, "sample among this many likeliest tokens; 0 is all", low=0, high=1_000_000)
    top_p: float = _key(1.0, "sample among the likeliest tokens of this total probability", above=0, high=1)
    min_p: float = _key(0.0, "drop tokens below this fraction of the likeliest one", low=0, high=1)
    seed: int = _key(0, "seed of sampling", low=0, high=_SEED_LIMIT)
    # A workspace can hold settings for the editor, and must not have a person asked again who said no here.
    offer_models: bool = _key(
        True,
        "let the server offer, once, a published model that suits this machine better than the embedded one",
        from_editors=False,
    )
    log_level: choices.LogLevel = _key("warning", "how much to log on standard error", choices=choices.LogLevel)


BASIC_COUNT = 10  # settings to look at first; all others are advanced
# What a person looks for first. The command line has no documents to switch off, so its ten reach further.
_ORDER = (
    "enable", "model", "device", "disable_languages", "disable_paths", "comments", "strings", "until", "suggestions",
    "max_suggestions", "monitors", "dtype", "threads", "max_tokens", "context", "verdict",
)  # fmt: skip

_FIELDS = {item.name: item for item in fields(Settings)}
KEYS: tuple[str, ...] = tuple(_FIELDS)
_FLAGS = {"suggestions": "-n", "parameters": "--set"}


def basic(knows: Callable[[str], bool] = KEYS.__contains__) -> tuple[str, ...]:
    """The settings to look at first, in order: of these keys, or of those that an editor's extension knows."""
    return tuple(filter(knows, _ORDER))[:BASIC_COUNT]


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


def known(key: str, source: str = "") -> str:
    """Return ``key`` if it is a setting; else raise SettingsError naming the nearest one and the source."""
    if key in _FIELDS:
        return key
    nearest = difflib.get_close_matches(key[:_LONG], KEYS, n=1, cutoff=0.0)[0]
    place = f" in {source}" if source else ""
    raise SettingsError(f"unknown setting {_shown(key)}{place}", f"The nearest setting is '{nearest}'")


def _shown(raw: object) -> str:
    """A value as a message repeats it: of bounded length, and with nothing in it that a terminal obeys."""
    text = repr(raw)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def allowed(key: str) -> str:
    """The values that ``key`` may have, in words."""
    return in_words(rule_of(key), default_of(key))


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
    typed = source.kind in {"project", "user"}  # TOML has types of its own; flags and variables are all text
    rule, default = rule_of(key), default_of(key)
    value = fitting(rule, default, raw, typed=typed)
    if value is None:
        raise SettingsError(f"{key} must be {allowed(key)}, not {_shown(raw)} ({source})")
    if key in _MODELS and source.kind != "flag" and names_path(value) and not _is_whole(value):
        remedy = "Write its whole path: the setting counts in every folder that guiderail works in"
        raise SettingsError(f"{key} must not be the relative path {_shown(value)} ({source})", remedy)
    if key == "model" and names_server(value) and (fault := _fault_of_url(value)):
        raise SettingsError(f"model must be a URL like http://localhost:8080: {fault} ({source})")
    if key == "api_key_env" and value and not value.isidentifier():
        remedy = "Put the key into an environment variable and name that"
        raise SettingsError(f"api_key_env must be the name of an environment variable ({source})", remedy)
    if key == "python" and value and not _is_whole(value):
        remedy = "Write its whole path: the setting counts in every folder that guiderail works in"
        raise SettingsError(f"python must be a whole path, not {_shown(value)} ({source})", remedy)
    return value


def names_path(reference: str) -> bool:
    """Whether a model's reference is a path and no hub id.

    A path begins with a slash, a dot or ``~``, or is a GGUF file's without the form ``owner/name``. A hub id is never
    looked for in the current folder: a repository could hold a folder of its name.
    """
    is_file = reference.lower().endswith(".gguf") and reference.count("/") != 1
    return is_file or reference.startswith((".", "~")) or Path(reference).is_absolute()


def names_server(reference: str) -> bool:
    """Whether a model's reference is the URL of a model server."""
    return reference.lower().startswith(("http://", "https://"))


def _fault_of_url(url: str) -> str:
    """What is wrong with the URL of a model server; empty if nothing is. It does not repeat the URL."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
    except ValueError:
        return "its host or port cannot be read"
    if parts.username is not None or parts.password is not None:
        return "it holds a user or a password; a key belongs into the variable that api_key_env names"
    if not parts.hostname or parts.query or any(letter.isspace() or not letter.isprintable() for letter in url):
        return "it needs a host, and may hold no blanks and no query"
    return ""


def _is_whole(path: str) -> bool:
    return Path(os.path.expanduser(path)).is_absolute()  # noqa: PTH111 (Path's raises for an unknown user)


def user_file() -> Path:
    """The person's own settings file, whether it exists or not."""
    import platformdirs

    return platformdirs.user_config_path("guiderail") / "config.toml"
