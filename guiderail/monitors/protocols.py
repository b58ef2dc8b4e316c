"""The protocols of objects that a project declares: which calls are legal in which state, and where they lead.

# .guiderail/typestate.toml
[[protocol]]
type = "Connection"            # as the analyser names it
made_by = ["connect"]          # functions that return one in its first state, beside its own constructor
first = "closed"

[protocol.states.closed]
open = "open"                  # a call that is legal in this state, and the state after it

[protocol.states.open]
send = "open"
close = "closed"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from guiderail import projectfile
from guiderail.errors import GuiderailError
from guiderail.projectfile import ProjectFileError

FILE = Path(".guiderail", "typestate.toml")
SIZE_LIMIT = 1 << 16  # bytes
MANY = 100  # protocols, states of one, and calls in one state: they are followed at every dot


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
        For each state the calls that are legal in it, each with the state after it.
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

    def after(self, possible: frozenset[str], call: str) -> frozenset[str]:
        """The states that an object may be in after a call; all that it can lead to if it was legal in none."""
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
        The file cannot be read or is no TOML, a state or type is missing, or there are too many.
    """
    file = root / FILE
    try:
        changed_ns = file.stat().st_mtime_ns
    except (OSError, ValueError):  # there is none, or nothing that we may see
        return ()
    found = _read(file, root, changed_ns)
    if isinstance(found, ProtocolError):
        raise found
    return found


@lru_cache(maxsize=8)
def _read(file: Path, root: Path, changed_ns: int) -> tuple[Protocol, ...] | ProtocolError:
    """The protocols of a file, or why there are none: it is not read again until it changes."""
    try:
        declared = projectfile.read_toml(file, root, limit=SIZE_LIMIT).get("protocol", [])
        return tuple(_protocol(one) for one in _few(declared))
    except ProjectFileError as error:
        return ProtocolError(f"{file} cannot be understood: {error.message}", error.remedy)
    except (KeyError, AttributeError, TypeError, ValueError, StopIteration) as error:
        return ProtocolError(f"{file} cannot be understood: {error!r:.200}", "See docs/monitors/typestate.md")


def _protocol(declared: dict[str, Any]) -> Protocol:
    states = {name: dict(_few(calls)) for name, calls in _few(declared["states"]).items()}
    first = declared.get("first", next(iter(states)))
    for state in (first, *(state for calls in states.values() for state in calls.values())):
        if state not in states:
            raise ValueError(f"the protocol of {declared['type']} has no state {state!r}")
    made_by = _few(declared.get("made_by", []))
    for text in (declared["type"], *made_by, declared.get("language", "python")):
        if not isinstance(text, str):
            raise TypeError(f"{text!r} is no text")
    return Protocol(
        declared["type"],
        first,
        states,
        frozenset(made_by) | {declared["type"]},
        declared.get("language", "python"),
    )


def _few(declared: Any) -> Any:
    """A list or table itself; raises ValueError if it is longer than `MANY`, and TypeError if it is neither."""
    if not isinstance(declared, (list, dict)):
        raise TypeError(f"{declared!r:.100} is neither a list nor a table")
    if len(declared) > MANY:
        raise ValueError(f"there are more than {MANY} of one kind")
    return declared
