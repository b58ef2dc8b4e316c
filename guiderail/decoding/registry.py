"""The methods, stages, constraints and drafters by their names: our own, and those of installed packages.

A package registers a part by an entry point of the group ``guiderail.methods``, ``guiderail.stages``,
``guiderail.constraints`` or ``guiderail.drafters``: its name, and a subclass of the group's base class (`part`). Names
are unique across all groups. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from guiderail.decoding.part import ConstraintPart, DrafterPart, Kind, MethodPart, Part, StagePart
from guiderail.errors import GuiderailError, UsageError

BASES: Mapping[Kind, type[Part]] = {
    "method": MethodPart, "stage": StagePart, "constraint": ConstraintPart, "drafter": DrafterPart,
}  # fmt: skip
# Our own, in the form of entry points; a table, so that they are there whether the package was installed anew or not.
BUILT_IN: Mapping[Kind, Mapping[str, str]] = {
    "method": {
        "plain": "guiderail.decoding.plain:PlainPart",
        "adadec": "guiderail.decoding.adadec:AdaDecPart",
        "beam": "guiderail.decoding.beam:BeamPart",
        "superposed": "guiderail.decoding.superposed:SuperposedPart",
        "asap": "guiderail.decoding.alignment:AsapPart",
        "cars": "guiderail.decoding.alignment:CarsPart",
        "ead": "guiderail.decoding.switching:SwitchingPart",
        "pg-td": "guiderail.decoding.planning:PlanningPart",
    },
    "stage": {
        "uscd": "guiderail.decoding.stages.contrast:ContrastPart",
        "rpg": "guiderail.decoding.stages.grammar_repetition:GrammarRepetitionPart",
        "repetition-penalty": "guiderail.decoding.stages.repetition_penalty:RepetitionPenaltyPart",
        "mirostat1": "guiderail.decoding.stages.mirostat:MirostatV1Part",
        "mirostat2": "guiderail.decoding.stages.mirostat:MirostatV2Part",
        "momentum": "guiderail.decoding.stages.momentum:MomentumPart",
    },
    "constraint": {
        "grammar": "guiderail.decoding.grammar:GrammarPart",
    },
    "drafter": {
        "suffix": "guiderail.decoding.drafters.suffix:SuffixPart",
        "recycling": "guiderail.decoding.drafters.recycling:RecyclingPart",
        "stand": "guiderail.decoding.drafters.stand:StandPart",
        "names": "guiderail.decoding.drafters.names:NamesPart",
        "embedded": "guiderail.decoding.drafters.embedded:EmbeddedPart",
    },
}  # fmt: skip
# The drafters of the setting "auto", the first before the others where they promise the same.
AUTO_DRAFTERS: tuple[str, ...] = ("names", "suffix", "recycling")


class RegistryError(GuiderailError):
    """A package registered something that cannot be used."""


class UnknownPartError(UsageError):
    """There is no method, stage, constraint or drafter of this name."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A name, and where its part is to be found: "module:attribute", and who registered it."""

    name: str
    kind: Kind
    target: str
    owner: str

    def load(self) -> type[Part]:
        """Import the part.

        Raises
        ------
        RegistryError
            If it cannot be imported, or is no part of this kind.
        """
        module, _, attribute = self.target.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for step in attribute.split("."):
                found = getattr(found, step)
        except (ImportError, AttributeError) as error:
            raise self._refused(f"cannot be imported ({error})") from error
        base = BASES[self.kind]
        if not (isinstance(found, type) and issubclass(found, base) and is_dataclass(found)):
            raise self._refused(f"is no dataclass below {base.__module__}.{base.__qualname__}")
        if not hasattr(found, "about"):
            raise self._refused("says nothing about itself (its class attribute `about` is missing)")
        return found

    def _refused(self, why: str) -> RegistryError:
        return RegistryError(
            f"the {self.kind} '{self.name}' of {self.owner} ({self.target}) {why}", f"Correct or remove {self.owner}"
        )


def merged(own: Mapping[Kind, Mapping[str, str]], others: Iterable[EntryPoint]) -> dict[str, Registered]:
    """Everything by name.

    Raises
    ------
    RegistryError
        If two registered one name; it names both.
    """
    found = {
        name: Registered(name, kind, target, "guiderail")
        for kind, parts in own.items()
        for name, target in parts.items()
    }
    kinds: dict[str, Kind] = {f"guiderail.{kind}s": kind for kind in BASES}
    for point in others:
        owner = point.dist.name if point.dist else "an unknown package"
        new = Registered(point.name, kinds[point.group], point.value, owner)
        old = found.setdefault(point.name, new)
        if old.target != new.target:
            raise RegistryError(
                f"two parts are named '{new.name}': the {old.kind} of {old.owner} ({old.target}) and the {new.kind} of "
                f"{new.owner} ({new.target})",
                "Remove one of the packages",
            )
    return found


@cache
def known() -> dict[str, Registered]:
    """Everything that is registered on this machine, by name."""
    points = [point for kind in BASES for point in entry_points(group=f"guiderail.{kind}s")]
    return merged(BUILT_IN, points)


def find(name: str, *kinds: Kind) -> Registered:
    """What is registered under a name.

    Raises
    ------
    UnknownPartError
        If there is nothing of these kinds (any, by default); it names the nearest.
    """
    kinds = kinds or tuple(BASES)
    names = [one.name for one in known().values() if one.kind in kinds]
    if name in names:
        return known()[name]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    hint = f"The nearest is '{near[0]}'; guiderail methods lists all" if near else "None is registered"
    raise UnknownPartError(f"there is no {kinds[0]} '{name}'", hint)
