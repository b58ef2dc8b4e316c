"""The instantiation monitor: after ``new`` only types that can be instantiated."""

from __future__ import annotations

import re

from guiderail.monitors.analysis.answers import Members
from guiderail.monitors.analysis.requests import COMPLETIONS, RESOLVED
from guiderail.monitors.cursor_context import Snapshot, tail_of
from guiderail.monitors.monitor import Restriction, Trigger
from guiderail.text.languages.table import INSTANTIABLE

_NEW = re.compile(r"(?<![\w$.])new\s+(?P<written>[\w$]*)$")


class Instantiation:
    """The monitor of what is instantiated; Python's constructors are calls like any other (`arguments`)."""

    name, soft, endings = "instantiation", False, b" "
    languages = frozenset(INSTANTIABLE)

    def trigger(self, snapshot: Snapshot) -> Trigger | None:
        """See `Monitor.trigger`."""
        found = _NEW.search(snapshot.text[-120:])
        if found is None or snapshot.lex_state.in_string_or_comment:
            return None
        may_follow = INSTANTIABLE[snapshot.language]
        typed = found["written"]

        def interpret(members: Members) -> Restriction:
            types = frozenset(_bare(member.name) for member in members.items if member.kind in may_follow.kinds)
            names = types | may_follow.further
            reason = None
            if not types:
                reason = "no types"
            elif not members.complete:
                reason = "incomplete"
            elif not any(name.startswith(typed + snapshot.upcoming) for name in names):
                reason = "no such name"

            def allows(truth: str) -> bool:
                name = typed + tail_of(truth)
                return not name or name in names

            legal = (lambda masks: masks.names_or_none(names, snapshot.cursor.tail)) if types else None
            return Restriction(legal, len(types), reason, allows)

        request = RESOLVED if may_follow.resolved else COMPLETIONS
        return Trigger("new", request, snapshot.question(len(snapshot.text) - len(typed)), interpret, typed)


def _bare(name: str) -> str:
    """A type's name without its arguments and brackets."""
    return re.match(r"[\w$]*", name)[0]  # pyright: ignore[reportOptionalSubscript]  # it matches the empty text
