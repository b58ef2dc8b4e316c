"""The enum monitor: a case names a member of the right enum, and none that has a case already."""

from __future__ import annotations

import re
from dataclasses import replace

from guiderail.monitors.analysis.answers import Members
from guiderail.monitors.analysis.requests import MEMBERS, Question
from guiderail.monitors.cursor_context import Snapshot, tail_of
from guiderail.monitors.monitor import Restriction, Trigger
from guiderail.text.backwards import lines_above
from guiderail.text.languages.kinds import ENUM_MEMBER
from guiderail.text.languages.table import CASES, PYTHON_STATEMENTS

# After the enum's name and a dot, or after `case` itself.
_DOTTED = re.compile(r"\bcase\s+(?:[\w.]+\s*[|,]\s*)*(?P<enum>[\w.]*\w)\.(?P<written>\w*)$")
_BARE = re.compile(r"\bcase\s+(?:\w+\s*,\s*)*(?P<written>\w*)$")
_SWITCH = re.compile(r"\bswitch\s*\((?P<subject>[^;{}]*)\)\s*$")
SWITCH_READ = 300  # characters of a line with a case, and of a switch up to its brace
_CASE = re.compile(r"\bcase\s++(?P<label>[^:>\n]{0,300}+)(?:(?<=-)>|\s*+(?::|->))")
_BRACE = re.compile(r"[{}]")
_LITERAL = re.compile(r"Literal\[(?:[\w.]*\.)?(?P<name>\w+)\]")


class EnumCases:
    """The monitor of enum members in ``match`` and ``switch``."""

    name, soft, endings = "enums", False, b". "
    languages = frozenset(CASES)

    def trigger(self, snapshot: Snapshot) -> Trigger | None:
        """See `Monitor.trigger`."""
        line = snapshot.text[snapshot.text.rfind("\n") + 1 :][-SWITCH_READ:]
        if "case" not in line:
            return None
        found = _DOTTED.search(line) or (_BARE.search(line) if CASES[snapshot.language] == "bare" else None)
        if found is None or snapshot.lex_state.in_string_or_comment:
            return None
        enum = found.groupdict().get("enum")
        question = (
            snapshot.question(len(snapshot.text) - len(found["written"])) if enum else _members_of_subject(snapshot)
        )
        if question is None:
            return None
        is_python = snapshot.language in PYTHON_STATEMENTS
        used = _used_python(snapshot, line, enum or "") if is_python else _used_braces(snapshot, enum)

        def interpret(members: Members) -> Restriction:
            restriction = _restriction(members, used, snapshot, found["written"])
            is_open = enum is not None and snapshot.language in PYTHON_STATEMENTS and _is_open(snapshot, enum)
            return replace(restriction, reason="dynamic") if is_open else restriction

        return Trigger(found[0], MEMBERS, question, interpret, found["written"])


def _is_open(snapshot: Snapshot, enum: str) -> bool:
    """Whether an enumeration gets cases that the text does not show."""
    found = snapshot.cursor.runtime.of_name(enum, snapshot.cursor.path)
    return found is not None and found.open


def _members_of_subject(snapshot: Snapshot) -> Question | None:
    """The question for the members of a switch's subject (Java): a value has its enum's constants as members too."""
    if not snapshot.lex_state.open_brackets:
        return None
    opened = snapshot.lex_state.open_brackets[-1]
    begin = max(0, opened - SWITCH_READ)
    found = _SWITCH.search(snapshot.text[begin:opened])
    if found is None:
        return None
    shown = f"{snapshot.text[: begin + found.start()]}{{ {found['subject'].strip()}."
    return snapshot.question(len(shown), shown)


def _restriction(members: Members, used: frozenset[str], snapshot: Snapshot, typed: str) -> Restriction:
    """The members that are cases of an enum, without those that are used up."""
    cases = frozenset(
        member.name
        for member in members.items
        if member.kind == ENUM_MEMBER or ((found := _LITERAL.search(member.detail)) and found["name"] == member.name)
    )
    left = cases - used
    reason = None
    if not cases:
        reason = "no enum"
    elif not members.complete:
        reason = "incomplete"
    elif not any(name.startswith(typed + snapshot.upcoming) for name in left):
        reason = "no such name"
    legal = (lambda masks: masks.names(left, snapshot.cursor.tail)) if left else None
    return Restriction(legal, len(left), reason, lambda truth: typed + tail_of(truth) in left)


def _used_python(snapshot: Snapshot, line: str, enum: str) -> frozenset[str]:
    """The members that cases above in the same ``match`` name; one with a guard may come again."""
    indent = len(line) - len(line.lstrip())
    used: set[str] = set()
    for above in lines_above(snapshot.text, len(snapshot.text) - len(line)):
        depth = len(above) - len(above.lstrip())
        if above.strip() and depth < indent:
            break
        if depth == indent and re.match(r"\s*case\b", above) and not re.search(r"\bif\b", above):
            used.update(re.findall(rf"(?<![\w.]){re.escape(enum)}\.(\w+)\s*(?=[|:)])", above))
    return frozenset(used)


def _used_braces(snapshot: Snapshot, enum: str | None) -> frozenset[str]:
    """The members that cases above in the same ``switch`` name."""
    if not snapshot.lex_state.open_brackets:
        return frozenset()
    body = snapshot.text[snapshot.lex_state.open_brackets[-1] + 1 :]
    body = _without_blocks(body)
    owner = rf"{re.escape(enum)}\s*\.\s*" if enum else ""
    cases = [found["label"] for found in _CASE.finditer(body)]
    return frozenset(name for case in cases for name in re.findall(rf"(?<![\w.]){owner}(\w+)", case))


def _without_blocks(text: str) -> str:
    """A text without the content of matching braces."""
    kept, opened, at = list[str](), list[int](), 0
    for found in _BRACE.finditer(text):
        kept += [text[at : found.start()], found[0]]
        at = found.end()
        if found[0] == "{":
            opened.append(len(kept) - 1)
        elif opened:
            del kept[opened.pop() :]
    return "".join(kept) + text[at:]
