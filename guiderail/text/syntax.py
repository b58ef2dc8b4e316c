"""Syntax trees of source text, by tree-sitter's grammars, where there is one for the language."""

import math
import time
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from threading import Lock

from tree_sitter import Language, Node, Parser, Point, Query, QueryCursor, Tree

from guiderail.text.edit import common_prefix, common_suffix
from guiderail.text.languages.table import GRAMMARS

FILES = 4  # whose last tree is kept
PARSE_S = 1.0  # seconds of this thread for a text that is waited for; half a megabyte of usual code takes half
_TANGLED = 4000**2  # of the children of errors, squared and in sum: a query looks at each beside each other
_DEEPEST = 5000  # levels that are searched: with more matches open at once each node takes quadratic time
_PART = 1 << 15  # bytes that a query reads at once, while no other thread runs
_CHUNK = 256  # bytes that the parser is given at once: a node's text is put together from them


def has_grammar(language: str | None) -> bool:
    """Whether `parse` knows the language."""
    return language in GRAMMARS


class SlowTextError(Exception):
    """A text cannot be parsed in time: a megabyte of errors takes half a minute."""


def parse(source: bytes, language: str, seconds: float = math.inf) -> Node:
    """Root node of the syntax tree of UTF-8 text; broken code gives a tree with error nodes.

    Parameters
    ----------
    source, language
        The text.
    seconds
        Of this thread, after which it is given up. Without a limit all other threads wait for the parser.

    Raises
    ------
    KeyError
        If there is no grammar for the language (ask `has_grammar` first).
    SlowTextError
        If it takes longer.
    """
    parser = Parser(grammar(language))
    return (parser.parse(source) if seconds == math.inf else parse_in_time(parser, source, None, seconds)).root_node


def parse_in_time(parser: Parser, source: bytes, old: Tree | None, seconds: float) -> Tree:
    """The tree of a text, made from that of an older one, if there is one; other threads may run meanwhile.

    Raises
    ------
    SlowTextError
        If it takes longer.
    """
    end = time.thread_time() + seconds
    try:
        if old is None:  # the binding takes no None for a tree
            return parser.parse(
                lambda at, _: source[at : at + _CHUNK], progress_callback=lambda *_: time.thread_time() > end
            )
        return parser.parse(
            lambda at, _: source[at : at + _CHUNK], old, progress_callback=lambda *_: time.thread_time() > end
        )
    except ValueError:
        parser.reset()
        raise SlowTextError from None


class Parsed:
    """Trees of texts that differ little: each is made from the one before, and only what changed is read.

    Errors apart they are those of `parse`: how a parser goes on after an error may depend on what it has read before.

    Parameters
    ----------
    language
        As for `parse`.
    """

    def __init__(self, language: str) -> None:
        self._parser = Parser(grammar(language))
        self._source = b""
        self._tree = self._parser.parse(self._source)
        self._lock = Lock()

    def parse(self, source: bytes) -> Node:
        """As the function `parse`, in `PARSE_S`; whether there are errors at all is the same."""
        with self._lock:
            _edit(self._tree, self._source, source)
            try:
                self._source, self._tree = source, parse_in_time(self._parser, source, self._tree, PARSE_S)
            except SlowTextError:
                self._source, self._tree = b"", self._parser.parse(b"")
                raise
            return self._tree.root_node


def _edit(tree: Tree, old: bytes, new: bytes) -> None:
    """Apply an edit to a tree."""
    start = common_prefix(old, new)
    tail = common_suffix(old, new, min(len(old), len(new)) - start)
    ends = len(old) - tail, len(new) - tail
    tree.edit(start, *ends, byte_point(old, start), byte_point(old, ends[0]), byte_point(new, ends[1]))


def byte_point(source: bytes, at: int) -> Point:
    """Row and column of a byte."""
    return Point(source.count(b"\n", 0, at), at - source.rfind(b"\n", 0, at) - 1)


@lru_cache(FILES)
def parsed(file: Path | None, language: str) -> Parsed:
    """The trees that are kept of a file; of texts without one, of the last."""
    return Parsed(language)


def ancestors(node: Node, root: Node) -> list[Node]:
    """The nodes that a node of a tree is in, the innermost first.

    They are found from the root on, once: each `Node.parent` begins there anew, and nothing bounds how deep a text is.
    """
    found, one = list[Node](), root
    while one is not None and one != node:
        found.append(one)
        one = one.child_with_descendant(node)
    return found[::-1]


def find(node: Node, language: str, pattern: str) -> list[Node]:
    """The nodes below `node` that a query captures, in source order; none where there are errors upon errors.

    What is nested deeper than `_DEEPEST` levels is left out.

    Parameters
    ----------
    node
        Where to look.
    language
        The language `node` was parsed as.
    pattern
        A tree-sitter query, e.g. ``"(import_statement) @it"``; the captures' names do not matter.
    """
    if node.has_error and _is_tangled(node):
        return []
    cursor = QueryCursor(_query(language, pattern))
    cursor.set_max_start_depth(_DEEPEST)
    parts = range(node.start_byte, node.end_byte + 1, _PART)
    return [found for start in parts for found in _find_in(cursor, node, start, start + _PART)]


def _find_in(cursor: QueryCursor, node: Node, start: int, stop: int) -> list[Node]:
    """The nodes that a query captures and that begin in a part of the text."""
    cursor.set_byte_range(max(0, start - 1), stop + 1)  # what the parser has put in has no bytes
    captured = cursor.captures(node).values()
    nodes = [found for nodes in captured for found in nodes if start <= found.start_byte < stop]
    return sorted(nodes, key=lambda found: (found.start_byte, -found.end_byte, -found.descendant_count))


def _is_tangled(node: Node) -> bool:
    """Whether a query would take long: the children of an error are a plain list, not a tree."""
    pairs, waiting = 0, [node]
    while waiting and pairs <= _TANGLED:
        one = waiting.pop()
        pairs += one.child_count**2 if one.is_error else 0
        waiting += [child for child in one.children if child.has_error]
    return pairs > _TANGLED


@cache
def grammar(language: str) -> Language:
    """The grammar of a language (see `has_grammar`)."""
    module, function = GRAMMARS[language]
    return Language(getattr(import_module(module), function)())


@cache
def _query(language: str, pattern: str) -> Query:
    return Query(grammar(language), pattern)
