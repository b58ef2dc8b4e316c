"""The dereference monitor: after a dot only the members of the expression before it.

After "Guiding Language Models of Code with Global Context using Monitors" (NeurIPS 2023), section 3, with what that
paper leaves out: half-typed names, reasons to abstain, and deadlines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from guiderail.decoding.constraints.name_sets import Names
from guiderail.monitors.analysis.answers import Member, Members
from guiderail.monitors.analysis.requests import MEMBERS, Question, Request
from guiderail.monitors.block_query import RECEIVERS, block_query_of
from guiderail.monitors.cursor_context import Snapshot
from guiderail.monitors.enclosing_class import EnclosingClass, enclosing_class_of
from guiderail.monitors.lex_state import LexState
from guiderail.monitors.masks import Masks
from guiderail.monitors.modules import module_path
from guiderail.monitors.monitor import Restriction, Trigger
from guiderail.text.languages.kinds import ENUM_MEMBER, METHOD
from guiderail.text.languages.table import INFERRED, LEXICONS, PYTHON_STATEMENTS
from guiderail.text.languages.table import MEMBERS as MEMBER_SYNTAX

Reason = Literal[
    "unknown type",  # the analyser offers nothing, or only what every object has
    "dynamic",  # the type makes its members up (__getattr__), or takes any name (an index signature)
    "incomplete",  # the analyser says, or is known, not to have given all
    "inferred type",  # JavaScript: objects take new members anywhere, also where the analyser does not look
    "no such name",  # what is half-typed begins no member
]
NO_SUCH_NAME: Reason = "no such name"
NAME_READ, RECEIVER_READ = 200, 400  # characters of a half-typed name, and before the mark
DETAIL_READ = 4000  # characters of a signature; of a longer one nothing is believed
RECEIVER_SHOWN = 40  # characters before a dot that a report repeats
# A statement that is, so far, expressions of names, members, indices and calls with commas between: all of them can
# still become targets of an assignment. (After an equals sign they can too, but hardly ever do.)
_TARGETS = re.compile(r"[\w.()\[\]'\"\s,*]*$")
_NO_TARGET = re.compile(
    r"\s*(?:return|yield|await|raise|assert|if|elif|while|else|try|except|finally|del|global|lambda|not|import|from|"
    r"class|def|async\s+def|match|case)\b"
)
_OPERATOR = re.compile(r"[=!<>]=|\b(?:and|or|not|in|is|if|else|lambda)\b")
# As for Python; a condition may come first, and every object takes new members.
_WEB_CONDITION = re.compile(r"(?P<opened>(?:else\s++)?(?:if|for|while)\s*+\()|else\b|do\b")
_WEB_ELSE = re.compile(r"else\b")
_WEB_TARGETS = re.compile(r"[\w.$#()\[\]'\"\s,]*$")
_WEB_NO_TARGET = re.compile(
    r"\s*(?:return|yield|await|throw|while|switch|case|new|typeof|delete|void|const|let|var|class|function|import|"
    r"export|async|if|for)\b"
)
_DOTTED = re.compile(r"(?<![\w.])[^\W\d]\w*(?:\.\w+)*$")
_IMPORTED = r"(?m)^[ \t]*+import[ \t]++(?:[\w. \t]*+,)*[ \t]*+"
_DUNDER = re.compile(r"__\w+__$")
# Of a class with an unknown base; of one that makes its objects itself, as pyrefly words it, and as ty does (of
# ``self`` and named tuples otherwise); of what is some class.
_UNSURE = re.compile(
    r"(?s)^Unknown$|^def __new__(?:\[.*?\]\(\s*cls\s*:.*?: *Unknown\b|\(cls\b.*-> Unknown$)|\bSelf@type\b"
)


@dataclass(frozen=True, slots=True)
class MemberAccess:
    """A dot whose member is being written.

    Parameters
    ----------
    name_start
        Offset after the dot.
    written
        The part of the name that is already written.
    may_define
        Whether the name may be one that is only now being defined.
    may_be_nameless
        Whether something else than a name may follow.
    is_ambiguous
        Whether the analyser may take a type for a value.
    operator
        The operator before the name.
    is_own
        Whether the receiver is a method's own object, whose class is known even if a member's type is not.
    """

    name_start: int
    written: str
    may_define: bool
    may_be_nameless: bool = False
    is_ambiguous: bool = False
    operator: str = "."
    is_own: bool = False


class Dereference:
    """The monitor of members after a dot, an arrow, a double colon."""

    name, soft, endings = "dereference", False, b".>:"
    languages = frozenset(MEMBER_SYNTAX)

    def trigger(self, snapshot: Snapshot) -> Trigger | None:
        """See `Monitor.trigger`."""
        syntax = MEMBER_SYNTAX[snapshot.language]
        if syntax.end.search(snapshot.text[-NAME_READ:]) is None:  # cheap, and right for most texts
            return None
        access = find_member_access(snapshot.text, snapshot.lex_state, snapshot.language)
        if access is None:
            return None
        awaited = replace(access, written=access.written + snapshot.upcoming)
        label = snapshot.text[max(0, access.name_start - RECEIVER_READ) : access.name_start].rpartition("\n")[2]
        question, mentioned = _own_question(snapshot, access) or (snapshot.question(access.name_start), frozenset())

        def interpret(members: Members) -> Restriction:
            enclosing = _enclosing_class(snapshot, access)
            known = mentioned | (enclosing.members if enclosing else frozenset())
            further = tuple(Member(name) for name in sorted(known)) if members.items else ()
            answer = replace(members, items=(*members.items, *further))
            return _restriction(answer, replace(awaited, is_own=enclosing is not None), snapshot, enclosing)

        return Trigger(label.strip()[-RECEIVER_SHOWN:], MEMBERS, question, interpret, written=access.written)

    def prefetch(self, snapshot: Snapshot) -> Sequence[tuple[Request[Any], Question]]:
        """See `Prefetching`."""
        block_query = block_query_of(snapshot)
        return [(MEMBERS, question) for question in block_query.members.values()] if block_query else []


def _own_receiver(snapshot: Snapshot, access: MemberAccess) -> str | None:
    """``self`` or ``cls`` in Python, if that is the whole receiver."""
    if snapshot.language not in PYTHON_STATEMENTS or access.operator != ".":
        return None
    receiver = _DOTTED.search(snapshot.text[max(0, access.name_start - 1 - RECEIVER_READ) : access.name_start - 1])
    return receiver[0] if receiver and receiver[0] in RECEIVERS else None


def _own_question(snapshot: Snapshot, access: MemberAccess) -> tuple[Question, frozenset[str]] | None:
    """The question for all members of ``self`` in a block, and which were named since it was asked, if this is one."""
    receiver = _own_receiver(snapshot, access)
    block_query = block_query_of(snapshot, access.name_start) if receiver else None
    question = block_query.question_about(receiver) if block_query and receiver else None
    return (question, block_query.mentioned) if block_query and question else None


def _enclosing_class(snapshot: Snapshot, access: MemberAccess) -> EnclosingClass | None:
    """The class whose members are meant, if it is certain that the receiver is its object or it itself."""
    receiver = _own_receiver(snapshot, access)
    if receiver is None:
        return None
    return enclosing_class_of(snapshot.text, snapshot.lex_state.statement_start, snapshot.cursor.rest, receiver)


def _restriction(
    members: Members, access: MemberAccess, snapshot: Snapshot, enclosing: EnclosingClass | None
) -> Restriction:
    names, reason = legal_names(members, access, snapshot.language)
    module = _module(snapshot, access.name_start) if snapshot.language in PYTHON_STATEMENTS else None
    if module and names:
        # A module inside a package is a member of it once anything has imported it, which analysers do not look for.
        names |= module_path(snapshot.cursor.root).modules(module) or frozenset()
    if reason is None and enclosing is not None and enclosing.has_more:
        reason = "dynamic"
    if module == snapshot.cursor.path.stem:
        reason = "unknown type"  # where a module of the file's own name cannot be found, the file is taken for it
    extra, tail = MEMBER_SYNTAX[snapshot.language].extra, snapshot.cursor.tail

    def allows(truth: str) -> bool:
        found = re.match(rf"[\w{re.escape(extra)}]*", truth)
        name = found[0] if found else ""
        if access.may_be_nameless and not name:
            return True
        return name in names or (access.may_define and truth[len(name) :][:1] not in ("(", ".", "["))

    def legal(masks: Masks) -> Names:
        if access.may_be_nameless:
            return masks.names_or_none(names, tail, extra=extra)
        return masks.names(names, tail, definable=access.may_define, extra=extra)

    return Restriction(legal if names else None, len(members.items), reason, allows)


def _module(snapshot: Snapshot, name_start: int) -> str | None:
    """The module that a receiver names, if it is one that the file imports by that name."""
    receiver = _DOTTED.search(snapshot.text[max(0, name_start - 1 - RECEIVER_READ) : name_start - 1])
    if receiver is None:
        return None
    top, dot, rest = receiver[0].partition(".")
    name = re.escape(top)
    if re.search(rf"{_IMPORTED}{name}\b", snapshot.text):
        return receiver[0]
    renamed = re.search(rf"{_IMPORTED}([\w.]++)[ \t]++as[ \t]++{name}\b", snapshot.text)
    return renamed[1] + dot + rest if renamed else None


def find_member_access(text: str, state: LexState, language: str) -> MemberAccess | None:
    """The dereference that `text` ends in, if it does; `state` is the lexer's state at its end."""
    syntax, blocks = MEMBER_SYNTAX[language], LEXICONS[language].blocks
    found = syntax.end.search(text, max(0, len(text) - NAME_READ))
    if found is None or state.in_string_or_comment:
        return None
    dot, begin = found.start(), found.end("operator")
    # Where braces hold statements an expression may begin with one and go on over lines.
    receiver = text[max(0 if blocks else state.statement_start, dot - RECEIVER_READ) : dot]
    if state.open_brackets or blocks:
        receiver = receiver.rstrip()  # inside brackets a line may begin with its dot
    if not syntax.is_receiver(receiver, found["operator"]):
        return None
    statement = text[state.statement_start : dot]
    if syntax.skipped and syntax.skipped.match(statement):
        return None
    may_define = found["operator"] == "." and _may_define(statement, receiver, state, language)
    is_ambiguous = syntax.ambiguous is not None and syntax.ambiguous.search(statement) is not None
    return MemberAccess(
        begin, found["name"], may_define, found["operator"] in syntax.nameless, is_ambiguous, found["operator"]
    )


def _may_define(statement: str, receiver: str, state: LexState, language: str) -> bool:
    """Whether `statement.NAME` may turn out to define NAME: an assignment to a member of an object of one's own."""
    definable = MEMBER_SYNTAX[language].definable
    if definable is None or definable.search(receiver) is None:
        return False
    if language not in PYTHON_STATEMENTS:
        if any(at >= state.statement_start for at in state.open_brackets):
            return False
        words = _without_condition(statement)
        return not _WEB_NO_TARGET.match(words) and bool(_WEB_TARGETS.match(words))
    words = statement.strip()
    if re.match(r"(?:async\s+)?(?:for|with)\b", words):
        return True
    opened = [at - state.statement_start for at in state.open_brackets if at >= state.statement_start]
    tuple_of_targets = len(opened) == 1 and not statement[: opened[0]].strip()
    return not (
        _NO_TARGET.match(words)
        or _OPERATOR.search(words)
        or _TARGETS.match(words) is None
        or (opened and not tuple_of_targets)
    )


def _without_condition(statement: str) -> str:
    """A statement of TypeScript or JavaScript without its first condition, up to the last bracket, or ``else``."""
    closed, at = statement.rfind(")"), 0
    while found := _WEB_CONDITION.search(statement, at):
        at = found.start() + 1
        if found["opened"] and found.end() > closed:
            found = _WEB_ELSE.match(statement, found.start())
        if found:
            end = closed + 1 if found.groupdict().get("opened") else found.end()
            return statement[: found.start()].rstrip() + statement[end:].lstrip()
    return statement


def legal_names(
    members: Members, access: MemberAccess, language: str = "python"
) -> tuple[frozenset[str], Reason | None]:
    """The legal names, and why they are not to be relied on, if they are not."""
    listed = frozenset(member.name for member in members.items)
    names = listed | MEMBER_SYNTAX[language].universal if listed else listed
    own = {name for name in listed if language not in PYTHON_STATEMENTS or not _DUNDER.match(name)}
    reason: Reason | None = None
    if not own or any(_is_doubtful(member, access) for member in members.items) or _is_scope(members, access, language):
        reason = "unknown type"
    elif members.takes_any or _makes_names_up(members):
        reason = "dynamic"
    elif access.is_ambiguous or not members.complete or _is_open(members, access, language):
        reason = "incomplete"
    elif language in INFERRED:
        reason = "inferred type"
    elif not (access.may_define or access.may_be_nameless) and not any(
        name.startswith(access.written) for name in names
    ):
        reason = NO_SUCH_NAME
    return names, reason


def _is_open(members: Members, access: MemberAccess, language: str) -> bool:
    """Whether these are members of a scope that may hold more."""
    is_open = access.operator in MEMBER_SYNTAX[language].open_scopes
    return is_open and any(member.kind != ENUM_MEMBER for member in members.items)


def _is_scope(members: Members, access: MemberAccess, language: str) -> bool:
    """Whether these are the names in scope."""
    kinds = MEMBER_SYNTAX[language].no_members
    return access.operator != "::" and any(member.kind in kinds for member in members.items)


def _makes_names_up(members: Members) -> bool:
    """Whether the type has a ``__getattr__`` of its own; ty lists one of every module."""
    of_modules = any(member.name == "__spec__" for member in members.items)
    return any(m.name == "__getattr__" and not (of_modules and m.kind == METHOD) for m in members.items)


def _is_doubtful(member: Member, access: MemberAccess) -> bool:
    """Whether a member says that the type is not known for sure.

    Of a class whose ``__new__`` has no annotations, objects may be of another class; where it is unknown, so is a base;
    and ``type`` may be any class. A member is partly unknown where only some of the receiver's types have it, or else
    by itself, as those of ``self``.
    """
    is_long = len(member.detail) > DETAIL_READ
    made = member.name == "__new__" and (is_long or _UNSURE.search(member.detail) is not None)
    return made or (not access.is_own and "Unknown" in _outer_union(member.detail))


def _outer_union(detail: str) -> list[str]:
    """The last part of a union type: pyrefly says "… | Unknown" of members that only some of the types have."""
    return [detail.rpartition(" | ")[2]] if " | " in detail else []
