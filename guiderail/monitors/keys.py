"""The keys monitor: the keys of typed and literal dictionaries in Python, of object literals in TypeScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from guiderail.monitors.analysis.answers import Members, read_hover
from guiderail.monitors.analysis.requests import COMPLETIONS, Question, Request
from guiderail.monitors.cursor_context import Snapshot, tail_of
from guiderail.monitors.monitor import Restriction, Trigger
from guiderail.text.languages.kinds import FIELD, METHOD, PROPERTY
from guiderail.text.languages.table import KEYS as WRITTEN_IN

if TYPE_CHECKING:
    from guiderail.monitors.analysis.client import Client

_SUBSCRIPT = re.compile(r"(?P<owner>[\w.\])]+)(?:\[|\.get\()\s*(?P<quote>['\"])(?P<written>[^'\"\\\n]*)$")
_OWNER = re.compile(r"([\w.\])])(?:\[|\.get\()\s*['\"]$")
_PLAIN_DICT = re.compile(r"\b[dD]ict\[")
_UNTYPED = re.compile(r": (?:Unknown|Any)\b|\| Unknown\b")
_TARGET = re.compile(r"\s*[\w.\[\]'\"]+$")  # a statement that may turn out to assign to the key
_LITERAL = re.compile(r"(?:\(|[^=!<>]=|return|,|\[|:|=>\s*\()\s*+\{\s*+(?:[^{}]*,)?+\s*+(?P<written>[\w$]*+)$")
_LENT = r"[ \t]*+(?![\[.\w=:])"  # it is mentioned as a whole
_READS = re.compile(
    r"(?:\b(?:in|not|if|elif|while|and|or|assert)|\b(?:len|sorted|bool|print|repr|str|dict|list|set)\(|\*\*)$"
)
READ = 200  # characters of a subscript
_USED = re.compile(r"(?<![\w$])[\w$]++(?=\s*+[:,(}])")
LONG = 200  # characters of an annotation or a subscript up to which a dictionary is followed
# Nobody writes a collection as an object literal: another part of a union is meant, which takes any keys.
_OF_COLLECTIONS = frozenset({"entries", "keys", "values"})


class Keys:
    """The monitor of keys."""

    name, soft, endings = "keys", False, b"'\"{, \n"
    languages = frozenset(WRITTEN_IN)

    def trigger(self, snapshot: Snapshot) -> Trigger | None:
        """See `Monitor.trigger`."""
        return _subscript(snapshot) if WRITTEN_IN[snapshot.language] == "subscripts" else _literal(snapshot)


def _subscript(snapshot: Snapshot) -> Trigger | None:
    """The trigger after ``d["`` and ``d.get("`` in Python."""
    read = snapshot.text[-READ:]
    line = read.rpartition("\n")[2]
    found = _SUBSCRIPT.search(read) if "'" in line or '"' in line else None
    if found is None or not snapshot.lex_state.in_string_or_comment:
        return None
    if snapshot.cursor.lex_state_of(
        snapshot.text[: len(snapshot.text) - len(found["written"]) - 1]
    ).in_string_or_comment:
        return None
    quote, typed = found["quote"], found["written"]
    defines = _TARGET.match(snapshot.statement) is not None

    def interpret(answer: tuple[Members, str]) -> Restriction:
        members, owner_type = answer
        keys = frozenset(member.name.strip("'\"") for member in members.items if member.kind == FIELD)
        reason = None
        if not keys or _UNTYPED.search(owner_type.partition("\n---")[0]):
            reason = "unknown keys"
        elif defines:
            reason = "may be defined"
        elif _PLAIN_DICT.search(owner_type):
            reason = None if _is_literal(snapshot, found["owner"]) else "may have more"
        elif keys <= _mentioned(snapshot, found["owner"]):
            reason = "may have more"
        if reason is None and not members.complete:
            reason = "incomplete"
        elif reason is None and not any(key.startswith(typed + snapshot.upcoming) for key in keys):
            reason = "no such key"
        texts = frozenset(key + quote for key in keys if quote not in key and "\\" not in key)
        legal = (lambda masks: masks.texts(texts)) if texts else None
        return Restriction(legal, len(keys), reason, lambda truth: (typed + truth).partition(quote)[0] in keys)

    shown = snapshot.text[: len(snapshot.text) - len(typed)] + quote
    return Trigger(found[0], KEYS, snapshot.question(len(shown) - 1, shown), interpret, typed, word=False)


def _is_literal(snapshot: Snapshot, owner: str) -> bool:
    """Whether a plain dictionary is a literal of this file that nothing in the file adds to."""
    made = _each(snapshot, owner, rf"\s*+(?::[^=\n]{{0,{LONG}}}+)?+=(?!=)\s*+(.)")
    index = rf"\[[^\]\n]{{0,{LONG}}}+(?:\]\s*+=(?!=)|[^\]\n])"  # what is too long to be read is taken to add
    grown = _each(snapshot, owner, rf"\s*+(?:{index}|\.(?:update|setdefault)\(|\|=)")
    lent = _each(snapshot, owner, _LENT)
    return (
        [found[1] for found in made] == ["{"]
        and next(grown, None) is None
        and not any(_is_lent(found, owner) for found in lent)
    )


def _is_lent(found: re.Match[str], owner: str) -> bool:
    """Whether others may fill a dictionary: it is an argument, gets another name, or is what a function returns."""
    begin = found.start() - len(owner)
    front = found.string[max(0, begin - READ) : begin].rpartition("\n")[2]
    return _READS.search(front.rstrip()) is None and bool(front.strip())


def _mentioned(snapshot: Snapshot, owner: str) -> frozenset[str]:
    """The keys with which the file mentions something: of what has no fixed keys pyrefly lists those, and no others."""
    named = r"\s*+(?:\[|\.\w++\()\s*+['\"]([^'\"\n]*+)['\"]"
    return frozenset(found[1] for found in _each(snapshot, owner, named))


def _each(snapshot: Snapshot, owner: str, following: str) -> Iterator[re.Match[str]]:
    """The places of the file at which something is mentioned with something after it."""
    whole, pattern, at = snapshot.text + snapshot.cursor.rest, re.compile(following), 0
    while (at := whole.find(owner, at)) >= 0:
        begins = at == 0 or not (whole[at - 1].isalnum() or whole[at - 1] in "_.")
        found = pattern.match(whole, at + len(owner)) if begins else None
        if found:
            yield found
        at = found.end() if found else at + 1


async def _keys(client: Client, question: Question) -> tuple[Members, str]:
    """The completions inside the quotes, and what is known of the dictionary before them."""
    begin = max(0, question.offset - READ)
    opened = _OWNER.search(question.text[begin : question.offset])
    hover = await client.hover(begin + opened.end(1) - 1) if opened else None
    return await COMPLETIONS.send(client, question), read_hover(hover)


KEYS = Request("keys", _keys)


def _literal(snapshot: Snapshot) -> Trigger | None:
    """The trigger where a key of an object literal begins in TypeScript."""
    if (
        snapshot.lex_state.in_string_or_comment
        or not snapshot.lex_state.open_brackets
        or snapshot.text[snapshot.lex_state.open_brackets[-1]] != "{"
    ):
        return None
    opened = snapshot.lex_state.open_brackets[-1]
    found = _LITERAL.search(snapshot.text[max(0, opened - 20) :])
    if found is None:
        return None
    typed = found["written"]
    used = frozenset(_USED.findall(snapshot.text[opened + 1 : len(snapshot.text) - len(typed)]))

    def interpret(members: Members) -> Restriction:
        offered = frozenset(m.name.rstrip("?") for m in members.items if m.kind in (FIELD, METHOD, PROPERTY))
        names = offered | {"async", "get", "set", "static"}
        reason = None
        if not offered or len(offered) < len([m for m in members.items if m.kind != 1]):
            reason = "unknown type"  # what is in scope is offered where no keys are known
        elif offered >= _OF_COLLECTIONS:
            reason = "may have more"  # ``Headers | Record<string, string>``
        elif not members.complete:
            reason = "incomplete"
        elif not any(name.startswith(typed + snapshot.upcoming) for name in names):
            reason = "no such key"

        def allows(truth: str) -> bool:
            name = typed + tail_of(truth)
            return not name or name in names or name in used

        legal = (lambda masks: masks.names_or_none(names, snapshot.cursor.tail)) if offered else None
        return Restriction(legal, len(offered), reason, allows)

    return Trigger("{", COMPLETIONS, snapshot.question(len(snapshot.text) - len(typed)), interpret, typed)
