"""The dereference monitor: after a dot only the members of the expression before it.

After "Guiding Language Models of Code with Global Context using Monitors" (NeurIPS 2023), section 3, with what that
paper leaves out: half-typed names, reasons to abstain, and deadlines.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Literal

from guiderail.decoding.constraints.name_sets import Names
from guiderail.monitors.analysis.answers import Member, Members
from guiderail.monitors.analysis.requests import MEMBERS, Question, Request
from guiderail.monitors.block_query import block_query_of
from guiderail.monitors.cursor_context import DUNDERS, Snapshot
from guiderail.monitors.enclosing_class import EnclosingClass, enclosing_class_of
from guiderail.monitors.masks import Masks
from guiderail.monitors.member_access import NAME_READ, RECEIVER_READ, MemberAccess, find_member_access
from guiderail.monitors.monitor import Legal, Restriction, Trigger
from guiderail.monitors.python.modules import module_path
from guiderail.monitors.runtime.openness import Cause, Openness, open_by
from guiderail.monitors.runtime.receiver import is_settable, openness_of
from guiderail.text.backwards import lines_above
from guiderail.text.languages.kinds import ENUM_MEMBER, METHOD
from guiderail.text.languages.table import INFERRED, PYTHON_STATEMENTS
from guiderail.text.languages.table import MEMBERS as MEMBER_SYNTAX

Reason = Literal[
    "unknown type",  # the analyser offers nothing, or only what every object has
    "dynamic",  # the type makes its members up (__getattr__), or takes any name (an index signature)
    "framework",  # a record or a configuration says that other members come at run time
    "incomplete",  # the analyser says, or is known, not to have given all
    "inferred type",  # JavaScript: objects take new members anywhere, also where the analyser does not look
    "no such name",  # what is half-typed begins no member
    "optional",  # AttributeError is caught
]
NO_SUCH_NAME: Reason = "no such name"
_RECORDED: frozenset[Cause] = frozenset({"framework", "configured"})
DETAIL_READ = 4000  # characters of a signature; of a longer one nothing is believed
RECEIVER_SHOWN = 40  # characters before a dot that a report repeats
_DOTTED = re.compile(r"(?<![\w.])[^\W\d]\w*(?:\.\w+)*$")
_IMPORTED = r"(?m)^[ \t]*+import[ \t]++(?:[\w. \t]*+,)*[ \t]*+"
# What a line goes on with that the analyser would read as the member; keywords go on with the expression.
_NAME_BELOW = re.compile(
    r"[ \t]*(?:#[^\n]*)?\r?\n\s*(?!(?:for|if|else|and|or|not|in|is|async)\b)(?:\*{0,2}[^\W\d]|['\"])"
)
_NO_NEW = frozenset(keyword.kwlist) | {"self", "cls"}  # nobody gives a new member such a name
_TRY = re.compile(r"[ \t]*try\s*:")
_CAUGHT = re.compile(r"except\b[^\n]*\bAttributeError\b")
TRIED_READ, MOST_ABOVE = 4000, 40  # characters after the cursor, and lines before it, that are looked at for a try
_SELDOM = frozenset(dir(object)) - {"__class__", "__dict__", "__doc__", "__init__", "__module__", "__setattr__"}
# A class, by how it is written.
_CLASS_LIKE = re.compile(
    r"(?:\bsuper\([^()]*\)|\btype\([^()]*\)|__\w+__|\b(?:cls|type|object|klass|mcs)|(?<!\w)_*[A-Z]\w*)$"
)
_DUNDER = re.compile(r"__\w+__$")
# Of a class with an unknown base; of one that makes its objects itself, as pyrefly words it, and as ty does (of
# ``self`` and named tuples otherwise); of what is some class.
_UNSURE = re.compile(
    r"(?s)^Unknown$|^def __new__(?:\[.*?\]\(\s*cls\s*:.*?: *Unknown\b|\(cls\b.*-> Unknown$)|\bSelf@type\b"
)


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
        question, mentioned = _own_question(snapshot, access) or (_question(snapshot, access), frozenset())

        def interpret(members: Members) -> Restriction:
            enclosing = _enclosing_class(snapshot, access)
            known = mentioned | (enclosing.members if enclosing else frozenset())
            openness = Openness()
            if snapshot.language in PYTHON_STATEMENTS and members.items:
                openness = _openness(members, snapshot, access, enclosing)
            listed = {member.name for member in members.items}
            further = tuple(Member(name) for name in sorted(known - listed)) if listed else ()
            answer = replace(members, items=(*members.items, *further))
            added = openness.names - known - listed if listed else frozenset[str]()
            may_set = access.may_set and not access.may_define and is_settable(members)
            shown = replace(awaited, is_own=enclosing is not None, may_set=may_set)
            if enclosing and enclosing.is_mixin:
                openness |= open_by("mixin")
            shown = replace(shown, is_answering_known="__getattr__" in openness.names)
            return _restriction(answer, shown, snapshot, added, causes=openness.causes)

        return Trigger(label.strip()[-RECEIVER_SHOWN:], MEMBERS, question, interpret, written=access.written)

    def prefetch(self, snapshot: Snapshot) -> Sequence[tuple[Request[Any], Question]]:
        """See `Prefetching`."""
        block_query = block_query_of(snapshot)
        return [(MEMBERS, question) for question in block_query.members.values()] if block_query else []


def _question(snapshot: Snapshot, access: MemberAccess) -> Question:
    """The question about a dot; in brackets a comma parts it from a line below that begins with a name."""
    question = snapshot.question(access.name_start)
    text, at = question.text, question.offset
    in_brackets = snapshot.language in PYTHON_STATEMENTS and snapshot.lex_state.open_brackets
    parted = in_brackets and _NAME_BELOW.match(text, at)
    return replace(question, text=f"{text[:at]},{text[at:]}") if parted else question


def _openness(members: Members, snapshot: Snapshot, access: MemberAccess, enclosing: EnclosingClass | None) -> Openness:
    """What may be added to the receiver; to a method's own object also what the classes around it name."""
    front = snapshot.text[max(0, access.name_start - 1 - RECEIVER_READ) : access.name_start - 1]
    found = openness_of(members, _chain(front), snapshot)
    facts = snapshot.cursor.facts
    own = facts.class_named(enclosing.name) if enclosing else None
    if own is None:
        return found
    runtime = snapshot.cursor.runtime
    found |= Openness(runtime.related(facts, own)) | runtime.of_class(snapshot.cursor.path, own.line, own.name)
    return Openness(found.names, found.causes - {"descriptor"})  # it is meant itself


def _chain(front: str) -> str:
    """The names that a text ends in, with ``()`` for a call's arguments after them."""
    if front.endswith(")"):
        depth = 0
        for at in range(len(front) - 1, -1, -1):
            depth += (front[at] == ")") - (front[at] == "(")
            if not depth:
                called = _DOTTED.search(front[:at])
                return f"{called[0]}()" if called else ""
        return ""
    found = _DOTTED.search(front)
    return found[0] if found else ""


def _own_receiver(snapshot: Snapshot, access: MemberAccess) -> str | None:
    """``self`` or ``cls`` in Python, if that is the whole receiver."""
    if snapshot.language not in PYTHON_STATEMENTS or access.operator != ".":
        return None
    receiver = _DOTTED.search(snapshot.text[max(0, access.name_start - 1 - RECEIVER_READ) : access.name_start - 1])
    return receiver[0] if receiver and "." not in receiver[0] else None


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
    members: Members, access: MemberAccess, snapshot: Snapshot, added: frozenset[str], *, causes: frozenset[Cause]
) -> Restriction:
    names, reason = legal_names(members, access, snapshot.language, added)
    module = _module(snapshot, access.name_start) if snapshot.language in PYTHON_STATEMENTS else None
    if module and names:
        # A module inside a package is a member of it once anything has imported it, which analysers do not look for.
        cursor = snapshot.cursor
        path = module_path(cursor.root, cursor.path.parent, cursor.python, cursor.trust)
        names |= path.modules(module) or frozenset()
    if reason is None and causes:
        reason = "framework" if causes & _RECORDED else "dynamic"
    if reason is None and snapshot.language in PYTHON_STATEMENTS and _is_tried(snapshot):
        reason = "optional"
    if module == snapshot.cursor.path.stem:
        reason = "unknown type"  # where a module of the file's own name cannot be found, the file is taken for it
    seldom = frozenset[str]()
    if snapshot.language in PYTHON_STATEMENTS and not access.written.startswith("_"):
        seldom = _uncalled(names, snapshot, access)
    extra, tail = MEMBER_SYNTAX[snapshot.language].extra, snapshot.cursor.tail
    barred = _NO_NEW if snapshot.language in PYTHON_STATEMENTS else frozenset[str]()
    is_rarely_new = (access.may_set or access.may_chain) and not access.may_define

    def allows(truth: str) -> bool:
        found = re.match(rf"[\w{re.escape(extra)}]*", truth)
        name = found[0] if found else ""
        if access.may_be_nameless and not name:
            return True
        may_be_new = access.may_define or is_rarely_new
        return name in names or (may_be_new and name not in barred and truth[len(name) :][:1] not in ("(", ".", "["))

    def legal(masks: Masks, names: frozenset[str] = names) -> Names:
        if access.may_be_nameless:
            return masks.names_or_none(names, tail, extra=extra)
        if access.may_define or is_rarely_new:
            return masks.names_or_new(names, tail, extra=extra, barred=barred)
        return masks.names(names, tail, extra=extra)

    usual = names - seldom or names
    preferred: Callable[[Masks], Legal] | None = None
    if is_rarely_new:
        preferred = lambda masks: masks.names(usual, tail, extra=extra)  # noqa: E731
    elif usual != names:
        preferred = lambda masks: legal(masks, usual)  # noqa: E731
    return Restriction(legal if names else None, len(members.items), reason, allows, preferred, causes)


def _is_tried(snapshot: Snapshot) -> bool:
    """Whether the text around catches AttributeError: the name may not exist."""
    rest = snapshot.cursor.rest
    if not _CAUGHT.search(rest, 0, TRIED_READ):
        return False
    depth = len(snapshot.indent.rpartition("\n")[2].expandtabs())
    for above in islice(lines_above(snapshot.text, snapshot.lex_state.statement_start), MOST_ABOVE):
        indent = len(above.expandtabs()) - len(above.expandtabs().lstrip())
        if above.strip() and indent < depth:
            if _TRY.match(above):
                handlers = re.compile(
                    rf"^{re.escape(above[: len(above) - len(above.lstrip())])}except\b[^\n]*", re.MULTILINE
                )
                found = handlers.search(rest, 0, TRIED_READ)
                return found is not None and _CAUGHT.match(found[0].lstrip()) is not None
            depth = indent
        if not depth:
            break
    return False


def _uncalled(names: frozenset[str], snapshot: Snapshot, access: MemberAccess) -> frozenset[str]:
    """The double-underscore names that every object has and hardly anybody writes after an object.

    Models flee into them where the name that they want is forbidden, so they are made less likely. After a class,
    ``super()`` and a module they are called for, and where the file has them already.
    """
    front = snapshot.text[max(0, access.name_start - 1 - RECEIVER_READ) : access.name_start - 1]
    if _CLASS_LIKE.search(front) or _module(snapshot, access.name_start):
        return frozenset()
    written = frozenset(DUNDERS.findall(snapshot.text[len(snapshot.cursor.text) :]))
    return (names & _SELDOM) - snapshot.cursor.dunders - written


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


def legal_names(
    members: Members, access: MemberAccess, language: str = "python", added: frozenset[str] = frozenset()
) -> tuple[frozenset[str], Reason | None]:
    """The legal names, with those that others add, and why they are not to be relied on, if they are not."""
    listed = frozenset(member.name for member in members.items)
    if language in PYTHON_STATEMENTS:  # of a parameter some offer the literals that it takes
        listed = frozenset(filter(str.isidentifier, listed))
    names = listed | MEMBER_SYNTAX[language].universal | added if listed else listed
    own = {name for name in listed if language not in PYTHON_STATEMENTS or not _DUNDER.match(name)}
    reason: Reason | None = None
    if not own or _is_doubtful_type(members, access) or _is_scope(members, access, language):
        reason = "unknown type"
    elif members.takes_any or (_makes_names_up(members) and not access.is_answering_known):
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


def _is_doubtful_type(members: Members, access: MemberAccess) -> bool:
    """Whether the receiver's type is not known for sure, by its class or by its members."""
    shown = next((member.detail for member in members.items if member.name == "__class__"), "")
    is_partly_known = not {"Any", "Unknown"}.isdisjoint(shown[:DETAIL_READ].split(" | "))
    return (is_partly_known and not access.is_own) or any(_is_doubtful(member, access) for member in members.items)


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
