"""Pipelines: a method with its stages, constraints and drafters, built from names and checked to compose."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from guiderail.decoding import registry
from guiderail.decoding.methods.plain import PlainSpec
from guiderail.decoding.spec import BuildContext, ConstraintSpec, DrafterSpec, MethodSpec, Spec, StageSpec
from guiderail.errors import UsageError
from guiderail.rule import fitting, in_words

if TYPE_CHECKING:
    from guiderail.decoding.constraints.constraint import Constraint
    from guiderail.decoding.method import Method
    from guiderail.decoding.stages.stage import LogitsStage
    from guiderail.model.info import ModelInfo

AUTO, OFF = "auto", "off"
DRAFT_MODEL = "draft-model"


class CompositionError(UsageError):
    """The chosen parts do not work together."""


class ParameterError(UsageError):
    """A parameter's name or value is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A method with the stages, constraints and drafters that work with it.

    Parameters
    ----------
    method
        The one way to decode.
    stages, constraints
        In the order in which they are applied.
    drafters
        In the order in which they were named.
    """

    method: MethodSpec = field(default_factory=PlainSpec)
    stages: tuple[StageSpec, ...] = ()
    constraints: tuple[ConstraintSpec, ...] = ()
    drafters: tuple[DrafterSpec, ...] = ()

    @property
    def runs_code(self) -> bool:
        """Whether one of its specs runs the project's code."""
        return any(spec.runs_code for spec in (self.method, *self.stages, *self.constraints, *self.drafters))

    def without_code(self) -> Pipeline:
        """The same without the specs that run the project's code, decoding plainly if the method is one of them."""
        return Pipeline(
            method=PlainSpec() if self.method.runs_code else self.method,
            stages=tuple(spec for spec in self.stages if not spec.runs_code),
            constraints=tuple(spec for spec in self.constraints if not spec.runs_code),
            drafters=tuple(spec for spec in self.drafters if not spec.runs_code),
        )

    def check(self, info: ModelInfo) -> None:
        """Raise for a model that one of the specs does not support; see `Spec.check`."""
        for spec in (self.method, *self.stages, *self.constraints, *self.drafters):
            spec.check(info)

    def build(self, context: BuildContext) -> tuple[Method, list[LogitsStage], list[Constraint]]:
        """Build the objects that decode one text."""
        stages = [spec.build(context) for spec in self.stages]
        constraints = [spec.build(context) for spec in self.constraints]
        return self.method.build(context), stages, constraints


PLAIN = Pipeline()


def build_pipeline(
    method: str = "plain",
    parameters: str = "",
    drafter: str = OFF,
    *,
    draft_model: str = "",
    greedy: bool = True,
    monitored: bool = False,
) -> Pipeline:
    """Build a pipeline from names; what does not compose is refused.

    Parameters
    ----------
    method
        Names joined by "+": at most one method (by default "plain"), any stages and constraints.
    parameters
        Words ``NAME.KEY=VALUE`` as a shell would read them, or ``KEY=VALUE`` where one of the chosen specs has that
        key. Those for specs that were not chosen are checked and have no effect.
    drafter
        "auto", "off", or names joined by "+". What "auto" finds no use for is left out; what was named is refused.
    draft_model
        A model that drafts too, unless the drafter is "off"; "" for none.
    greedy, monitored
        Whether the temperature is 0, and whether monitors constrain.

    Raises
    ------
    UnknownNameError
        A name is unknown; it names the nearest.
    ParameterError
        A parameter is unknown or out of its range; it names the range.
    CompositionError
        Two specs do not compose; it names both.
    """
    chosen = _chosen(method)
    types = {name: registry.find(name, "drafter").load() for name in _drafters(drafter, draft_model)} | chosen
    values = _parameters(parameters, types)
    if draft_model:
        values.setdefault(DRAFT_MODEL, {})["model"] = draft_model
    specs = {name: spec(**values.get(name, {})) for name, spec in types.items()}
    _check(specs, auto_drafter=drafter == AUTO, greedy=greedy, monitored=monitored)
    (chosen_method,) = (spec for spec in specs.values() if isinstance(spec, MethodSpec))
    return Pipeline(
        method=chosen_method,
        stages=tuple(sorted((p for p in specs.values() if isinstance(p, StageSpec)), key=_order)),
        constraints=tuple(sorted((p for p in specs.values() if isinstance(p, ConstraintSpec)), key=_order)),
        drafters=tuple(p for p in specs.values() if isinstance(p, DrafterSpec))
        if chosen_method.metadata.drafters
        else (),
    )


def _drafters(drafter: str, draft_model: str) -> list[str]:
    if drafter == OFF:
        return []
    names = list(registry.AUTO_DRAFTERS) if drafter == AUTO else _names(drafter)
    return [*names, DRAFT_MODEL] if draft_model and DRAFT_MODEL not in names else names


def _order(spec: Spec) -> int:
    return spec.metadata.order


def _names(text: str) -> list[str]:
    names = [registry.current(name.strip()) for name in text.split("+")]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise CompositionError(f"'{min(twice)}' is named twice in '{text}'", "Name it once")
    return names


def _chosen(method: str) -> dict[str, type[Spec]]:
    """The specs that `method` names, by name; one of them a method."""
    found = {name: registry.find(name, "method", "stage", "constraint") for name in _names(method)}
    methods = [name for name, one in found.items() if one.kind == "method"]
    if len(methods) > 1:
        raise CompositionError(
            f"'{methods[0]}' and '{methods[1]}' are both ways to decode, which do not compose", "Choose one of them"
        )
    if not methods:
        found["plain"] = registry.find("plain", "method")
    return {name: one.load() for name, one in found.items()}


def _parameters(text: str, chosen: Mapping[str, type[Spec]]) -> dict[str, dict[str, Any]]:
    """Parse the parameters: values by spec and key."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ParameterError(
            f"the parameters cannot be read: {error}", "Write NAME.KEY=VALUE NAME.KEY=VALUE"
        ) from error
    values: dict[str, dict[str, Any]] = {}
    for word in words:
        place, sign, raw = word.partition("=")
        if not sign:
            raise ParameterError(f"the parameter '{word}' has no value", "Write NAME.KEY=VALUE")
        name, dot, key = place.rpartition(".")
        name = registry.current(name) if dot else _owner(key, chosen)
        spec = chosen[name] if name in chosen else registry.find(name).load()
        values.setdefault(name, {})[key] = _value(name, spec, key, raw)
    return values


def _owner(key: str, chosen: Mapping[str, type[Spec]]) -> str:
    owners = [name for name, spec in chosen.items() if key in spec.rules()]
    if len(owners) == 1:
        return owners[0]
    known = sorted(f"{name}.{one}" for name, spec in chosen.items() for one in spec.rules())
    remedy = f"Write one of {', '.join(known)}" if known else "What was chosen has no parameters"
    if owners:
        raise ParameterError(f"'{key}' is a parameter of {' and of '.join(owners)}", f"Write {owners[0]}.{key}=VALUE")
    raise ParameterError(f"nothing that was chosen has a parameter '{key}'", remedy)


def _value(name: str, spec: type[Spec], key: str, raw: str) -> Any:
    rules = spec.rules()
    if key not in rules:
        remedy = f"Its parameters: {', '.join(rules)}" if rules else "It has none"
        raise ParameterError(f"'{name}' has no parameter '{key}'", remedy)
    rule, default = rules[key]
    value = fitting(rule, default, raw, typed=False)
    if value is None:
        raise ParameterError(f"{name}.{key} must be {in_words(rule, default)}, not '{raw}'")
    return value


def _check(specs: Mapping[str, Spec], *, auto_drafter: bool, greedy: bool, monitored: bool) -> None:
    ((name, method),) = ((n, p) for n, p in specs.items() if isinstance(p, MethodSpec))
    metadata = method.metadata
    for other, spec in specs.items():
        refused = {
            "stage": not metadata.stages,
            "constraint": not metadata.constraints,
            "drafter": not metadata.drafters and not auto_drafter,
            "method": False,
        }[spec.kind]
        if refused:
            raise CompositionError(f"the method '{name}' does not work with the {spec.kind} '{other}'", "Leave one out")
        _check_needs(other, spec, specs, greedy=greedy)
    if monitored and not metadata.constraints:
        raise CompositionError(f"the method '{name}' does not work with monitors", "Add --no-monitors")


def _check_needs(name: str, spec: Spec, specs: Iterable[str], *, greedy: bool) -> None:
    """Check what one spec requires of the others and of the temperature."""
    metadata = spec.metadata
    for other in metadata.refuses:
        if other in specs:
            raise CompositionError(f"'{name}' and '{other}' do not compose", "Leave one of them out")
    if metadata.needs and not set(metadata.needs) & set(specs):
        raise CompositionError(
            f"'{name}' needs {' or '.join(metadata.needs)}", f"Write --method {name}+{metadata.needs[0]}"
        )
    if metadata.sampling == "greedy" and not greedy:
        raise CompositionError(f"'{name}' does not sample, but the temperature is above 0", "Leave --temperature out")
    if metadata.sampling == "sampled" and greedy:
        raise CompositionError(f"'{name}' needs a temperature above 0", "Add --temperature 1")
