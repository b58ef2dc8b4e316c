"""What a file declares, as its users see it: without the bodies of functions."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.source_tree import MOST_NESTED, SourceTree
from guiderail.text.languages.table import FUNCTIONS

Path = tuple[str, ...]
MOST_CHANGED = 200  # of more, the file is another one


def declares_the_same(alignment: Alignment) -> bool:
    """Whether a change touched no name that is declared, and no head of a function or class."""
    before, after = (
        {path: head if is_block else () for path, (_, head, is_block) in _heads(tree)}
        for tree in (alignment.before, alignment.after)
    )
    return before == after


def changed_declarations(alignment: Alignment) -> list[int]:
    """Where the names of what is declared otherwise now, or no more, began in the earlier text."""
    before, after = dict(_heads(alignment.before)), dict(_heads(alignment.after))
    changed = [start for path, (start, head, _) in before.items() if after.get(path, (0, ()))[1] != head]
    return changed if len(changed) <= MOST_CHANGED else []


def _heads(tree: SourceTree) -> Iterator[tuple[Path, tuple[int, tuple[str, ...], bool]]]:
    """The names of functions, classes, members and a module's variables, each with its tokens up to a body if any."""
    syntax = FUNCTIONS.get(tree.language)
    waiting: list[tuple[Node, Path]] = [(tree.root, ())] if syntax is not None else []
    while syntax is not None and waiting:
        node, path = waiting.pop()
        name = node.child_by_field_name("name") or node.child_by_field_name("left")
        if name is not None and "identifier" in name.type and "argument" not in node.type:
            path = (*path, tree.text(name))
            body = node.child_by_field_name("body")
            end = tree.start(body) if body is not None else tree.end(node)
            head = tuple(one.text for one in tree.tokens_in(tree.start(node), end) if "comment" not in one.kind)
            yield path, (tree.start(name), head, body is not None)
            if len(path) > MOST_NESTED or (body is None and node.type not in syntax.classes):
                continue
        if node.type not in syntax.functions:
            waiting += ((child, path) for child in reversed(node.named_children))
