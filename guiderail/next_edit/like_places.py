"""Places like those that a person changed twice in the same way: found by the shape of the tree, without a model."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from tree_sitter import Node

from guiderail.next_edit.alignment import Alignment, Hunk
from guiderail.next_edit.heads import declares_the_same
from guiderail.next_edit.proposal import Proposal
from guiderail.next_edit.search_time import SearchTime
from guiderail.next_edit.source_tree import SourceTree, read
from guiderail.text.document import Document
from guiderail.text.edit import Edit
from guiderail.text.languages.table import FUNCTIONS, NODES
from guiderail.text.syntax import SlowTextError

MOST_HUNKS = 12  # of a text with more changes nothing is said
LEAST, MOST = 3, 60  # tokens of what was changed, with what is around it
LEAST_FIXED = 2  # tokens that are the same in all places, a word among them
DECLARES = re.compile(r".*(?:parameter|import|comment|decorator).*|module|program|block|.*_body")
WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class _Hole:
    """What differs between places; `kind` is the node's where all have the same."""

    number: int
    kind: str


@dataclass(frozen=True, slots=True)
class _Fixed:
    """A token, or a node with its parts."""

    kind: str
    text: str = ""
    parts: tuple[_Fixed | _Hole, ...] = ()


@dataclass(frozen=True, slots=True)
class _Change:
    """A node before and after it was changed by hand."""

    before: Node
    after: Node


@dataclass(frozen=True)
class LikeChange:
    """A change that was made at two places.

    Parameters
    ----------
    pattern
        What both were before.
    pieces
        The later text of both: texts, and the numbers of holes.
    label
        One of the two, before and after, for people.
    """

    pattern: _Fixed
    pieces: tuple[str | int, ...]
    label: str

    def places(self, tree: SourceTree) -> Iterator[Edit]:
        """The edits of the other places in a text."""
        waiting = [tree.root]
        while waiting:
            tree.check()
            node = waiting.pop()
            bound: dict[int, str] = {}
            if node.type == self.pattern.kind and _matches(self.pattern, tree, node, bound):
                text = "".join(bound[one] if isinstance(one, int) else one for one in self.pieces)
                yield Edit(tree.start(node), tree.end(node), text)
            else:
                waiting += reversed(node.named_children)


def like_proposals(
    before: Document, after: Document, others: Iterable[Document] = (), cancelled: Callable[[], bool] = lambda: False
) -> list[Proposal]:
    """The places, in a file and in others, that are like those that were changed at least twice; not checked yet.

    None where looking for them takes too long (`SearchTime`).

    Raises
    ------
    InterruptedSearchError
        The search was cancelled.
    """
    time = SearchTime(cancelled)
    time.begin()
    old, new = read(before, time.check), read(after, time.check)
    changes = list(like_changes(Alignment(old, new))) if old is not None and new is not None else []
    trees = [new, *(read(one, time.check) for one in others if one.path != after.path)] if changes else []
    try:
        return [
            Proposal(tree.document, edit, "like", one.label)
            for one in changes for tree in trees if tree is not None for edit in one.places(tree)
        ]  # fmt: skip
    except SlowTextError:
        return []


def like_changes(alignment: Alignment) -> Iterator[LikeChange]:
    """The changes that were made at least twice between two texts."""
    hunks = list(alignment.hunks())
    if not 2 <= len(hunks) <= MOST_HUNKS or not declares_the_same(alignment):
        return  # what follows from a declaration, the analyser knows
    made = [one for hunk in hunks if (one := _change(alignment, hunk)) is not None]
    found: dict[_Fixed, LikeChange] = {}
    for one, other in combinations(made, 2):
        like = _generalised(alignment, one, other)
        if like is not None:
            found.setdefault(like.pattern, like)
    yield from found.values()


def _change(alignment: Alignment, hunk: Hunk) -> _Change | None:
    """The smallest nodes around a change that are the same but for it."""
    old, new = alignment.before, alignment.after
    if _is_of_variable(old, hunk):
        return None
    ends = [_around(old, hunk.before), _around(new, hunk.after)]
    for node in ends[0]:
        if DECLARES.fullmatch(node.type) or node.type in _declarations(old):
            return None
        own = _tokens(old, node)
        if len(own) > MOST:
            return None  # so are all around it, of which there may be thousands
        if len(own) < LEAST or "argument" in node.type or own == _called(old, node):
            continue  # a call is changed as a whole
        before = hunk.before.start - own.start, own.stop - hunk.before.stop
        for other in ends[1]:
            now = _tokens(new, other)
            if len(now) > MOST:
                break
            if (hunk.after.start - now.start, now.stop - hunk.after.stop) == before and other.type not in _declarations(
                new
            ):
                return _Change(node, other)
    return None


def _is_of_variable(tree: SourceTree, hunk: Hunk) -> bool:
    """Whether one variable took another's place: which one is meant elsewhere, its name does not tell."""
    name = tree.name_at(tree.tokens[hunk.before.start].start) if len(hunk.before) == len(hunk.after) == 1 else None
    if name is None or name.parent is None or tree.language not in NODES:
        return False
    return name.parent.type not in NODES[tree.language].members and _called(tree, name) != _tokens(tree, name)


def _called(tree: SourceTree, node: Node) -> range | None:
    """The tokens of what the call around a node calls."""
    outer, syntax = node.parent, FUNCTIONS.get(tree.language)
    field = syntax.calls.get(outer.type) if outer is not None and syntax is not None else None
    called = outer.child_by_field_name(field) if outer is not None and field is not None else None
    return _tokens(tree, called) if called is not None else None


def _declarations(tree: SourceTree) -> frozenset[str]:
    syntax = FUNCTIONS.get(tree.language)
    return syntax.functions | syntax.classes if syntax is not None else frozenset()


def _around(tree: SourceTree, run: range) -> list[Node]:
    """The nodes around some tokens, or around the one before a place, the smallest first."""
    tokens = tree.tokens
    first, last = (run.start, run.stop - 1) if run else (max(run.start - 1, 0),) * 2
    node = tree.node_around(tokens[first].start, tokens[last].end) if tokens else None
    return [node, *tree.ancestors(node)] if node is not None else []


def _tokens(tree: SourceTree, node: Node) -> range:
    first, last = (bisect_left(tree.tokens, at, key=lambda one: one.start) for at in (tree.start(node), tree.end(node)))
    return range(first, last)


def _generalised(alignment: Alignment, one: _Change, other: _Change) -> LikeChange | None:
    """What two changes have in common; None if it is too little, or would be true again of its own result."""
    old, new = alignment.before, alignment.after
    holes = _Holes()
    pattern = _common(old, one.before, other.before, holes)
    holes.are_known = True
    later = _common(new, one.after, other.after, holes)
    if not isinstance(pattern, _Fixed) or not isinstance(later, _Fixed):
        return None
    fixed = list(_texts(pattern))
    if len(fixed) < LEAST_FIXED or not any(map(WORD.fullmatch, fixed)):
        return None
    like = LikeChange(pattern, _pieces(new, one.after, later), f"{_line(old, one.before)} → {_line(new, one.after)}")
    return None if _holds_itself(like, new, one.after) else like


@dataclass
class _Holes:
    """The pairs of texts that differ between two places; of the later texts only those of the earlier ones."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    are_known: bool = False

    def of(self, tree: SourceTree, one: Node, other: Node) -> _Hole | None:
        pair = tree.text(one), tree.text(other)
        if not (one.is_named and other.is_named) or (self.are_known and pair not in self.numbers):
            return None
        kind = one.type if one.type == other.type else ""
        return _Hole(self.numbers.setdefault(pair, len(self.numbers)), kind)


def _common(tree: SourceTree, one: Node, other: Node, holes: _Holes) -> _Fixed | _Hole | None:
    """What two nodes have in common; None where a difference cannot be a hole."""
    if one.type == other.type and one.child_count == other.child_count:
        if not one.child_count and tree.text(one) == tree.text(other):
            return _Fixed(one.type, tree.text(one))
        if one.child_count:
            parts = [_common(tree, *pair, holes) for pair in zip(one.children, other.children, strict=True)]
            whole = tuple(part for part in parts if part is not None)
            if len(whole) == len(parts):
                return _Fixed(one.type, parts=whole)
    return holes.of(tree, one, other)


def _matches(pattern: _Fixed | _Hole, tree: SourceTree, node: Node, bound: dict[int, str]) -> bool:
    if isinstance(pattern, _Hole):
        is_kind = node.is_named and pattern.kind in {"", node.type}
        return is_kind and bound.setdefault(pattern.number, tree.text(node)) == tree.text(node)
    if node.type != pattern.kind or node.child_count != len(pattern.parts):
        return False
    if not pattern.parts:
        return tree.text(node) == pattern.text
    return all(_matches(part, tree, child, bound) for part, child in zip(pattern.parts, node.children, strict=True))


def _texts(pattern: _Fixed | _Hole) -> Iterator[str]:
    if isinstance(pattern, _Fixed):
        if pattern.text:
            yield pattern.text
        for part in pattern.parts:
            yield from _texts(part)


def _pieces(tree: SourceTree, node: Node, pattern: _Fixed) -> tuple[str | int, ...]:
    """A node's text, with the numbers of holes in place of what differs."""
    pieces, at = list[str | int](), tree.start(node)
    for start, end, number in _holes_in(tree, node, pattern):
        pieces += [tree.document.text[at:start], number]
        at = end
    return (*pieces, tree.document.text[at : tree.end(node)])


def _holes_in(tree: SourceTree, node: Node, pattern: _Fixed | _Hole) -> Iterator[tuple[int, int, int]]:
    if isinstance(pattern, _Hole):
        yield tree.start(node), tree.end(node), pattern.number
        return
    for part, child in zip(pattern.parts, node.children, strict=bool(pattern.parts)):
        yield from _holes_in(tree, child, part)


def _holds_itself(like: LikeChange, tree: SourceTree, node: Node) -> bool:
    """Whether what the change makes would be changed again."""
    waiting: Sequence[Node] = [node]
    while waiting:
        if any(_matches(like.pattern, tree, one, {}) for one in waiting):
            return True
        waiting = [child for one in waiting for child in one.children]
    return False


def _line(tree: SourceTree, node: Node) -> str:
    """A node's text in one line."""
    return " ".join(tree.text(node).split())
