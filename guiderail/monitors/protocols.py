"""The protocols of objects that a project declares: which calls are legal in which state, and where they lead.

# .guiderail/typestate.toml
[[protocol]]
type = "Connection"            # as the analyser names it
made_by = ["connect"]          # functions that return one in its first state, beside its own constructor
first = "closed"

[protocol.states.closed]
open = "open"                  # a call that is legal in this state, and the state behind it

[protocol.states.open]
send = "open"
close = "closed"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from guiderail.errors import GuiderailError

FILE = Path(".guiderail", "typestate.toml")


class ProtocolError(GuiderailError):
    """A declared protocol cannot be understood."""


@dataclass(frozen=True)
class Protocol:
    """The states of objects of one type.

    Parameters
    ----------
    type
        Its name, without module.
    first
        The state of a new object.
    states
        For each state the calls that are legal in it, each with the state behind it.
    made_by
        Functions that return a new object.
    language
        LSP's identifier of the language.
    """

    type: str
    first: str
    states: Mapping[str, Mapping[str, str]]
    made_by: frozenset[str]
    language: str = "python"

    @property
    def calls(self) -> frozenset[str]:
        """All calls that the protocol speaks of."""
        return frozenset(call for legal in self.states.values() for call in legal)

    def legal(self, possible: frozenset[str]) -> frozenset[str]:
        """The calls that are legal in some of the possible states."""
        return frozenset(call for state in possible for call in self.states[state])

    def behind(self, possible: frozenset[str], call: str) -> frozenset[str]:
        """The states that may hold behind a call; all that it can lead to if it was legal in none."""
        moved = frozenset(self.states[state][call] for state in possible if call in self.states[state])
        return moved or frozenset(legal[call] for legal in self.states.values() if call in legal)

    def reachable(self, possible: frozenset[str]) -> frozenset[str]:
        """The states that any number of calls may lead to."""
        while (more := possible | {state for known in possible for state in self.states[known].values()}) != possible:
            possible = more
        return possible


def protocols(root: Path) -> tuple[Protocol, ...]:
    """The protocols that a project declares.

    Raises
    ------
    ProtocolError
        The file is no TOML, or a state or type is missing.
    """
    file = root / FILE
    try:
        return _read(file, file.stat().st_mtime_ns)
    except FileNotFoundError:
        return ()


@lru_cache(maxsize=8)
def _read(file: Path, changed_ns: int) -> tuple[Protocol, ...]:
    try:
        declared = tomllib.loads(file.read_text(encoding="utf-8")).get("protocol", [])
        return tuple(_protocol(one) for one in declared)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise ProtocolError(f"{file} cannot be understood: {error}", "See docs/monitors/typestate.md") from error


def _protocol(declared: dict[str, Any]) -> Protocol:
    states = {name: dict(calls) for name, calls in declared["states"].items()}
    first = declared.get("first", next(iter(states)))
    for state in (first, *(state for calls in states.values() for state in calls.values())):
        if state not in states:
            raise ValueError(f"the protocol of {declared['type']} has no state {state!r}")
    return Protocol(
        declared["type"],
        first,
        states,
        frozenset(declared.get("made_by", ())) | {declared["type"]},
        declared.get("language", "python"),
    )
