"""The registry of monitors: guiderail's own, and those that other packages register."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from guiderail.errors import UsageError
from guiderail.monitors.monitor import Monitor

GROUP = "guiderail.monitors"
ALL = "all"
BUILT_IN = {
    "dereference": "guiderail.monitors.dereference:Dereference",
    "arguments": "guiderail.monitors.arguments:Arguments",
    "imports": "guiderail.monitors.imports:Imports",
    "instantiation": "guiderail.monitors.instantiation:Instantiation",
    "enums": "guiderail.monitors.enums:EnumCases",
    "keys": "guiderail.monitors.keys:Keys",
    "typestate": "guiderail.monitors.typestate:Typestate",
    "operators": "guiderail.monitors.operators:Operators",
    "scope": "guiderail.monitors.scope:Scope",
}


@cache
def registered() -> dict[str, EntryPoint]:
    """Where each monitor is found, by its name.

    Raises
    ------
    UsageError
        Two packages register monitors of one name.
    """
    found = {name: EntryPoint(name, place, GROUP) for name, place in BUILT_IN.items()}
    for point in entry_points(group=GROUP):
        known = found.setdefault(point.name, point)
        if known.value != point.value:
            raise UsageError(
                f"{known.value} and {point.value} are both registered as the monitor {point.name!r}",
                "Uninstall one of the two packages",
            )
    return found


def chosen(names: str = ALL) -> tuple[Monitor, ...]:
    """The monitors of these names, separated by commas, in the order in which they are registered.

    Raises
    ------
    UsageError
        There is no monitor of a name, or what is registered is none.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name != ALL and name not in registered()]
    if unknown:
        raise UsageError(f"there is no monitor {unknown[0]!r}", f"Known are {', '.join(registered())}")
    return tuple(_load(point) for name, point in registered().items() if ALL in wanted or name in wanted)


def for_language(monitors: Iterable[Monitor], language: str | None) -> Sequence[Monitor]:
    """Those that know a language."""
    return [monitor for monitor in monitors if language in monitor.languages]


@cache
def _load(point: EntryPoint) -> Monitor:
    module, _, name = point.value.partition(":")
    try:
        monitor = getattr(import_module(module), name)()
    except (ImportError, AttributeError) as error:
        raise UsageError(f"the monitor {point.name!r} cannot be loaded: {error}", f"See {point.value}") from error
    missing = [key for key in ("name", "languages", "endings", "soft", "trigger") if not hasattr(monitor, key)]
    if missing:
        raise UsageError(
            f"{point.value}, registered as the monitor {point.name!r}, has no {missing[0]}",
            "A monitor is described in guiderail.monitors.monitor",
        )
    return monitor
