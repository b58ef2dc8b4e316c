"""Where a cursor may be put: dereferences, lines, blocks, calls and names of other files, found in syntax trees.

All places are inside bodies of functions, outside strings and comments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from tree_sitter import Node

from guiderail.evaluation.packages import SourceFile
from guiderail.text.code_points import CodePoints
from guiderail.text.syntax import find, parse

Kind = Literal["dereference", "line", "block", "api_call", "cross_file"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SHORTEST_NAME = 3  # of a name in another file: shorter ones are i, x, np
BLOCK_LINES = range(2, 13)  # lines of a block that is asked for


class Span(NamedTuple):
    """The truth of a place is `text[start:end]`, code points."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What a language's syntax tree calls the things that matter here.

    Parameters
    ----------
    functions
        Nodes whose field ``body`` is a function's body.
    blocks
        Sequences of statements in braces or indented.
    members
        By node of a dereference, the field of the name after the dot.
    calls
        Nodes whose field ``arguments`` is a list in brackets.
    opaque
        Nodes in which no cursor is put.
    definitions
        Query of the names that a file defines.
    """

    functions: frozenset[str]
    blocks: frozenset[str]
    members: Mapping[str, str]
    calls: frozenset[str]
    opaque: frozenset[str]
    definitions: str


PYTHON = Shape(
    functions=frozenset({"function_definition"}),
    blocks=frozenset({"block"}),
    members={"attribute": "attribute"},
    calls=frozenset({"call"}),
    opaque=frozenset({"string", "comment"}),
    definitions="""
        (function_definition name: (identifier) @it) (class_definition name: (identifier) @it)
        (module (expression_statement (assignment left: (identifier) @it)))
        (class_definition body: (block (expression_statement (assignment left: (identifier) @it))))
        (assignment left: (attribute attribute: (identifier) @it))
    """,
)
TYPESCRIPT = Shape(
    functions=frozenset({"function_declaration", "method_definition", "arrow_function", "function_expression"}),
    blocks=frozenset({"statement_block"}),
    members={"member_expression": "property"},
    calls=frozenset({"call_expression", "new_expression"}),
    opaque=frozenset({"string", "template_string", "regex", "comment"}),
    definitions="""
        (function_declaration name: (identifier) @it) (class_declaration name: (type_identifier) @it)
        (method_definition name: (property_identifier) @it) (public_field_definition name: (property_identifier) @it)
        (property_signature name: (property_identifier) @it) (method_signature name: (property_identifier) @it)
        (program (lexical_declaration (variable_declarator name: (identifier) @it)))
        (export_statement declaration: (lexical_declaration (variable_declarator name: (identifier) @it)))
    """,
)
JAVA = Shape(
    functions=frozenset({"method_declaration", "constructor_declaration"}),
    blocks=frozenset({"block", "constructor_body"}),
    members={"field_access": "field", "method_invocation": "name"},
    calls=frozenset({"method_invocation", "object_creation_expression"}),
    opaque=frozenset({"string_literal", "character_literal", "line_comment", "block_comment"}),
    definitions="""
        (method_declaration name: (identifier) @it) (class_declaration name: (identifier) @it)
        (field_declaration declarator: (variable_declarator name: (identifier) @it)) (enum_constant name: (_) @it)
    """,
)
SHAPES: Mapping[str, Shape] = {"python": PYTHON, "typescript": TYPESCRIPT, "java": JAVA}


class CursorPositions:
    """The places of a package's files.

    Parameters
    ----------
    files
        All of the package's: a name of another file is one that none but the others define.
    language
        One of `SHAPES`.
    """

    def __init__(self, files: Sequence[SourceFile], language: str) -> None:
        self._language = language
        self._shape = SHAPES[language]
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
            if node.type in self._shape.opaque:
                continue
            if inside:
                yield node
            body = node.child_by_field_name("body") if node.type in self._shape.functions else None
            waiting += [(child, inside or child == body) for child in reversed(node.children)]

    def _definitions(self, tree: Node) -> Iterator[str]:
        for node in find(tree, self._language, self._shape.definitions):
            name = _text(node)
            if len(name) >= SHORTEST_NAME:
                yield name

    def _foreign(self, path: str) -> set[str]:
        others = set[str]().union(*(names for other, names in self._defined.items() if other != path))
        return others - self._defined[path]

    def _name(self, node: Node) -> Node | None:
        """The name after the dot of a dereference."""
        field = self._shape.members.get(node.type)
        if field is None or node.child_by_field_name("object") is None:
            return None
        return node.child_by_field_name(field)

    def _arguments(self, node: Node) -> Node | None:
        """The argument list of a call that has arguments."""
        found = node.child_by_field_name("arguments") if node.type in self._shape.calls else None
        return found if found is not None and found.named_child_count and found.children[0].type == "(" else None

    def _is_statement(self, node: Node) -> bool:
        parent = node.parent
        return node.is_named and parent is not None and parent.type in self._shape.blocks and not _is_docstring(node)

    def _is_inner_block(self, node: Node) -> bool:
        parent = node.parent
        inner = parent is not None and parent.type not in self._shape.functions
        return node.type in self._shape.blocks and inner and node.named_child_count > 0


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


def _is_docstring(node: Node) -> bool:
    return node.type == "expression_statement" and all(child.type == "string" for child in node.named_children)
