"""The keys monitor: the keys of typed and literal dictionaries in Python, of object literals in TypeScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from guiderail.monitors.analysis.answers import Members, read_hover
from guiderail.monitors.analysis.requests import COMPLETIONS, Question, Request
from guiderail.monitors.monitor import Ruling, Trigger
from guiderail.monitors.scene import View, tail_of

if TYPE_CHECKING:
    from guiderail.monitors.analysis.client import Client

FIELD, METHOD, PROPERTY = 5, 2, 10  # CompletionItemKind
SCRIPTS = frozenset({"typescript", "typescriptreact"})
_SUBSCRIPT = re.compile(r"(?P<owner>[\w.\])]+)(?:\[|\.get\()\s*(?P<quote>['\"])(?P<written>[^'\"\\\n]*)$")
_OWNER = re.compile(r"([\w.\])])(?:\[|\.get\()\s*['\"]$")
_PLAIN_DICT = re.compile(r"\b[dD]ict\[")
_UNTYPED = re.compile(r": (?:Unknown|Any)\b|\| Unknown\b")
_TARGET = re.compile(r"\s*[\w.\[\]'\"]+$")  # a statement that may turn out to assign to the key
_LITERAL = re.compile(r"(?:\(|[^=!<>]=|return|,|\[|:|=>\s*\()\s*+\{\s*+(?:[^{}]*,)?+\s*+(?P<written>[\w$]*+)$")
READ = 200  # characters of a subscript
_USED = re.compile(r"(?<![\w$])[\w$]++(?=\s*+[:,(}])")
LONG = 200  # characters of an annotation or a subscript up to which a dictionary is followed


class Keys:
    """The monitor of keys."""

    name, soft, endings = "keys", False, b"'\"{, \n"
    languages = SCRIPTS | {"python"}

    def trigger(self, view: View) -> Trigger | None:
        """See `Monitor.trigger`."""
        return _subscript(view) if view.language == "python" else _literal(view)


def _subscript(view: View) -> Trigger | None:
    """After ``d["`` in Python, and after ``d.get("``."""
    read = view.text[-READ:]
    line = read.rpartition("\n")[2]
    found = _SUBSCRIPT.search(read) if "'" in line or '"' in line else None
    if found is None or not view.place.inside:
        return None
    if view.scene.place_of(view.text[: len(view.text) - len(found["written"]) - 1]).inside:
        return None
    quote, stands = found["quote"], found["written"]
    defines = _TARGET.match(view.statement) is not None

    def judge(answer: tuple[Members, str]) -> Ruling:
        members, owner_type = answer
        keys = frozenset(member.name.strip("'\"") for member in members.items if member.kind == FIELD)
        reason = None
        if not keys or _UNTYPED.search(owner_type.partition("\n---")[0]):
            reason = "unknown keys"
        elif defines:
            reason = "may be defined"
        elif _PLAIN_DICT.search(owner_type):
            reason = None if _is_literal(view, found["owner"]) else "may have more"
        elif keys <= _mentioned(view, found["owner"]):
            reason = "may have more"
        if reason is None and not members.complete:
            reason = "incomplete"
        elif reason is None and not any(key.startswith(stands + view.ahead) for key in keys):
            reason = "no such key"
        texts = frozenset(key + quote for key in keys if quote not in key and "\\" not in key)
        legal = (lambda masks: masks.texts(texts)) if texts else None
        return Ruling(legal, len(keys), reason, lambda truth: (stands + truth).partition(quote)[0] in keys)

    shown = view.text[: len(view.text) - len(stands)] + quote
    return Trigger(found[0], KEYS, view.question(len(shown) - 1, shown), judge, stands, word=False)


def _is_literal(view: View, owner: str) -> bool:
    """Whether a plain dictionary is a literal of this file that nothing in the file adds to."""
    made = _each(view, owner, rf"\s*+(?::[^=\n]{{0,{LONG}}}+)?+=(?!=)\s*+(.)")
    index = rf"\[[^\]\n]{{0,{LONG}}}+(?:\]\s*+=(?!=)|[^\]\n])"  # what is too long to be read is taken to add
    grown = _each(view, owner, rf"\s*+(?:{index}|\.(?:update|setdefault)\(|\|=)")
    return [found[1] for found in made] == ["{"] and next(grown, None) is None


def _mentioned(view: View, owner: str) -> frozenset[str]:
    """The keys with which the file mentions something: of what has no fixed keys pyrefly lists those, and no others."""
    named = r"\s*+(?:\[|\.\w++\()\s*+['\"]([^'\"\n]*+)['\"]"
    return frozenset(found[1] for found in _each(view, owner, named))


def _each(view: View, owner: str, following: str) -> Iterator[re.Match[str]]:
    """The places of the file at which something is mentioned with something after it."""
    whole, pattern, at = view.text + view.scene.rest, re.compile(following), 0
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


def _literal(view: View) -> Trigger | None:
    """Where a key of an object literal begins in TypeScript."""
    if view.place.inside or not view.place.brackets or view.text[view.place.brackets[-1]] != "{":
        return None
    opened = view.place.brackets[-1]
    found = _LITERAL.search(view.text[max(0, opened - 20) :])
    if found is None:
        return None
    stands = found["written"]
    used = frozenset(_USED.findall(view.text[opened + 1 : len(view.text) - len(stands)]))

    def judge(members: Members) -> Ruling:
        offered = frozenset(m.name.rstrip("?") for m in members.items if m.kind in (FIELD, METHOD, PROPERTY))
        names = offered | {"async", "get", "set", "static"}
        reason = None
        if not offered or len(offered) < len([m for m in members.items if m.kind != 1]):
            reason = "unknown type"  # what is in scope is offered where no keys are known
        elif not members.complete:
            reason = "incomplete"
        elif not any(name.startswith(stands + view.ahead) for name in names):
            reason = "no such key"

        def allows(truth: str) -> bool:
            name = stands + tail_of(truth)
            return not name or name in names or name in used

        legal = (lambda masks: masks.perhaps(names, view.scene.tail)) if offered else None
        return Ruling(legal, len(offered), reason, allows)

    return Trigger("{", COMPLETIONS, view.question(len(view.text) - len(stands)), judge, stands)
