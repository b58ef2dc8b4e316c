"""The dereference monitor: behind a dot only the members of what stands before it.

After "Guiding Language Models of Code with Global Context using Monitors" (NeurIPS 2023), section 3, with what that
paper leaves out: half-typed names, reasons to abstain, and deadlines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from guiderail.monitors.analysis.answers import Members
from guiderail.monitors.analysis.requests import MEMBERS
from guiderail.monitors.lexing import SYNTAX, Place
from guiderail.monitors.monitor import Ruling, Trigger
from guiderail.monitors.scene import View, tail_of

Reason = Literal[
    "unknown type",  # the analyser offers nothing, or only what every object has
    "dynamic",  # the type makes its members up (__getattr__)
    "incomplete",  # the analyser says, or is known, not to have given all
    "no such name",  # what is half-typed begins no member
]
RECEIVER_SHOWN = 40  # characters in front of a dot that a report repeats
_DOT = re.compile(r"\.(\w*)$")
_NUMBER = re.compile(r"(?<![\w.])(?:\d[\d_]*|\d[\d_]*[eE]\d+)$")
_IMPORT = re.compile(r"\s*(?:from|import)\b")
_OWNER = re.compile(r"(?<![\w.])(?:self|cls|mcs|metacls|\w+\.__class__)$")
# A statement that is, so far, expressions of names, members, indices and calls with commas between: all of them can
# still become targets of an assignment. (Behind an equals sign they can too, but hardly ever do.)
_TARGETS = re.compile(r"[\w.()\[\]'\"\s,*]*$")
_NO_TARGET = re.compile(
    r"\s*(?:return|yield|await|raise|assert|if|elif|while|else|try|except|finally|del|global|lambda|not|import|from|"
    r"class|def|async\s+def|match|case)\b"
)
_OPERATOR = re.compile(r"[=!<>]=|\b(?:and|or|not|in|is|if|else|lambda)\b")
# What every class, function or module has; analysers list it of some of them only.
UNIVERSAL = frozenset(name for kind in (type, re.compile, re) for name in dir(kind) if name.startswith("__")) | {
    "__path__",
    "__wrapped__",
    "__self__",
    "__func__",
}
_DUNDER = re.compile(r"__\w+__$")


@dataclass(frozen=True, slots=True)
class Site:
    """A dot whose member is being written.

    Parameters
    ----------
    behind_dot
        Offset behind the dot.
    written
        What stands of the name already.
    may_define
        Whether the name may be one that is only now being defined.
    """

    behind_dot: int
    written: str
    may_define: bool


class Dereference:
    """The monitor of members behind a dot."""

    name, soft, endings = "dereference", False, b"."
    languages = frozenset(SYNTAX)

    def trigger(self, view: View) -> Trigger | None:
        """See `Monitor.trigger`."""
        if _DOT.search(view.text[-200:]) is None:  # cheap, and right for most texts
            return None
        site = find_site(view.text, view.place, view.language)
        if site is None:
            return None
        awaited = replace(site, written=site.written + view.ahead)
        label = view.text[: site.behind_dot].splitlines()[-1].strip()[-RECEIVER_SHOWN:]
        return Trigger(
            label,
            MEMBERS,
            view.question(site.behind_dot),
            lambda members: _ruling(members, awaited, view.scene.tail),
            written=site.written,
        )


def _ruling(members: Members, site: Site, tail: str) -> Ruling:
    names, reason = judge(members, site)

    def allows(truth: str) -> bool:
        name = tail_of(truth)
        return name in names or (site.may_define and truth[len(name) :][:1] not in ("(", ".", "["))

    return Ruling(
        (lambda masks: masks.names(names, tail, definable=site.may_define)) if names else None,
        len(members.items),
        reason,
        allows,
    )


def find_site(text: str, place: Place, language: str) -> Site | None:
    """The dereference that `text` ends in, if it does; `place` is where the text ends."""
    found = _DOT.search(text)
    if found is None or place.inside or language not in SYNTAX:
        return None
    dot = found.start()
    receiver = text[max(place.statement, dot - 400) : dot]
    if place.brackets:
        receiver = receiver.rstrip()  # inside brackets a line may begin with its dot
    if not receiver or not (receiver[-1].isalnum() or receiver[-1] in "_)]}\"'") or _NUMBER.search(receiver):
        return None
    statement = text[place.statement : dot]
    if _IMPORT.match(statement):
        return None
    return Site(dot + 1, found[1], _may_define(statement, receiver, place))


def _may_define(statement: str, receiver: str, place: Place) -> bool:
    """Whether `statement.NAME` may turn out to define NAME: an assignment to a member of an object of one's own."""
    if _OWNER.search(receiver) is None:
        return False
    words = statement.strip()
    if re.match(r"(?:async\s+)?(?:for|with)\b", words):
        return True
    opened = [at - place.statement for at in place.brackets if at >= place.statement]
    tuple_of_targets = len(opened) == 1 and not statement[: opened[0]].strip()
    return not (
        _NO_TARGET.match(words)
        or _OPERATOR.search(words)
        or _TARGETS.match(words) is None
        or (opened and not tuple_of_targets)
    )


def judge(members: Members, site: Site) -> tuple[frozenset[str], Reason | None]:
    """The legal names, and why they are not to be relied on, if they are not."""
    listed = frozenset(member.name for member in members.items)
    names = listed | UNIVERSAL if listed else listed
    own = {name for name in names if not _DUNDER.match(name)}
    reason: Reason | None = None
    if not own or any("Unknown" in _outer_union(member.detail) for member in members.items):
        reason = "unknown type"
    elif "__getattr__" in listed and "__spec__" not in listed:
        reason = "dynamic"
    elif not members.complete:
        reason = "incomplete"
    elif not site.may_define and not any(name.startswith(site.written) for name in names):
        reason = "no such name"
    return names, reason


def _outer_union(detail: str) -> list[str]:
    """The last part of a union type: pyrefly says "… | Unknown" of members that only some of the types have."""
    return [detail.rpartition(" | ")[2]] if " | " in detail else []
