"""The statements of a growing text as a sequence of rules, in which tandem repeats of structure are found.

Each line that begins a statement, a clause, or an element of a list counts as one entry. Its rule is the keyword that
opens it (``elif``, ``case``, ``return``) or else the kind of its syntax node (``assignment``, ``call``, ``pair``),
together with the turn of its indentation. tree-sitter's error recovery keeps the statements inside a construct that is
still open, so that a text may end anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from tree_sitter import Node, Parser, Tree

from guiderail.text.edit import common_prefix
from guiderail.text.languages.table import BY_NAME
from guiderail.text.syntax import PARSE_S, SlowTextError, byte_point, grammar, parse_in_time

LOOKBACK = 160  # lines after which nothing is remembered
UNSETTLED = 6  # last lines whose rules are found anew: what follows may still turn them into something else
TAB = 8
_HEAD = re.compile(rb"([ \t]*)[ \t})\];,]*")
_WORD = re.compile(rb"[0-9A-Za-z_]+")
_CONTAINER = re.compile(r"(block|body|_list|_group|module|program|source_file|translation_unit)$")
NAME, NUMBER = "name", "number"


class Rule(NamedTuple):
    """What opens a statement, and the turn of the indentation to it.

    Parameters
    ----------
    kind
        The opening keyword, or the kind of the syntax node.
    opener
        The opening keyword, `NAME`, `NUMBER`, or the first character.
    turn
        -1, 0 or 1: indented less, as, or more than the statement before.
    """

    kind: str
    opener: str
    turn: int


class Opening(NamedTuple):
    """How a line begins: its indentation in columns, and its first word or character, with its place."""

    indent: int
    word: bytes
    at: int


@dataclass(slots=True)
class _Line:
    start: int
    indent: int
    rule: Rule


def opening(line: bytes) -> Opening:
    """The first word of a line after blanks and closing brackets; or one character; or nothing."""
    head = _HEAD.match(line)
    assert head is not None, "the pattern matches the empty text"
    at = head.end()
    word = _WORD.match(line, at)
    return Opening(len(head[1].expandtabs(TAB)), word[0] if word else line[at : at + 1], at)


def opener(word: bytes, language: str) -> str:
    """The class of an opening word or character: itself for keywords and punctuation."""
    text = word.decode(errors="replace")
    if text in keywords(language):
        return text
    if text[0].isdigit():
        return NUMBER
    return NAME if text[0].isalpha() or text[0] in "_\ufffd" else text[0]


@cache
def keywords(language: str) -> frozenset[str]:
    """The words that the grammar of a language spells out."""
    own = grammar(language)
    kinds = (i for i in range(own.node_kind_count) if own.node_kind_is_visible(i) and not own.node_kind_is_named(i))
    return frozenset(kind for i in kinds if (kind := own.node_kind_for_id(i) or "").isidentifier())


class Statements:
    """The rules of the last statements of a text, updated incrementally when it grows or is cut.

    Parameters
    ----------
    language
        Of the text; there must be a grammar for it (`syntax.has_grammar`).
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._parser = Parser(grammar(language))
        self._tree: Tree | None = None
        self._source = b""
        self._lines: list[_Line] = []
        self._marks: list[tuple[int, bytes]] = []  # ends of what opens or closes a long text, and what opens it

    def follow(self, source: bytes) -> None:
        """Take a text of whole lines, each with its end (UTF-8); what it shares with the last is not parsed again.

        Inside an open string or comment of several lines nothing is parsed: error recovery is slow there, and what
        they hold is no statement.
        """
        same = common_prefix(self._source, source)
        if same == len(source) == len(self._source):
            return
        self._mark(source, same)
        self._forget(same)
        try:
            if not self.in_text:
                self._parse(source, same)
                self._read(source)
            elif self._tree:
                self._edit(source, same)
        except SlowTextError:  # nothing is known of its statements
            self._tree, self._lines = None, []
        self._source = source

    @property
    def rules(self) -> list[Rule]:
        """The rules of the last statements, in order."""
        return [line.rule for line in self._lines[-LOOKBACK:]]

    @property
    def indent(self) -> int:
        """Columns before the last statement."""
        return self._lines[-1].indent if self._lines else 0

    @property
    def in_text(self) -> bool:
        """Whether the text ends inside a comment or string of several lines."""
        return bool(self._marks) and self._marks[-1][1] != b""

    def _mark(self, source: bytes, same: int) -> None:
        """Find the openings and closings after what stayed; a closing is marked by b""."""
        pattern = BY_NAME[self.language].long_text
        while self._marks and self._marks[-1][0] > same:
            self._marks.pop()
        for found in pattern.finditer(source, self._marks[-1][0] if self._marks else 0):
            if self.in_text:
                opened = self._marks[-1][1]
                if found[0] == (b"*/" if opened == b"/*" else opened):
                    self._marks.append((found.end(), b""))
            elif found[0] != b"*/":
                self._marks.append((found.end(), found[0]))

    def _parse(self, source: bytes, same: int) -> None:
        if self._tree:
            self._edit(source, same)
        self._tree = parse_in_time(self._parser, source, self._tree, PARSE_S)

    def _edit(self, source: bytes, same: int) -> None:
        """Apply an edit to the tree; the parser catches up later."""
        assert self._tree is not None
        ends = (byte_point(source, same), byte_point(self._source, len(self._source)), byte_point(source, len(source)))
        self._tree.edit(same, len(self._source), len(source), *ends)

    def _read(self, source: bytes) -> None:
        """Find the rules of the lines after those that are settled."""
        assert self._tree is not None
        begin = source.find(b"\n", self._lines[-1].start) + 1 if self._lines else _tail(source)
        for start in _line_starts(source, begin):
            self._add(self._tree.root_node, source, start)

    def _forget(self, same: int) -> None:
        """Drop the lines that changed, and some before them."""
        kept = len(self._lines)
        while kept and self._lines[kept - 1].start >= same:
            kept -= 1
        del self._lines[max(0, kept - UNSETTLED) :]
        del self._lines[: -4 * LOOKBACK]

    def _add(self, root: Node, source: bytes, start: int) -> None:
        end = source.find(b"\n", start)
        line = source[start : end if end >= 0 else len(source)]
        indent, word, at = opening(line)
        kind = _kind_at(root, start + at) if word else None
        if kind is None:
            return
        opens = opener(word, self.language)
        turn = (indent > self.indent) - (indent < self.indent) if self._lines else 0
        keyword = opens if opens in keywords(self.language) else kind
        self._lines.append(_Line(start, indent, Rule(keyword, opens, turn)))


def _kind_at(root: Node, start: int) -> str | None:
    """The kind of the outermost statement or expression that begins at a byte; None if nothing begins there."""
    # By a cursor: Node.first_child_for_byte of py-tree-sitter 0.26 crashes where there is no such child.
    cursor, outer = root.walk(), None
    while outer is None and cursor.goto_first_child_for_byte(start) is not None:
        node = cursor.node
        if node is None or node.start_byte > start:
            break
        if node.start_byte == start and not node.is_error and not _CONTAINER.search(node.type):
            outer = node
    if outer is not None and outer.type == "expression_statement" and outer.named_child_count:
        inner = outer.named_child(0)
        return inner.type if inner else outer.type
    return outer.type if outer else None


def _tail(source: bytes) -> int:
    """Where the last lines that are remembered begin."""
    at = len(source)
    for _ in range(LOOKBACK):
        at = source.rfind(b"\n", 0, at)
        if at < 0:
            return 0
    return at + 1


def _line_starts(source: bytes, begin: int) -> list[int]:
    starts = []
    while begin < len(source):
        starts.append(begin)
        end = source.find(b"\n", begin)
        begin = end + 1 if end >= 0 else len(source)
    return starts
