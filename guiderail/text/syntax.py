"""Syntax trees of source text, by tree-sitter's grammars, where there is one for the language."""

from functools import cache
from importlib import import_module

from tree_sitter import Language, Node, Parser, Query, QueryCursor

# Language identifier -> module and function of its grammar.
_GRAMMARS = {
    "python": ("tree_sitter_python", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "javascriptreact": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "typescriptreact": ("tree_sitter_typescript", "language_tsx"),
    "java": ("tree_sitter_java", "language"),
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "go": ("tree_sitter_go", "language"),
    "rust": ("tree_sitter_rust", "language"),
}


def has_grammar(language: str | None) -> bool:
    """Whether `parse` knows the language."""
    return language in _GRAMMARS


def parse(source: bytes, language: str) -> Node:
    """Root node of the syntax tree of UTF-8 text; broken code gives a tree with error nodes.

    Raises
    ------
    KeyError
        If there is no grammar for the language (ask `has_grammar` first).
    """
    return Parser(grammar(language)).parse(source).root_node


def find(node: Node, language: str, pattern: str) -> list[Node]:
    """The nodes below `node` that a query captures, in source order.

    Parameters
    ----------
    node
        Where to look.
    language
        The language `node` was parsed as.
    pattern
        A tree-sitter query, e.g. ``"(import_statement) @it"``; the captures' names do not matter.
    """
    captures = QueryCursor(_query(language, pattern)).captures(node)
    nodes = [found for nodes in captures.values() for found in nodes]
    return sorted(nodes, key=lambda found: (found.start_byte, -found.end_byte))


@cache
def grammar(language: str) -> Language:
    """The grammar of a language (see `has_grammar`)."""
    module, function = _GRAMMARS[language]
    return Language(getattr(import_module(module), function)())


@cache
def _query(language: str, pattern: str) -> Query:
    return Query(grammar(language), pattern)
