"""Who may add names to what is before a dot, from what the analyser and the sources say of it."""

from __future__ import annotations

import builtins
import re
from textwrap import dedent

from guiderail.monitors.analysis.answers import Member, Members
from guiderail.monitors.cursor_context import Snapshot
from guiderail.monitors.runtime.facts import UNREAD
from guiderail.monitors.runtime.frameworks import merged
from guiderail.monitors.runtime.openness import Openness, open_by
from guiderail.monitors.runtime.reader import read_facts

CLASS_READ = 2_000  # characters of a type that are looked at
_OF_TYPE = frozenset(name for name in dir(type) if not name.startswith("__")) | {"__subclasses__", "__prepare__"}
BUILT_INS = "builtins.pyi"
_WORDS = re.compile(r"\w+")
_METACLASS = re.compile(r"type\[(\w+)\]")
_PROPERTY = re.compile(r"\s*@\s*[\w.]+\Z")


def openness_of(members: Members, receiver: str, snapshot: Snapshot) -> Openness:
    """What may be added to a receiver.

    Parameters
    ----------
    members
        What the analyser lists of it.
    receiver
        Its text, without what is before a chain of names and calls.
    snapshot
        Where it stands.
    """
    runtime, facts = snapshot.cursor.runtime, snapshot.cursor.facts
    listed = {member.name: member for member in members.items}
    names = facts.outside | _written_since(snapshot) | runtime.set_in_project([receiver])
    found = Openness(names if is_settable(members) or not members.types else frozenset())
    is_module = _is_module(listed)
    shown = listed["__class__"].detail[:CLASS_READ] if "__class__" in listed else ""
    is_class = shown.startswith("type[type[")
    metaclass = _METACLASS.match(shown)  # of a class object, where it is not ``type``; of other objects, their class
    for place in members.types:
        if is_module:
            found |= runtime.of_module(place.path) if place.of_receiver and place.line == 0 else Openness()
            found |= Openness(runtime.set_in_project([place.path.stem, place.path.parent.name]))
        elif place.path.name != BUILT_INS:
            found |= Openness(runtime.set_in_project(runtime.classes_of(place.path, place.line, place.name)))
            has_it = bool(metaclass) and metaclass[1] in runtime.metaclasses_of(place.path, place.line, place.name)
            found |= runtime.of_class(place.path, place.line, place.name, itself=is_class or has_it)
            found |= open_by("framework") if runtime.is_vague(place.path, place.line, place.name) else Openness()
    if is_class:
        found |= Openness(_OF_TYPE)
    if _PROPERTY.match(snapshot.text[snapshot.lex_state.statement_start :].rpartition(".")[0]):
        found |= Openness(frozenset({"getter", "setter", "deleter"}))
    if facts is UNREAD and (is_settable(members) or not members.types):
        found |= open_by("unread")
    if merged("mistaken").intersection(_WORDS.findall(shown)):
        found |= open_by("framework")
    return found | (open_by("result") if _is_made(receiver, snapshot) else Openness())


def is_settable(members: Members) -> bool:
    """Whether new members may be set on a receiver, as far as its type is known: not on lists and strings."""
    of_class = [place for place in members.types if not place.of_receiver]
    is_built_in = bool(of_class) and all(place.path.name == BUILT_INS for place in of_class)
    return bool(members.types) and (not is_built_in or _takes_members(members))


def _takes_members(members: Members) -> bool:
    """Whether objects of a built-in class have a dictionary of members, such as exceptions."""
    shown = next((member.detail for member in members.items if member.name == "__class__"), "")
    named = _METACLASS.match(shown[:CLASS_READ])
    return bool(named and getattr(getattr(builtins, named[1], None), "__dictoffset__", 0))


def _is_module(listed: dict[str, Member]) -> bool:
    """Whether these are the members of a module."""
    shown = listed.get("__class__")
    return "__file__" in listed and (shown is None or not shown.detail or "ModuleType" in shown.detail)


def _written_since(snapshot: Snapshot) -> frozenset[str]:
    """The members that are set on something in what was decoded."""
    written = snapshot.text[len(snapshot.cursor.text) :].rpartition("\n")[0]
    facts = read_facts(dedent(written)) if "." in written else None
    return facts.outside if facts is not None else frozenset()


def _is_made(receiver: str, snapshot: Snapshot) -> bool:
    """Whether a receiver is made, or its type changed, by a framework: known by what is called or dereferenced."""
    runtime, path = snapshot.cursor.runtime, snapshot.cursor.path
    called = receiver.removesuffix("()") if receiver.endswith("()") else snapshot.cursor.facts.called.get(receiver, "")
    if called and runtime.sources.qualified(called, path) in merged("results"):
        return True
    made = runtime.of_name(called, path) if called else None
    if made is not None and made.open:
        return True
    owner, dot, _ = receiver.partition(".")
    return bool(dot) and bool(runtime.ancestors(owner, path) & merged("instrumented"))
