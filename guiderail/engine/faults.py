"""What is wrong with a text by itself, where it is to stand: no analyser is asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from guiderail.engine.copies import copied_from
from guiderail.monitors.balance import runs_together, unbalances
from guiderail.monitors.change import Change
from guiderail.monitors.dereference import NO_SUCH_NAME
from guiderail.monitors.monitor import KNOWN
from guiderail.monitors.refused import refused_at
from guiderail.monitors.trust import trust
from guiderail.monitors.verdict import (
    SYNTAX_ERROR,
    Verdict,
    first_error,
    lacks_member,
    leaves_open,
    opens,
    syntax_of,
)

if TYPE_CHECKING:
    from guiderail.engine.suggestion import Suggestion
    from guiderail.text.document import Document

UNFINISHED = frozenset({"length", "cancelled"})  # ends of a text that was cut: it may be right and look wrong
TRIED = 6  # beginnings of a text that are looked at, the longest first
BROKEN = Verdict("errors", ("syntax error",), kinds=(SYNTAX_ERROR,))
BARE = Verdict("errors", ("it ends before a member's name",), kinds=("member",))
LOOP = Verdict("errors", ("it repeats itself and ends in the middle",), kinds=("loop",))
UNBALANCED = Verdict("errors", ("its brackets or quotes do not go with the rest of the line",), kinds=("balance",))
TOGETHER = Verdict("errors", ("it runs into the word after it",), kinds=("word",))
REPEATS = Verdict("errors", ("it only repeats what follows",), kinds=("repeats",))
INVENTED = Verdict("errors", ("no member begins with what is typed",), kinds=("no such name",))
COPIES = {
    "above": Verdict("errors", ("it copies the line above",), kinds=("copy above",)),
    "below": Verdict("errors", ("it copies the line below",), kinds=("copy below",)),
}
_WORD_OR_SIGN = re.compile(r"\w+|[^\w\s]")
_ENDS_SOMETHING = re.compile(r"[\w)\]}\"'`:;]$")  # no operator, comma or opening bracket, which want something after


def ends_something(text: str) -> bool:
    """Whether a text may end as it does: with a word or an operand, and not with what wants something after it."""
    return _ENDS_SOMETHING.search(text) is not None


def fault_of(document: Document, one: Suggestion) -> Verdict | None:
    """What is wrong with a suggestion: its place, its end, its syntax, or a loop that was ended inside brackets."""
    change = change_of(one)
    if not one.text.strip():
        return REPEATS if one.written.strip() else None
    if _is_invented(document, one):
        return INVENTED
    if copied := copied_from(document, change):
        return COPIES[copied]
    if unbalances(document, change):
        return UNBALANCED
    if runs_together(document, change):
        return TOGETHER
    return _fault_of_syntax(document, one, change)


def _is_invented(document: Document, one: Suggestion) -> bool:
    """Whether a member's name was begun before the cursor that a type has not, as a trusted analyser says."""
    report = one.monitored
    unknown = [watch for watch in report.watches if watch.abstained == NO_SUCH_NAME] if report else []
    if report is None or not unknown:
        return False
    situations = ((document.language or "", watch.monitor, report.analyser, KNOWN) for watch in unknown)
    return any(not trust(situation, soft=False).is_soft for situation in situations)


def _fault_of_syntax(document: Document, one: Suggestion, change: Change) -> Verdict | None:
    """What is wrong with a text by its end or its syntax; of one that was cut only what no end could make right."""
    if one.finish in UNFINISHED:
        return BROKEN if refused_at(document, change) is not None else None
    if lacks_member(document, change):
        return BARE
    if one.finish == "loop" and (leaves_open(document, change) or not _ENDS_SOMETHING.search(one.text.rstrip())):
        return LOOP
    return BROKEN if syntax_of(document, change) == "wrong" else None


def right_beginnings(
    document: Document, one: Suggestion, last: int, ended: Callable[[], bool], most: int = 1
) -> list[Suggestion]:
    """The longest beginnings of a text up to `last` that have no fault and a word in them; the longest first.

    They end where a word or an operand does, and what was to replace text after the cursor leaves it there.
    """
    found: list[Suggestion] = []
    ends = [end for part in _WORD_OR_SIGN.finditer(one.text) if (end := part.end()) <= last]
    ends = [end for end in ends if _ENDS_SOMETHING.search(one.text, 0, end)]
    for end in reversed(ends[-TRIED:]):
        if ended() or len(found) == most:
            break
        other = replace(one, text=one.text[:end], end=one.start, finish="line")
        if re.search(r"\w", other.text) and fault_of(document, other) is None and _is_whole(document, other):
            found.append(other)
    return found


def without_choice(document: Document, one: Suggestion) -> Suggestion | None:
    """What alone is legal, as a trusted analyser says: a bracket that has to be closed.

    It is the beginning of the text, or what the model should have written instead of nothing.
    """
    wrote_nothing = not (one.text or one.written).strip()
    for watch in one.monitored.watches if one.monitored else ():
        if watch.only and (one.text.startswith(watch.only) or wrote_nothing):
            other = replace(one, text=watch.only, end=one.start, finish="line")
            return other if fault_of(document, other) is None else None
    return None


def _is_whole(document: Document, one: Suggestion) -> bool:
    """Whether a beginning has no error and closes what it opens, as far as that can be told."""
    return syntax_of(document, change_of(one)) != "wrong" and not opens(document, change_of(one))


def last_right(document: Document, one: Suggestion, fault: Verdict) -> int:
    """Up to where a text with a fault may be right."""
    if fault in (REPEATS, INVENTED, *COPIES.values()):
        return 0
    end = len(one.text) - 1
    if fault is BROKEN:
        return min(first_error(document, change_of(one)), end)
    opened = re.search(r"[(\[{]", one.text) if fault is LOOP else None
    return min(opened.start(), end) if opened else end


def change_of(one: Suggestion) -> Change:
    """A suggestion as a change of its document."""
    return Change(one.start, one.end, one.text, one.finish not in UNFINISHED)
