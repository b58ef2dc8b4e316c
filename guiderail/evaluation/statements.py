"""Which statement of a file became which of a later release's, and within it which token: the truth about next edits.

This is apart from `guiderail.next_edit.alignment`, so that what is proposed is not measured by its own means. Whole
statements are compared here, and a pair counts only where most of it stayed the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq, Levenshtein
from tree_sitter import Node

from guiderail.next_edit.source_tree import SourceTree, Token
from guiderail.text.languages.table import NODES

LEAST_ALIKE = 0.6  # of a pair of statements
LONGEST = 3_000  # tokens of a statement that is compared
LARGEST = 40_000  # pairs of statements that are compared between two that stayed the same
FEWEST_COMMON = 0.4  # of the tokens, in any order, before their order is looked at


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement without those in its blocks: the indices of its tokens, and their texts."""

    tokens: tuple[int, ...]
    words: tuple[str, ...]


def statements(tree: SourceTree) -> list[Statement]:
    """The statements of a file, by their first tokens; the head of a compound one is one."""
    own: dict[int, list[int]] = {}
    for index, number in enumerate(_numbers(tree)):
        own.setdefault(number, []).append(index)
    words = [token.text for token in tree.tokens]
    return [Statement(tuple(each), tuple(words[index] for index in each)) for each in own.values()]


def _numbers(tree: SourceTree) -> Iterator[int]:
    """The number of each token's statement, in the order of `SourceTree.tokens`."""
    blocks, waiting, last = NODES[tree.language].blocks, [(tree.root, 0)], 0
    while waiting:
        node, number = waiting.pop()
        if not node.child_count:
            if node.end_byte > node.start_byte:
                yield number
            continue
        holds_statements = node.type in blocks or node.type.endswith("_body") or node.parent is None
        children: list[tuple[Node, int]] = []
        for child in node.children:
            last += holds_statements
            children.append((child, last if holds_statements else number))
        waiting += reversed(children)


class StatementAlignment:
    """The tokens of a file, each with what it became in a later one, where that is certain.

    Parameters
    ----------
    before, after
        The two files.
    """

    def __init__(self, before: SourceTree, after: SourceTree) -> None:
        self.before = before
        self.after = after
        self._index = {token.start: index for index, token in enumerate(before.tokens)}
        self._became: dict[int, int] = {}
        self._unchanged: set[int] = set()
        for old, new in _pairs(statements(before), statements(after)):
            if old.words == new.words:
                self._unchanged.update(old.tokens)
            for i, j in _steps(old, new):
                self._became[old.tokens[i]] = new.tokens[j]

    def became(self, start: int) -> Token | None:
        """What the token that begins at an offset of the earlier file became; None if that is not certain."""
        new = self._became.get(self._index.get(start, -1))
        return self.after.tokens[new] if new is not None else None

    def is_unchanged(self, start: int) -> bool:
        """Whether the statement of the token at an offset of the earlier file is still the same."""
        return self._index.get(start) in self._unchanged


def _pairs(before: Sequence[Statement], after: Sequence[Statement]) -> Iterator[tuple[Statement, Statement]]:
    """The statements that are in both: those that stayed the same, and between them those that are alike."""
    first, second = 0, 0
    for step in (*LCSseq.opcodes([one.words for one in before], [one.words for one in after]), None):
        if step is not None and step.tag != "equal":
            continue
        end = (step.src_start, step.dest_start) if step is not None else (len(before), len(after))
        yield from _alike(before[first : end[0]], after[second : end[1]])
        if step is not None:
            first, second = step.src_end, step.dest_end
            yield from zip(before[end[0] : first], after[end[1] : second], strict=True)


def _alike(before: Sequence[Statement], after: Sequence[Statement]) -> Iterator[tuple[Statement, Statement]]:
    """In order, the pairs that have most in common in all."""
    if len(before) * len(after) > LARGEST:
        return
    best = [[0.0] * (len(after) + 1) for _ in range(len(before) + 1)]
    alike = [[_likeness(old, new) for new in after] for old in before]
    for i in reversed(range(len(before))):
        for j in reversed(range(len(after))):
            pair = best[i + 1][j + 1] + alike[i][j] if alike[i][j] else 0.0
            best[i][j] = max(pair, best[i + 1][j], best[i][j + 1])
    i = j = 0
    while i < len(before) and j < len(after):
        if alike[i][j] and best[i][j] == best[i + 1][j + 1] + alike[i][j]:
            yield before[i], after[j]
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1


def _likeness(old: Statement, new: Statement) -> float:
    """The share of the tokens that are the same, a name in another's place counting half; 0 of too few."""
    longest = max(len(old.words), len(new.words))
    common = (Counter(old.words) & Counter(new.words)).total()
    if longest > LONGEST or common < FEWEST_COMMON * longest:
        return 0.0
    pairs = ((old.words[i], new.words[j]) for i, j in _steps(old, new))
    same = sum(1.0 if one == other else 0.5 * (one.isidentifier() and other.isidentifier()) for one, other in pairs)
    return same / longest if same >= LEAST_ALIKE * longest else 0.0


def _steps(old: Statement, new: Statement) -> Iterator[tuple[int, int]]:
    """The places in two statements of the tokens that stand where the other's do."""
    for step in Levenshtein.opcodes(old.words, new.words):
        if step.tag in {"equal", "replace"}:
            yield from zip(range(step.src_start, step.src_end), range(step.dest_start, step.dest_end), strict=True)
