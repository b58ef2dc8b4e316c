"""What a run measures: models × methods × monitors × tasks, from a TOML file."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from guiderail import settings
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from guiderail.decoding.stages.stage import LogitsStage
    from guiderail.engine.engine import Engine
    from guiderail.engine.request import CompletionRequest
    from guiderail.evaluation.task import Task

OFF, SYNTAX = "off", "syntax"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to decode, by name and parameters as on the command line.

    Parameters
    ----------
    label
        What tables call it; the name by default.
    name
        A method, and stages and constraints joined by "+".
    set
        Its parameters, ``NAME.KEY=VALUE``.
    drafter
        Who drafts tokens ahead, which changes speed alone.
    temperature, top_k, top_p, min_p
        Of the choice of tokens.
    samples
        Answers to each task, each drawn from a stream of random numbers of its own; one without sampling.
    """

    label: str = ""
    name: str = "plain"
    set: str = ""
    drafter: str = "off"
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    samples: int = 1

    @property
    def is_greedy(self) -> bool:
        """Whether it is the baseline of all methods."""
        return (self.name, self.set, self.drafter, self.temperature) == ("plain", "", "off", 0)


GREEDY = Method(label="greedy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where tasks come from, and how many.

    Parameters
    ----------
    set
        A set that comes with guiderail, or a file that describes one.
    reader, path, repositories
        Or a published benchmark: its format, its file, and for DotPrompts the folder of repositories.
    kinds
        Only these.
    packages
        Only the first so many packages of the set.
    count
        Only the first so many tasks of each kind; they are spread over the packages.
    truncate
        Whether answers end by the frozen rule; if not, with the token budget.
    """

    set: str = ""
    reader: str = ""
    path: str = ""
    repositories: str = ""
    kinds: tuple[str, ...] = ()
    packages: int | None = None
    count: int | None = None
    truncate: bool = True

    @property
    def name(self) -> str:
        """What tables call the tasks."""
        return (self.set or Path(self.path).name) + ("" if self.truncate else ", not truncated")


@dataclass(frozen=True, kw_only=True)
class Settings(settings.Settings):
    """What all systems of a run share: the product's settings with the product's defaults, and three more.

    What a system decides (model, method, sampling, monitors) or a task (`until`) is not set here.

    Parameters
    ----------
    deadline_s
        How long an analyser may be waited for: this measures quality, not speed.
    check
        Whether every answer is checked by the language's compiler or analyser (compilation rate).
    judge
        The analyser that checks Python; by default the one that the monitors ask.
    """

    deadline_s: float = 20.0
    check: bool = True
    judge: str = ""


DECIDED = frozenset({"model", "method", "parameters", "drafter", "suggestions", "until", "monitors", "only_monitors"})
DRAWN = frozenset({"temperature", "top_k", "top_p", "min_p"})  # these belong to a [[method]]


# Changes of a request's scores that no setting makes.
Stages = Callable[["Engine", "CompletionRequest"], Sequence["LogitsStage"]]


@dataclass(frozen=True, slots=True)
class System:
    """One cell of models × methods × monitors.

    Parameters
    ----------
    model, method, monitors
        As in `Config`.
    name
        What tables and records call it; by default all three.
    overrides
        Settings of the product that are otherwise than the run's.
    stages
        Makes what changes the scores before the method's own stages.
    shown
        What the system sees of a task; by default the task. It is scored as the task is.
    """

    model: str
    method: Method
    monitors: str = OFF
    name: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict, hash=False)
    stages: Stages | None = None
    shown: Callable[[Task], Task] | None = None

    def settings(self, shared: Settings) -> Settings:
        """The product's settings of this system."""
        method, watched = self.method, self.monitors not in {OFF, SYNTAX}
        own = replace(
            shared,
            model=self.model,
            method=method.name,
            parameters=method.set,
            drafter=method.drafter,
            temperature=method.temperature,
            top_k=method.top_k,
            top_p=method.top_p,
            min_p=method.min_p,
            monitors=watched,
            only_monitors=self.monitors if watched else shared.only_monitors,
        )
        return replace(own, **self.overrides)

    @property
    def label(self) -> str:
        """What tables and records call it."""
        return self.name or " · ".join((self.model, self.method.label, f"monitors {self.monitors}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A run.

    Parameters
    ----------
    name
        What the report is headed by.
    about
        How the prompts were chosen, and what the run is to show: reports repeat it.
    models, methods, monitors, tasks
        What is combined with what. Monitors are "off", "syntax" (what `ast` could still parse), "all", or names.
    settings
        What all share.
    """

    name: str
    about: str
    models: tuple[str, ...]
    methods: tuple[Method, ...]
    monitors: tuple[str, ...]
    tasks: tuple[Source, ...]
    settings: Settings = field(default_factory=Settings)

    def systems(self) -> list[System]:
        """Every combination; the syntax mask is a baseline of greedy decoding alone."""
        return [
            System(model, method, monitors, stages=syntax_mask if monitors == SYNTAX else None)
            for model in self.models
            for method in self.methods
            for monitors in self.monitors
            if monitors != SYNTAX or method.is_greedy
        ]

    def digest(self) -> str:
        """SHA-256 of all that it says."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def syntax_mask(engine: Engine, request: CompletionRequest) -> Sequence[LogitsStage]:
    """The stage of the system "syntax"; none where it knows no grammar."""
    from guiderail.evaluation.syntax_mask import SyntaxMask

    if request.document.language != "python":
        return ()
    before = request.before[: request.offset - len(engine.typed(request))]
    return (SyntaxMask(before, engine.model.tokenizer.token_bytes),)


def read(path: Path) -> Config:
    """The configuration in a TOML file, with the baselines that it lacks.

    Raises
    ------
    UsageError
        The file is missing or says something that may not be.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not a configuration: {error}", "See docs/evaluation.md") from error
    known = {"name", "about", "models", "monitors", "method", "tasks", "settings"}
    unknown = table.keys() - known
    if unknown:
        raise UsageError(f"{path} has an unknown key {min(unknown)!r}", f"Known: {', '.join(sorted(known))}")
    methods = [_made(Method, each, "method") for each in table.get("method", [])]
    return with_baselines(
        Config(
            name=str(table.get("name", path.stem)),
            about=str(table.get("about", "")),
            models=tuple(table.get("models", ["embedded"])),
            methods=tuple(replace(each, label=each.label or each.name) for each in methods),
            monitors=tuple(table.get("monitors", [OFF])),
            tasks=tuple(_source(each, path.parent) for each in table.get("tasks", [])),
            settings=_settings(table.get("settings", {}), path),
        )
    )


def with_baselines(config: Config) -> Config:
    """The same with greedy decoding, and with no monitor and the syntax mask where there are monitors.

    Raises
    ------
    UsageError
        There is nothing to ask, two methods have one label, or one has several samples and no temperature.
    """
    methods = config.methods if any(m.is_greedy for m in config.methods) else (GREEDY, *config.methods)
    labels = [method.label for method in methods]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UsageError(f"two methods of {config.name} are called {twice!r}", "Give each a label of its own")
    repeated = next((method.label for method in methods if method.samples > 1 and method.temperature == 0), None)
    if repeated is not None:
        raise UsageError(f"{repeated!r} would give one answer many times", "Leave samples out, or set a temperature")
    if not config.tasks:
        raise UsageError(f"{config.name} has no tasks", "Add a [[tasks]] with a set or a reader")
    wanted = tuple(dict.fromkeys((OFF, *config.monitors)))
    if len(wanted) > 1 and SYNTAX not in wanted:
        wanted = (OFF, SYNTAX, *wanted[1:])
    return replace(config, methods=methods, monitors=wanted)


def _source(table: Mapping[str, Any], beside: Path) -> Source:
    found = _made(Source, {**table, "kinds": tuple(table.get("kinds", ()))}, "tasks")
    if bool(found.set) == bool(found.reader):
        raise UsageError("a [[tasks]] needs a set or a reader, and not both", "See docs/evaluation.md")
    paths = {key: str(beside / value) for key in ("path", "repositories") if (value := getattr(found, key))}
    if found.set.endswith(".toml"):
        paths["set"] = str(beside / found.set)
    return replace(found, **paths)


def _settings(table: Mapping[str, Any], path: Path) -> Settings:
    """The settings of a run, each value checked as the product checks it."""
    if "trust" in table:  # whoever wrote the configuration would decide that programs of the projects run
        raise UsageError(f"trust is not for [settings] of {path.name}", "Set GUIDERAIL_TRUST, or trust the projects")
    own = {item.name for item in fields(Settings)} - set(settings.KEYS)
    wrong = next((key for key in table if key in DECIDED | DRAWN), None)
    if wrong is not None:
        raise UsageError(
            f"{wrong} is not for [settings] of {path.name}", "A [[method]], the top or [[tasks]] decide it"
        )
    source = settings.Source("user", path.name)
    kinds = {"deadline_s": (int, float), "check": bool, "judge": str}
    for key in table.keys() & own:
        if not isinstance(table[key], kinds[key]):
            raise UsageError(f"{key} of {path.name} must not be {table[key]!r}", "See docs/evaluation.md")
    return Settings(
        **{
            key: value if key in own else settings.checked(settings.known(key, path.name), value, source)
            for key, value in table.items()
        }
    )


def _made(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    try:
        return kind(**table)
    except TypeError as error:
        names = ", ".join(_names(kind))
        raise UsageError(f"[{where}] cannot be read: {error}", f"Its keys: {names}") from error


def _names(kind: type[Any]) -> Sequence[str]:
    return [item for item in kind.__dataclass_fields__ if not item.startswith("_")]
