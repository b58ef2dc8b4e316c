"""The typestate monitor: a call must be legal in a state that its object may be in, by a protocol the user declares.

After the typestates of Strom and Yemini (IEEE TSE 12(1), 1986): the states that an object may be in are followed from
the beginning of the function through the text, from top to bottom. What may or may not have happened
(branches, loops, other names for the object) leaves all states possible that it could lead to.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from guiderail.errors import GuiderailError
from guiderail.monitors.analysis.requests import HOVER
from guiderail.monitors.cursor_context import Snapshot, tail_of
from guiderail.monitors.lex_state import lex_state
from guiderail.monitors.monitor import Restriction, Trigger
from guiderail.monitors.protocols import Protocol, protocols
from guiderail.text.languages.table import PYTHON_STATEMENTS

log = logging.getLogger(__name__)
_RECEIVER = re.compile(r"(?<![\w.])(?P<receiver>[^\W\d]\w*(?:\.[^\W\d]\w*)*)\.(?P<written>\w*)$")
_FUNCTION = re.compile(r"^[ \t]*(?:async\s+)?def\b[^\n]*", re.MULTILINE)
FUNCTION_READ, MENTIONS_READ = 20_000, 200  # characters of a function, and mentions of an object in it, at most
_LOOP = re.compile(r"\s*(?:async\s+)?(?:for|while)\b")


class Typestate:
    """The monitor of the protocols that a project declares, in Python."""

    name, soft, endings = "typestate", False, b"."
    languages = PYTHON_STATEMENTS

    def trigger(self, snapshot: Snapshot) -> Trigger | None:
        """See `Monitor.trigger`."""
        found = _RECEIVER.search(snapshot.text[-200:])
        declared = _declared(snapshot) if found and not snapshot.lex_state.in_string_or_comment else ()
        if not found or not declared:
            return None
        receiver, typed = found["receiver"], found["written"]
        dot = len(snapshot.text) - len(typed) - 1

        def interpret(hover: str) -> Restriction:
            kind = next((one for one in declared if _is_of(hover, one.type)), None)
            if kind is None:
                return Restriction(None, reason="no protocol" if hover else "unknown type")
            forbidden = kind.calls - kind.legal(possible_states(snapshot.text[:dot], receiver, kind))
            legal = (lambda masks: masks.none_of(forbidden, snapshot.cursor.tail)) if forbidden else None
            allows = lambda truth: typed + tail_of(truth) not in forbidden  # noqa: E731
            return Restriction(legal, len(kind.calls - forbidden), None if forbidden else "any call", allows)

        return Trigger(found[0], HOVER, snapshot.question(dot - 1, snapshot.text[:dot]), interpret, typed)


def _declared(snapshot: Snapshot) -> tuple[Protocol, ...]:
    try:
        return tuple(one for one in protocols(snapshot.cursor.root) if one.language == snapshot.language)
    except GuiderailError as error:
        _name(str(error))
        return ()


@lru_cache(maxsize=8)
def _name(problem: str) -> None:
    """Log a problem once: it is met at every dot."""
    log.warning("%s", problem)


def _is_of(hover: str, name: str) -> bool:
    """Whether an analyser says that something is of a type, and of no other beside it."""
    said = next((line for line in hover.splitlines() if name in line), "")
    kinds = [part.strip() for part in said.rpartition(": ")[2].split("|")]
    return bool(kinds) and all(re.fullmatch(rf"(?:[\w.]*\.)?{re.escape(name)}(?:\[.*\])?", kind) for kind in kinds)


def possible_states(text: str, receiver: str, kind: Protocol) -> frozenset[str]:
    """The states that an object may be in at the end of a text (Python); all, in a function too long to be followed."""
    header = next(iter(deque(_FUNCTION.finditer(text), maxlen=1)), None)
    begin = header.end() if header else 0
    everything = frozenset(kind.states)
    mentions = _mentions(receiver).finditer(text, begin)
    if len(text) - begin > FUNCTION_READ or next(islice(mentions, MENTIONS_READ, None), None):
        return everything
    possible, since = everything, begin
    for event in _events(text, begin, receiver, kind):
        if event.what == "made":
            then = frozenset({kind.first})
        elif event.what == "lost":
            then = everything
        else:
            then = kind.after(possible, event.what.removeprefix("call "))
        certain = _is_certain(text, event.at)
        possible = then if certain else possible | then
        if certain and event.what in ("made", "lost"):
            since = event.at
    return kind.reachable(possible) if _in_loop(text, since) else possible


@dataclass(frozen=True, slots=True)
class _Event:
    """Something that happens to an object: it is "made", "lost" out of sight, or "call NAME"."""

    at: int
    what: str


def _events(text: str, begin: int, receiver: str, kind: Protocol) -> Iterator[_Event]:
    """What happens to the object after `begin`, in the order of the text."""
    here = None
    makers = "|".join(map(re.escape, kind.made_by))
    made = re.compile(rf"{re.escape(receiver)}\s*(?::[^=\n]*)?=\s*(?:[\w.]+\.)?(?:{makers})\(")
    opened = re.compile(rf"(?:async\s+)?with\s+(?:[\w.]+\.)?(?:{makers})\(.*\)\s+as$", re.DOTALL)
    for found in _mentions(receiver).finditer(text, begin):
        here = lex_state(text[: found.start()], "python", here)
        if here.in_string_or_comment:
            continue
        after = text[found.start() :]
        statement = text[here.statement_start : found.start()].strip()
        call = re.match(rf"{re.escape(receiver)}\.(\w+)", after)
        if not statement and made.match(after):
            yield _Event(found.start(), "made")
        elif opened.match(statement):
            yield _Event(found.start(), "lost" if _is_over(text, found.start()) else "made")
        elif call and re.match(rf"{re.escape(call[0])}\s*\(", after) and call[1] in kind.calls:
            yield _Event(found.start(), f"call {call[1]}")
        elif call is None and found.end() < len(text):
            yield _Event(found.start(), "lost")


def _mentions(receiver: str) -> re.Pattern[str]:
    """The mentions of the first name of a receiver."""
    return re.compile(rf"(?<![\w.]){re.escape(receiver.partition('.')[0])}\b")


def _is_over(text: str, at: int) -> bool:
    """Whether the block that the line at an offset begins has ended."""
    begin = text.rfind("\n", 0, at) + 1
    first, *below = text[begin:].splitlines()
    depth = len(first) - len(first.lstrip())
    return any(len(line) - len(line.lstrip()) <= depth for line in below if line.strip())


def _is_certain(text: str, at: int) -> bool:
    """Whether the code at an offset has run when the end of the text is reached: no block ended between."""
    begin = text.rfind("\n", 0, at) + 1
    line = text[begin:].partition("\n")[0]
    depth = len(line) - len(line.lstrip())
    inline = re.match(r"\s*(?:if|for|while|with|else|elif|try|except)\b.*:", text[begin:at]) is not None
    below = text[begin:].splitlines()[1:]
    return not inline and all(len(one) - len(one.lstrip()) >= depth for one in below if one.strip())


def _in_loop(text: str, since: int) -> bool:
    """Whether the end of a text is inside a loop that began after an offset."""
    lines = text[since:].splitlines()
    depth = len(lines[-1]) - len(lines[-1].lstrip()) if lines else 0
    for line in reversed(lines[1:-1]):
        own = len(line) - len(line.lstrip())
        if line.strip() and own < depth:
            if _LOOP.match(line):
                return True
            depth = own
    return bool(lines) and _LOOP.match(lines[-1]) is not None
