"""What a person chose, from its names and parameters to parts that are known to compose."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from guiderail.decoding import registry
from guiderail.decoding.part import ConstraintPart, DrafterPart, MethodPart, Part, Situation, StagePart
from guiderail.decoding.plain import PlainPart
from guiderail.errors import UsageError
from guiderail.rule import fitting, in_words

if TYPE_CHECKING:
    from guiderail.decoding.constraint import Constraint
    from guiderail.decoding.method import Method
    from guiderail.decoding.stage import LogitsStage
    from guiderail.model.info import ModelInfo

AUTO, OFF = "auto", "off"


class CompositionError(UsageError):
    """What was chosen does not work together."""


class ParameterError(UsageError):
    """A parameter's name or value is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A method and what works beside it.

    Parameters
    ----------
    method
        The one way to decode.
    stages, constraints
        In the order in which they are applied.
    drafters
        In the order in which they were named.
    """

    method: MethodPart = field(default_factory=PlainPart)
    stages: tuple[StagePart, ...] = ()
    constraints: tuple[ConstraintPart, ...] = ()
    drafters: tuple[DrafterPart, ...] = ()

    @property
    def runs_code(self) -> bool:
        """Whether a part of it runs the project's code."""
        return any(part.about.runs_code for part in (self.method, *self.stages, *self.constraints, *self.drafters))

    def without_code(self) -> Recipe:
        """The same without the parts that run the project's code, decoding plainly if the method is one of them."""
        return Recipe(
            method=PlainPart() if self.method.about.runs_code else self.method,
            stages=tuple(part for part in self.stages if not part.about.runs_code),
            constraints=tuple(part for part in self.constraints if not part.about.runs_code),
            drafters=tuple(part for part in self.drafters if not part.about.runs_code),
        )

    def check(self, info: ModelInfo) -> None:
        """Refuse a model that one of the parts cannot work with; see `Part.check`."""
        for part in (self.method, *self.stages, *self.constraints, *self.drafters):
            part.check(info)

    def build(self, situation: Situation) -> tuple[Method, list[LogitsStage], list[Constraint]]:
        """The objects that decode one text."""
        stages = [part.build(situation) for part in self.stages]
        constraints = [part.build(situation) for part in self.constraints]
        return self.method.build(situation), stages, constraints


PLAIN = Recipe()


def recipe(
    method: str = "plain", parameters: str = "", drafter: str = OFF, *, greedy: bool = True, monitored: bool = False
) -> Recipe:
    """The recipe of some names, proved to compose.

    Parameters
    ----------
    method
        Names joined by "+": at most one method (by default "plain"), any stages and constraints.
    parameters
        Words ``NAME.KEY=VALUE`` as a shell would read them, or ``KEY=VALUE`` where one of the chosen parts has that
        key. Those for parts that were not chosen are checked and have no effect.
    drafter
        "auto", "off", or names joined by "+". What "auto" finds no use for is left out; what was named is refused.
    greedy, monitored
        Whether the temperature is 0, and whether monitors constrain.

    Raises
    ------
    UnknownPartError
        A name is unknown; it names the nearest.
    ParameterError
        A parameter is unknown or out of its range; it names the range.
    CompositionError
        Two parts do not compose; it names both.
    """
    chosen = _chosen(method)
    drafters = registry.AUTO_DRAFTERS if drafter == AUTO else () if drafter == OFF else _names(drafter)
    types = {name: registry.find(name, "drafter").load() for name in drafters} | chosen
    values = _parameters(parameters, types)
    parts = {name: part(**values.get(name, {})) for name, part in types.items()}
    _check(parts, auto_drafter=drafter == AUTO, greedy=greedy, monitored=monitored)
    (chosen_method,) = (part for part in parts.values() if isinstance(part, MethodPart))
    return Recipe(
        method=chosen_method,
        stages=tuple(sorted((p for p in parts.values() if isinstance(p, StagePart)), key=_order)),
        constraints=tuple(sorted((p for p in parts.values() if isinstance(p, ConstraintPart)), key=_order)),
        drafters=tuple(p for p in parts.values() if isinstance(p, DrafterPart)) if chosen_method.about.drafters else (),
    )


def _order(part: Part) -> int:
    return part.about.order


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split("+")]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise CompositionError(f"'{min(twice)}' is named twice in '{text}'", "Name it once")
    return names


def _chosen(method: str) -> dict[str, type[Part]]:
    """The parts that `method` names, by name; one of them a method."""
    found = {name: registry.find(name, "method", "stage", "constraint") for name in _names(method)}
    methods = [name for name, one in found.items() if one.kind == "method"]
    if len(methods) > 1:
        raise CompositionError(
            f"'{methods[0]}' and '{methods[1]}' are both ways to decode, which do not compose", "Choose one of them"
        )
    if not methods:
        found["plain"] = registry.find("plain", "method")
    return {name: one.load() for name, one in found.items()}


def _parameters(text: str, chosen: Mapping[str, type[Part]]) -> dict[str, dict[str, Any]]:
    """The values by part and key."""
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
        name = name if dot else _owner(key, chosen)
        part = chosen[name] if name in chosen else registry.find(name).load()
        values.setdefault(name, {})[key] = _value(name, part, key, raw)
    return values


def _owner(key: str, chosen: Mapping[str, type[Part]]) -> str:
    owners = [name for name, part in chosen.items() if key in part.rules()]
    if len(owners) == 1:
        return owners[0]
    known = sorted(f"{name}.{one}" for name, part in chosen.items() for one in part.rules())
    remedy = f"Write one of {', '.join(known)}" if known else "What was chosen has no parameters"
    if owners:
        raise ParameterError(f"'{key}' is a parameter of {' and of '.join(owners)}", f"Write {owners[0]}.{key}=VALUE")
    raise ParameterError(f"nothing that was chosen has a parameter '{key}'", remedy)


def _value(name: str, part: type[Part], key: str, raw: str) -> Any:
    rules = part.rules()
    if key not in rules:
        remedy = f"Its parameters: {', '.join(rules)}" if rules else "It has none"
        raise ParameterError(f"'{name}' has no parameter '{key}'", remedy)
    rule, default = rules[key]
    value = fitting(rule, default, raw, typed=False)
    if value is None:
        raise ParameterError(f"{name}.{key} must be {in_words(rule, default)}, not '{raw}'")
    return value


def _check(parts: Mapping[str, Part], *, auto_drafter: bool, greedy: bool, monitored: bool) -> None:
    ((name, method),) = ((n, p) for n, p in parts.items() if isinstance(p, MethodPart))
    about = method.about
    for other, part in parts.items():
        refused = {
            "stage": not about.stages,
            "constraint": not about.constraints,
            "drafter": not about.drafters and not auto_drafter,
            "method": False,
        }[part.kind]
        if refused:
            raise CompositionError(f"the method '{name}' does not work with the {part.kind} '{other}'", "Leave one out")
        _check_wishes(other, part, parts, greedy=greedy)
    if monitored and not about.constraints:
        raise CompositionError(f"the method '{name}' does not work with monitors", "Add --no-monitors")


def _check_wishes(name: str, part: Part, parts: Iterable[str], *, greedy: bool) -> None:
    """What one part says of others and of the temperature."""
    about = part.about
    for other in about.refuses:
        if other in parts:
            raise CompositionError(f"'{name}' and '{other}' do not compose", "Leave one of them out")
    if about.needs and not set(about.needs) & set(parts):
        raise CompositionError(f"'{name}' needs {' or '.join(about.needs)}", f"Write --method {name}+{about.needs[0]}")
    if about.sampling == "greedy" and not greedy:
        raise CompositionError(f"'{name}' does not sample, but the temperature is above 0", "Leave --temperature out")
    if about.sampling == "sampled" and greedy:
        raise CompositionError(f"'{name}' needs a temperature above 0", "Add --temperature 1")
