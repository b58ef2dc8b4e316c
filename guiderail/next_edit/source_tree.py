"""A document with its syntax tree, in code points."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

from tree_sitter import Node

from guiderail.text.code_points import CodePoints
from guiderail.text.document import Document
from guiderail.text.syntax import PARSE_S, SlowTextError, ancestors, has_grammar, parse

MOST_NESTED = 50  # functions and classes, each in the one before; each knows the names of all that it is in
LONGEST = 500_000  # characters: of a text the tokens take a hundred times as much memory


class Token(NamedTuple):
    """A leaf of the tree: its text, where it begins, and the grammar's name for it."""

    text: str
    start: int
    kind: str

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)

    @property
    def is_name(self) -> bool:
        """Whether it names something: all grammars call such tokens identifiers of some kind."""
        return "identifier" in self.kind


class SourceTree:
    """The tree of a document.

    Parameters
    ----------
    document
        In a language with a grammar, with a text that can be parsed.
    root
        Its tree.
    check
        Called again and again while something is looked for; what it raises ends that.
    """

    def __init__(self, document: Document, root: Node, check: Callable[[], None] = lambda: None) -> None:
        self.document = document
        self.root = root
        self.check = check
        self._points = CodePoints(document.text)
        self._fields: dict[int, dict[int, str | None]] = {}

    @property
    def language(self) -> str:
        """The document's language."""
        assert self.document.language is not None
        return self.document.language

    def offset(self, byte: int) -> int:
        """The code point that begins at a byte of the text in UTF-8."""
        return self._points.of_byte(byte)

    def start(self, node: Node) -> int:
        """Where a node begins."""
        return self._points.of_byte(node.start_byte)

    def end(self, node: Node) -> int:
        """Where a node ends."""
        return self._points.of_byte(node.end_byte)

    def text(self, node: Node) -> str:
        """A node's text."""
        return self.document.text[self.start(node) : self.end(node)]

    def name_at(self, offset: int) -> Node | None:
        """The name that begins at an offset."""
        self.check()
        at = self._points.to_byte(offset)
        node = self.root.descendant_for_byte_range(at, at + 1)
        return node if node is not None and "identifier" in node.type and node.start_byte == at else None

    def node_around(self, start: int, end: int) -> Node | None:
        """The smallest node that holds what stands between two offsets."""
        return self.root.descendant_for_byte_range(self._points.to_byte(start), self._points.to_byte(end))

    def ancestors(self, node: Node) -> list[Node]:
        """The nodes that a node is in, the innermost first."""
        self.check()
        return ancestors(node, self.root)

    def field(self, parent: Node, child: Node) -> str | None:
        """The field of a node that a child of it is in; the children are read once: a list may have 100,000."""
        if parent.id not in self._fields:
            self._fields[parent.id] = dict(_fields(parent))
        return self._fields[parent.id].get(child.id)

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """The leaves in order, without those that are empty."""
        return tuple(Token(self.text(leaf), self.start(leaf), leaf.type) for leaf in _leaves(self.root))

    def tokens_in(self, start: int, end: int) -> tuple[Token, ...]:
        """The leaves between two offsets."""
        first, last = (bisect_left(self.tokens, at, key=lambda one: one.start) for at in (start, end))
        return self.tokens[first:last]


def read(document: Document, check: Callable[[], None] = lambda: None) -> SourceTree | None:
    """The tree of a document; None if it has no grammar or errors of syntax, or is too long; `check` as there."""
    if document.language is None or not has_grammar(document.language) or len(document.text) > LONGEST:
        return None
    try:
        root = parse(document.text.encode("utf-8", "replace"), document.language, PARSE_S)
    except SlowTextError:
        return None
    return None if root.has_error else SourceTree(document, root, check)


def _fields(parent: Node) -> Iterator[tuple[int, str | None]]:
    """The children of a node, each with its field."""
    cursor = parent.walk()
    is_there = cursor.goto_first_child()
    while is_there:
        if cursor.node is not None:
            yield cursor.node.id, cursor.field_name
        is_there = cursor.goto_next_sibling()


def _leaves(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.child_count:
            waiting += reversed(node.children)
        elif node.end_byte > node.start_byte:
            yield node
