"""Trees of characters in the notations that servers read: llama.cpp's GBNF, and regular expressions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from guiderail.remote.language import Node

ANYTHING = "[^\\x00]*"
ANY_REGEX = "(?:.|\\n)*"  # in some engines the dot takes a line break, in others not
_LAST = 127  # of ASCII


def gbnf(root: Node) -> str:
    """The tree as a GBNF grammar; each place where the text branches is a rule, and equal places are one rule."""
    rules: dict[str, str] = {}
    start = _gbnf(root, rules)
    named = "".join(f"{name} ::= {body}\n" for body, name in rules.items())
    return f"root ::= {start}\n{named}any ::= {ANYTHING}\n"


def _gbnf(root: Node, rules: dict[str, str]) -> str:
    """The rule of a tree; the rules that it needs are added."""
    made: dict[int, str] = {}
    for node in _from_leaves(root):
        if node.is_free:
            made[id(node)] = "any"
            continue
        parts = [f'"{_escaped(letter, chr(34))}" {made[id(child)]}' for letter, child in node.edges.items()]
        if several := _set(node):
            parts.append(f"{several} any")
        if node.ends:
            parts.append('""')
        body = " | ".join(parts) or '""'
        made[id(node)] = rules.setdefault(body, f"r{len(rules)}")
    return made[id(root)]


def regex(root: Node) -> str:
    """The tree as a regular expression that the whole text must match, in the syntax that all engines share."""
    made: dict[int, str] = {}
    for node in _from_leaves(root):
        if node.is_free:
            made[id(node)] = ANY_REGEX
            continue
        parts = [_literal(letter) + made[id(child)] for letter, child in node.edges.items()]
        if several := _set(node):
            parts.append(several + ANY_REGEX)
        body = parts[0] if len(parts) == 1 and not node.ends else f"(?:{'|'.join(parts)})" if parts else ""
        made[id(node)] = f"{body}?" if node.ends and body else body
    return made[id(root)]


def _from_leaves(root: Node) -> Iterator[Node]:
    """All nodes, each after those that follow it."""
    order, stack = [], [root]
    while stack:
        node = stack.pop()
        order.append(node)
        stack += node.edges.values()
    return reversed(order)


def _set(node: Node) -> str:
    """The characters after which anything may come, as a set; empty if there are none."""
    if not node.others:
        return f"[{_ranges(node.free)}]" if node.free else ""
    missing = {chr(code) for code in range(_LAST + 1)} - node.free
    missing |= {letter for letter in (*node.edges, *node.refused) if ord(letter) > _LAST}
    return f"[^{_ranges(missing)}]"


def _ranges(letters: Iterable[str]) -> str:
    """Characters as the inside of a set: runs of them as ranges."""
    codes = sorted(map(ord, letters))
    parts: list[str] = []
    while codes:
        length = next((n for n in range(1, len(codes)) if codes[n] != codes[0] + n), len(codes))
        first, last = _escaped(chr(codes[0]), "]-^"), _escaped(chr(codes[length - 1]), "]-^")
        parts.append(first if length == 1 else f"{first}-{last}")
        del codes[:length]
    return "".join(parts)


def _escaped(letter: str, marks: str) -> str:
    """A character in a set or a literal; what has a meaning there, or does not show, as its number."""
    code = ord(letter)
    if letter.isprintable() and letter not in marks and letter not in "\\[":
        return letter
    return f"\\x{code:02X}" if code <= 0xFF else f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _literal(letter: str) -> str:
    """A character outside a set in a regular expression."""
    return letter if letter.isalnum() or letter in " _" else _escaped(letter, '\\.^$|?*+()[]{}/-"')
