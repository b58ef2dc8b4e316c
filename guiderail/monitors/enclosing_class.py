"""The class around a cursor in a Python method, as the text shows it, and its members that analysers miss."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from functools import lru_cache

HEADER_READ = 400  # characters of a definition's header
MOST_BASES = 8
_DEF = re.compile(r"^([ \t]*)(?:async[ \t]+)?def[ \t]", re.MULTILINE)
_STATIC = re.compile(r"@staticmethod\s*(?:\n[ \t]*@[^\n]*)*\n[ \t]*$|@staticmethod\s*$")
_CLASS = re.compile(r"^([ \t]*)class[ \t]+(\w+)", re.MULTILINE)
LONG = 500  # characters of a line, of an annotation or a subscript up to which they are read
_BASES = re.compile(r"\s*+\(([^()]*+(?:\([^()]*+\)[^()]*+)*+)\)")
_MIXIN = re.compile(r"mix_?in", re.IGNORECASE)
_SLOTS = re.compile(rf"\b__slots__\s*+(?::[^=\n]{{0,{LONG}}}+)?+=\s*+(?:[(\[{{]([^)\]}}]*)|(['\"]\w+['\"]))")
_ASKED = re.compile(r"\b(?:hasattr|getattr|delattr)\(\s*(?:self|cls)\s*,\s*(['\"]\w+['\"])")
_QUOTED = re.compile(r"['\"](\w+)['\"]")


@dataclass(frozen=True, slots=True)
class EnclosingClass:
    """A class, with those of its bases that the same file defines.

    Parameters
    ----------
    name
        Of the class.
    text
        The source of all of them.
    """

    name: str
    text: str

    @property
    def is_mixin(self) -> bool:
        """Whether its objects may have members of another class that it is mixed into."""
        return _MIXIN.search(self.name) is not None

    @property
    def members(self) -> frozenset[str]:
        """Members that it reserves, which may be set where an object is made, or asks for by name."""
        quoted = [found[1] or found[2] or "" for found in _SLOTS.finditer(self.text)]
        quoted += [found[1] for found in _ASKED.finditer(self.text)]
        return frozenset(name for part in quoted for name in _QUOTED.findall(part))


def enclosing_class_of(text: str, statement: int, rest: str, receiver: str) -> EnclosingClass | None:
    """The class whose object or class `receiver` is.

    Parameters
    ----------
    text, rest
        The file before the cursor and after it.
    statement
        Where the statement at the cursor begins.
    receiver
        A name.

    Returns
    -------
    EnclosingClass or None
        None if `receiver` is not the first parameter of a method around the cursor, or was bound anew in it.
    """
    method = _method_around(text, statement, receiver)
    if method is None or _is_bound(text, method.end(), receiver):
        return None
    indent = len(method[1])
    found = None
    for one in _CLASS.finditer(text, 0, method.start()):
        found = one if len(one[1]) < indent else found
    if found is None:
        return None
    whole = text + rest
    first: dict[str, re.Match[str]] = {}
    for one in _CLASS.finditer(whole):
        first.setdefault(one[2], one)
    parts, names = [_body(whole, found)], dict.fromkeys(_bases_of(whole, found))
    waiting = deque(names)
    while waiting and len(parts) <= MOST_BASES:
        base = first.get(waiting.popleft())
        if base is not None:
            parts.append(_body(whole, base))
            new = [one for one in _bases_of(whole, base) if one not in names]
            names |= dict.fromkeys(new)
            waiting += new
    return EnclosingClass(found[2], "\n".join(parts))


def _method_around(text: str, statement: int, receiver: str) -> re.Match[str] | None:
    """The innermost function around a statement with `receiver` as a parameter, if that is its first one."""
    line = text[statement:].lstrip("\r\n")
    depth = len(line) - len(line.lstrip())
    first = re.compile(_DEF.pattern + rf"\s*\w+\s*(?:\[[^\]]{{0,{LONG}}}\])?\(\s*{receiver}\b", re.MULTILINE)
    for found in reversed(list(_DEF.finditer(text, 0, statement))):
        if len(found[1]) >= depth:
            continue
        depth = len(found[1])
        if method := first.match(text, found.start()):
            return None if _STATIC.search(text, max(0, found.start() - LONG), found.start()) else method
        header = text[found.start() : found.start() + HEADER_READ].partition("):")[0]
        if re.search(rf"[(,*]\s*{receiver}\b", header):
            return None
    return None


def _is_bound(text: str, begin: int, name: str) -> bool:
    """Whether a name may come to mean something else after an offset, or is in a line too long to be read."""
    pattern, at = _bound(name), begin
    while (at := text.find(name, at)) >= 0:
        start, end = max(begin, text.rfind("\n", 0, at) + 1), text.find("\n", at)
        end = end if end >= 0 else len(text)
        if end - start > LONG or pattern.search(text, start, end):
            return True
        at = end
    return False


@lru_cache
def _bound(name: str) -> re.Pattern[str]:
    """A place at which a name may come to mean something else."""
    return re.compile(
        rf"(?<![\w.]){name}\s*(?::[^=\n]*)?=(?!=)|(?<![\w.]){name}\s*:=|\bas\s+{name}\b|\bdel\s+{name}\b|"
        rf"\bfor\b[^\n:]*?(?<![\w.]){name}\b[^\n.]*\bin\b|(?<![\w.]){name}\s*,[^\n=()]*=(?!=)|,\s*\*?{name}\s*=(?!=)|"
        rf"\b(?:global|nonlocal)\b[^\n]*\b{name}\b|\bimport\b[^\n]*\b{name}\b|\blambda\b[^\n:]*\b{name}\b"
    )


def _body(whole: str, found: re.Match[str]) -> str:
    """A class from its header up to what is defined after it."""
    end = re.compile(rf"^[ \t]{{0,{len(found[1])}}}(?:class|def|async|@)", re.MULTILINE).search(whole, found.end())
    return whole[found.start() : end.start() if end else None]


def _bases_of(whole: str, found: re.Match[str]) -> list[str]:
    bases = _BASES.match(whole, found.end())
    return re.findall(r"(?<![\w.=])(\w++)(?=\s*+(?:,|\[|$))", bases[1]) if bases else []
