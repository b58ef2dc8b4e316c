"""Bodies of functions and their lines, found in syntax trees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tree_sitter import Node

from guiderail.text.languages.table import BY_NAME, NODES
from guiderail.text.syntax import find, parse


class Span(NamedTuple):
    """The part `text[start:end]` of a text, code points."""

    start: int
    end: int


def body_lines(text: str, language: str) -> list[Span]:
    """The content of every line inside a function's body that is worth asking for.

    Left out: docstrings, the inside of strings of several lines, comments, and lines without a letter or digit.

    Parameters
    ----------
    text
        Of a file whose only line ends are ``\\n``.
    language
        One of `guiderail.text.languages.table.NODES`.
    """
    tree = parse(text.encode(), language)
    inside, outside = set[int](), set(_unasked(tree, language))
    for function, first, last in _bodies(tree, language):
        inside.update(range(max(function.start_point.row + 1, first.start_point.row), last.end_point.row + 1))
        outside.update(range(function.start_point.row, first.start_point.row))
    found, start = [], 0
    for row, line in enumerate(text.split("\n")):
        content = line.strip()
        if row in inside - outside and len(content) > 1 and any(map(str.isalnum, content)):
            begin = start + len(line) - len(line.lstrip())
            found.append(Span(begin, begin + len(content)))
        start += len(line) + 1
    return found


def function_bodies(text: str, language: str) -> list[Span]:
    """The bodies of functions as whole lines, after their docstrings; none that begins in the function's first line."""
    tree = parse(text.encode(), language)
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    found = set[Span]()
    for function, first, last in _bodies(tree, language):
        above = first.end_point.row + 1 if is_docstring(first) else first.start_point.row
        if function.start_point.row < above <= last.end_point.row:
            found.add(Span(starts[above], min(starts[last.end_point.row + 1], len(text))))
    return sorted(found)


def is_docstring(node: Node) -> bool:
    """Whether a statement is nothing but a string."""
    return node.type == "expression_statement" and all(child.type == "string" for child in node.named_children)


def _bodies(tree: Node, language: str) -> Iterator[tuple[Node, Node, Node]]:
    """Every function with the first and the last statement of its body."""
    types = NODES[language]
    for function in _of_types(tree, language, types.functions):
        body = function.child_by_field_name("body")
        statements = [node for node in body.named_children if not node.is_extra] if body is not None else []
        if body is not None and body.type in types.blocks and statements:
            yield function, _undecorated(statements[0]), statements[-1]


def _undecorated(statement: Node) -> Node:
    """A definition begins below its decorators."""
    return statement.child_by_field_name("definition") or statement


def _unasked(tree: Node, language: str) -> Iterator[int]:
    """The rows of docstrings and comments that begin a line, and of strings and comments all but the first."""
    for node in _of_types(tree, language, NODES[language].opaque):
        yield from range(node.start_point.row + 1, node.end_point.row + 1)
    source = tree.text or b""
    for node in find(tree, language, BY_NAME[language].comments):
        if not source[node.start_byte - node.start_point.column : node.start_byte].strip():
            yield from range(node.start_point.row, node.end_point.row + 1)


def _of_types(tree: Node, language: str, types: Iterable[str]) -> list[Node]:
    return find(tree, language, f"[{' '.join(f'({name})' for name in sorted(types))}] @it")
