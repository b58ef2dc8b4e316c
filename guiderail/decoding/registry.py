"""The registry of methods, stages, constraints and drafters by name: our own, and those of installed packages.

A package registers a spec by an entry point of the group ``guiderail.methods``, ``guiderail.stages``,
``guiderail.constraints`` or ``guiderail.drafters``: its name, and a subclass of the group's base class (`spec`). Names
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

from guiderail.decoding.spec import ConstraintSpec, DrafterSpec, Kind, MethodSpec, Spec, StageSpec
from guiderail.errors import GuiderailError, UsageError

BASES: Mapping[Kind, type[Spec]] = {
    "method": MethodSpec, "stage": StageSpec, "constraint": ConstraintSpec, "drafter": DrafterSpec,
}  # fmt: skip
# Our own, as entry points are written; a table, so that a source tree needs no new installation.
BUILT_IN: Mapping[Kind, Mapping[str, str]] = {
    "method": {
        "plain": "guiderail.decoding.methods.plain:PlainSpec",
        "adadec": "guiderail.decoding.methods.adadec:AdaDecSpec",
        "beam": "guiderail.decoding.methods.beam:BeamSpec",
        "superposed": "guiderail.decoding.methods.superposed:SuperposedSpec",
        "asap": "guiderail.decoding.methods.alignment:AsapSpec",
        "cars": "guiderail.decoding.methods.alignment:CarsSpec",
        "whole-names": "guiderail.decoding.methods.whole_names:WholeNamesSpec",
        "a-star": "guiderail.decoding.methods.a_star:AStarSpec",
        "ead": "guiderail.decoding.methods.switching:SwitchingSpec",
        "pg-td": "guiderail.decoding.methods.planning:PlanningSpec",
    },
    "stage": {
        "uscd": "guiderail.decoding.stages.contrast:ContrastSpec",
        "rpg": "guiderail.decoding.stages.grammar_repetition:GrammarRepetitionSpec",
        "repetition-penalty": "guiderail.decoding.stages.repetition_penalty:RepetitionPenaltySpec",
        "mirostat1": "guiderail.decoding.stages.mirostat:MirostatV1Spec",
        "mirostat2": "guiderail.decoding.stages.mirostat:MirostatV2Spec",
        "momentum": "guiderail.decoding.stages.momentum:MomentumSpec",
    },
    "constraint": {
        "grammar": "guiderail.decoding.constraints.grammar:GrammarSpec",
    },
    "drafter": {
        "suffix": "guiderail.decoding.drafting.suffix:SuffixSpec",
        "recycling": "guiderail.decoding.drafting.recycling:RecyclingSpec",
        "stand": "guiderail.decoding.drafting.stand:StandSpec",
        "names": "guiderail.decoding.drafting.names:NamesSpec",
        "draft-model": "guiderail.decoding.drafting.draft_model:DraftModelSpec",
        "early-exit": "guiderail.decoding.drafting.early_exit:EarlyExitSpec",
    },
}  # fmt: skip
RENAMED: Mapping[str, str] = {"embedded": "draft-model"}  # former names, which still work
# The drafters of the setting "auto"; of equally good drafts the first one's is taken.
AUTO_DRAFTERS: tuple[str, ...] = ("names", "suffix", "recycling")


class RegistryError(GuiderailError):
    """A package registered something that cannot be used."""


class UnknownNameError(UsageError):
    """There is no method, stage, constraint or drafter of this name."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered name: where its spec is found ("module:attribute"), and which package registered it."""

    name: str
    kind: Kind
    target: str
    owner: str

    def load(self) -> type[Spec]:
        """Import the spec.

        Raises
        ------
        RegistryError
            If it cannot be imported, or is no spec of this kind.
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
        if not hasattr(found, "metadata"):
            raise self._refused("has no metadata (its class attribute `metadata` is missing)")
        return found

    def _refused(self, why: str) -> RegistryError:
        return RegistryError(
            f"the {self.kind} '{self.name}' of {self.owner} ({self.target}) {why}", f"Correct or remove {self.owner}"
        )


def merged(own: Mapping[Kind, Mapping[str, str]], others: Iterable[EntryPoint]) -> dict[str, Registered]:
    """All registered names: our own and those of other packages.

    Raises
    ------
    RegistryError
        If two registered one name; it names both.
    """
    found = {
        name: Registered(name, kind, target, "guiderail")
        for kind, specs in own.items()
        for name, target in specs.items()
    }
    kinds: dict[str, Kind] = {f"guiderail.{kind}s": kind for kind in BASES}
    for point in others:
        owner = point.dist.name if point.dist else "an unknown package"
        new = Registered(point.name, kinds[point.group], point.value, owner)
        old = found.setdefault(point.name, new)
        if old.target != new.target:
            raise RegistryError(
                f"the name '{new.name}' is registered twice: as a {old.kind} of {old.owner} ({old.target}) and as a "
                f"{new.kind} of {new.owner} ({new.target})",
                "Remove one of the packages",
            )
    return found


@cache
def known() -> dict[str, Registered]:
    """All registered specs on this machine, by name."""
    points = [point for kind in BASES for point in entry_points(group=f"guiderail.{kind}s")]
    return merged(BUILT_IN, points)


def current(name: str) -> str:
    """The name that is used now for one that may be a former name."""
    return RENAMED.get(name, name)


def find(name: str, *kinds: Kind) -> Registered:
    """Look a name up.

    Raises
    ------
    UnknownNameError
        If there is nothing of these kinds (any, by default); it names the nearest.
    """
    kinds = kinds or tuple(BASES)
    name = current(name)
    names = [one.name for one in known().values() if one.kind in kinds]
    if name in names:
        return known()[name]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    hint = f"The nearest is '{near[0]}'; guiderail methods lists all" if near else "None is registered"
    raise UnknownNameError(f"there is no {kinds[0]} '{name}'", hint)
