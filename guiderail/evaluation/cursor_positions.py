"""Where a cursor may be put: dereferences, lines, blocks, calls and names of other files, found in syntax trees.

All places are inside bodies of functions, outside strings and comments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

from tree_sitter import Node

from guiderail.evaluation.function_bodies import Span, is_docstring
from guiderail.evaluation.packages import SourceFile
from guiderail.text.code_points import CodePoints
from guiderail.text.languages.table import NODES
from guiderail.text.syntax import find, parse

Kind = Literal["dereference", "line", "block", "api_call", "cross_file"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SHORTEST_NAME = 3  # of a name in another file: shorter ones are i, x, np
BLOCK_LINES = range(2, 13)  # lines of a block that is asked for


class CursorPositions:
    """The places of a package's files.

    Parameters
    ----------
    files
        All of the package's: a name of another file is one that none but the others define.
    language
        One of `guiderail.text.languages.table.NODES`.
    """

    def __init__(self, files: Sequence[SourceFile], language: str) -> None:
        self._language = language
        self._types = NODES[language]
        self._trees = {file.path: parse(file.text.encode(), language) for file in files}
        self._files = {file.path: file for file in files}
        self._defined = {path: set(self._definitions(tree)) for path, tree in self._trees.items()}
        self._last: tuple[str, list[Node]] = "", []

    def find(self, path: str, kind: Kind) -> list[Span]:
        """The places of a kind in one file, in its order."""
        text = self._files[path].text
        offset, nodes = CodePoints(text).of_byte, self._nodes(path)
        if kind == "line":
            starts = [node.start_byte for node in nodes if self._is_statement(node)]
        elif kind == "block":
            return [
                Span(offset(node.start_byte + _lead(node)), offset(node.end_byte - _tail(node)))
                for node in nodes
                if self._is_inner_block(node) and _lines(node) in BLOCK_LINES
            ]
        elif kind == "api_call":
            starts = [found.start_byte + 1 for node in nodes if (found := self._arguments(node)) is not None]
        else:
            names = [name for node in nodes if (name := self._name(node)) is not None]
            foreign = self._foreign(path) if kind == "cross_file" else None
            starts = [name.start_byte for name in names if foreign is None or _text(name) in foreign]
        return [
            Span(start, end) for start in map(offset, sorted(set(starts))) if (end := _line_end(text, start)) > start
        ]

    def _nodes(self, path: str) -> list[Node]:
        """What `_inside` gives for a file; kept for the last one, which is asked for one kind after the other."""
        if self._last[0] != path:
            self._last = path, list(self._inside(self._trees[path]))
        return self._last[1]

    def _inside(self, tree: Node) -> Iterator[Node]:
        """The nodes inside functions, outside strings and comments, in the order of the text."""
        waiting = [(tree, False)]
        while waiting:
            node, inside = waiting.pop()
            if node.type in self._types.opaque:
                continue
            if inside:
                yield node
            body = node.child_by_field_name("body") if node.type in self._types.functions else None
            waiting += [(child, inside or child == body) for child in reversed(node.children)]

    def _definitions(self, tree: Node) -> Iterator[str]:
        for node in find(tree, self._language, self._types.definitions):
            name = _text(node)
            if len(name) >= SHORTEST_NAME:
                yield name

    def _foreign(self, path: str) -> set[str]:
        others = set[str]().union(*(names for other, names in self._defined.items() if other != path))
        return others - self._defined[path]

    def _name(self, node: Node) -> Node | None:
        """The name after the dot of a dereference."""
        field = self._types.members.get(node.type)
        if field is None or node.child_by_field_name("object") is None:
            return None
        return node.child_by_field_name(field)

    def _arguments(self, node: Node) -> Node | None:
        """The argument list of a call that has arguments."""
        found = node.child_by_field_name("arguments") if node.type in self._types.calls else None
        return found if found is not None and found.named_child_count and found.children[0].type == "(" else None

    def _is_statement(self, node: Node) -> bool:
        parent = node.parent
        return node.is_named and parent is not None and parent.type in self._types.blocks and not is_docstring(node)

    def _is_inner_block(self, node: Node) -> bool:
        parent = node.parent
        inner = parent is not None and parent.type not in self._types.functions
        return node.type in self._types.blocks and inner and node.named_child_count > 0


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _line_end(text: str, start: int) -> int:
    """Where the line's content ends."""
    found = text.find("\n", start)
    line = text[start : found if found >= 0 else len(text)]
    return start + len(line.rstrip())


def _lead(block: Node) -> int:
    """Bytes before a block's first statement: none in Python, a bracket and white space elsewhere."""
    return block.named_children[0].start_byte - block.start_byte


def _tail(block: Node) -> int:
    return block.end_byte - block.named_children[-1].end_byte


def _lines(block: Node) -> int:
    return block.named_children[-1].end_point.row - block.named_children[0].start_point.row + 1
