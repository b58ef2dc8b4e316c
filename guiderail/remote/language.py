"""What may be written next, as a small tree of characters that servers are given as a grammar.

The tree is made from the texts that monitors hold legal, at the place where one of them was left. It may be wider than
what is legal, never narrower: whatever the server writes is checked here again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from guiderail.decoding.constraints.vocabulary import Vocabulary

BYTES = [bytes([value]) for value in range(256)]
END = 256  # the id that ends a text
BYTE_VOCABULARY = Vocabulary([*BYTES, b""])  # monitors mask bytes as they mask tokens
MOST_NODES = 3000  # of a tree: of larger sets the first letters of each name are given
MANY = 60  # letters, of the 63 of ASCII's identifiers: where so many may come, any name may
DEEPEST = 200  # characters from a tree's root up to which two trees are joined
NARROW = 64  # characters: where more may come, not all that follows them is laid out
_ASCII = frozenset(map(chr, range(1, 128)))  # a zero byte is in no source
_LETTERS = frozenset(letter for letter in _ASCII if letter == "_" or letter.isalnum())


class LegalTexts(Protocol):
    """The texts that are legal after a trigger, as masks of bytes (`guiderail.monitors.monitor.Legal`)."""

    def place(self, written: bytes) -> str:
        """Whether a text is still constrained ("inside"), no more ("past"), or not legal ("lost")."""
        ...

    def mask(self, written: bytes) -> np.ndarray:
        """The bytes that may follow a text that is inside; packed int32 [9], the last id ends the text."""
        ...


Open = tuple[tuple[LegalTexts, bytes], ...]  # what constrains at a place, each with what of it is written


@dataclass(slots=True, eq=False)
class Node:
    """A place in the text.

    Parameters
    ----------
    edges
        Characters after which it is laid out what may come.
    free
        Characters after which anything may come.
    others
        Whether all characters beyond ASCII may come, and then anything.
    refused
        Characters that may not come in spite of that.
    ends
        Whether the text may end here.
    """

    edges: dict[str, Node] = field(default_factory=dict)
    free: set[str] | frozenset[str] = frozenset()
    others: bool = False
    ends: bool = False
    refused: str = ""

    @property
    def is_free(self) -> bool:
        """Whether anything may come."""
        return self.others and self.ends and not self.edges and not self.refused and self.free >= _ASCII

    def after(self, letter: str) -> Node | None:
        """What may come after a character; None if it may not come."""
        if letter in self.edges:
            return self.edges[letter]
        is_other = self.others and not letter.isascii() and letter not in self.refused
        return FREE if letter in self.free or is_other else None


FREE = Node({}, _ASCII, others=True, ends=True)


def both(first: Node, second: Node, depth: int = DEEPEST) -> Node:
    """What may come by two trees; beyond `depth` characters, by the first one alone."""
    if first.is_free or second.is_free or not depth:
        return second if first.is_free else first
    made = Node(others=first.others and second.others, ends=first.ends and second.ends)
    free, refused = set[str](), {*first.refused, *second.refused}
    for letter in {*first.edges, *second.edges, *first.free, *second.free}:
        one, other = first.after(letter), second.after(letter)
        if one is None or other is None:
            refused.add(letter)
        elif (joined := both(one, other, depth - 1)).is_free:
            free.add(letter)
        else:
            made.edges[letter] = joined
    made.free, made.refused = free, "".join(letter for letter in refused if not letter.isascii())
    return made


def after_lead(lead: Sequence[tuple[str, Open]], last: Node) -> Node:
    """What may come where a token was refused: another text, or the token's beginning and a legal end of it.

    Parameters
    ----------
    lead
        The characters of the token that are legal, with what constrains before each.
    last
        What may come after them.
    """
    for letter, constraints in reversed(lead):
        node = tree(constraints)
        node.edges[letter] = last  # which knows of triggers inside the token too
        node.free = node.free - {letter}
        last = node
    return last


def tree(constraints: Open) -> Node:
    """What may come where these constrain, laid out breadth first, in a bounded number of nodes."""
    root = _node(constraints)
    waiting, room = deque([(root, constraints)]), MOST_NODES
    while waiting:
        node, here = waiting.popleft()
        for letter in _laid_out(node):
            there = _after(here, letter)
            if there and room > 0:
                room -= 1
                node.edges[letter] = child = _node(there)
                waiting.append((child, there))
        node.free = node.free - node.edges.keys()
    return root


def _laid_out(node: Node) -> list[str]:
    """The characters after which it is worth laying out what may come."""
    if len(node.free) <= NARROW:
        return sorted(node.free)
    letters = {letter for letter in node.free if letter in _LETTERS or not letter.isascii()}
    return sorted(letters) if len(letters) < MANY else []


def _node(constraints: Open) -> Node:
    """The characters that may come next."""
    allowed = _allowed(constraints)
    free = {letter for letter in _ASCII if allowed[ord(letter)]}
    beyond = _beyond(constraints) if allowed[0x80:END].any() else ()
    return Node({}, free.union(beyond or ()), others=beyond is None, ends=bool(allowed[END]))


def _beyond(constraints: Open) -> list[str] | None:
    """The characters beyond ASCII that may come next; None for any, or for many."""
    found: list[str] = []
    halves = [b""]
    while halves:
        half = halves.pop()
        here = tuple((legal, written + half) for legal, written in constraints)
        if any(legal.place(written) != "inside" for legal, written in here):
            return None
        for byte in np.flatnonzero(_allowed(here)[0x80:END]) + 0x80:
            data = half + bytes([byte])
            if letter := data.decode(errors="ignore"):
                found.append(letter)
            else:
                halves.append(data)
        if len(found) + len(halves) > MANY:
            return None
    return found


def _allowed(constraints: Open) -> np.ndarray:
    """The bytes that may come next, and whether the text may end; bool [257]."""
    mask = np.full((END + 32) // 32, -1, dtype=np.int32)
    for legal, written in constraints:
        mask &= legal.mask(written)
    return np.unpackbits(mask.view(np.uint8), bitorder="little")[: END + 1].astype(bool)


def _after(constraints: Open, letter: str) -> Open:
    """What still constrains after a character."""
    longer = [(legal, written + letter.encode()) for legal, written in constraints]
    return tuple((legal, written) for legal, written in longer if legal.place(written) == "inside")
