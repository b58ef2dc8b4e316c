"""A new error next to the cursor, written anew by the model: what is wrong is the hole, and legal text fills it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tree_sitter import Node

from guiderail.monitors.analysis.answers import Diagnostic
from guiderail.monitors.verdict import errors_in, new_errors
from guiderail.next_edit.checking import Diagnose
from guiderail.next_edit.proposal import Proposal
from guiderail.next_edit.source_tree import SourceTree, read
from guiderail.next_edit.values import LONGEST, Write, beginnings
from guiderail.text.document import Document
from guiderail.text.edit import Edit
from guiderail.text.languages.table import NODES

NEAR = 3  # lines between the cursor and an error
MOST_ERRORS, MOST_TRIED = 2, 4  # errors, and texts for each
NAME = re.compile(r"\A\s*(\w+)")


def repair(diagnose: Diagnose, before: Document, after: Document, cursor: int, write: Write) -> Proposal | None:
    """An edit after which a file has fewer errors, and none that it had not; None if there is none.

    Parameters
    ----------
    before
        The file before what was typed last: only errors that it did not have are looked at.
    cursor
        In `after`. What is being typed there is not looked at.
    """
    tree = read(after)
    if tree is None:
        return None
    having = errors_in(diagnose(after))
    for error in _near(new_errors(having, errors_in(diagnose(before))) if having else [], after, cursor):
        node = _wrong(tree, error)
        if node is not None and not tree.start(node) <= cursor <= tree.end(node):
            for edit in _edits(tree, node, write):
                now = errors_in(diagnose(replace(after, text=edit.apply(after.text))))
                if len(now) < len(having) and not new_errors(now, having):
                    return Proposal(after, edit, "repair", error.message.partition("\n")[0])
    return None


def _near(errors: list[Diagnostic], document: Document, cursor: int) -> list[Diagnostic]:
    """The errors near a cursor, the nearest first."""
    line = document.position_at(cursor)[0]
    far = {id(one): abs(document.position_at(one.start)[0] - line) for one in errors}
    return sorted((one for one in errors if far[id(one)] <= NEAR), key=lambda one: far[id(one)])[:MOST_ERRORS]


def _wrong(tree: SourceTree, error: Diagnostic) -> Node | None:
    """The node that an error is about; of a member of something the name alone."""
    node, members = tree.node_around(error.start, error.end), NODES[tree.language].members
    if node is None or (tree.start(node), tree.end(node)) != (error.start, error.end):
        return None
    while node is not None and node.type in members:
        node = node.child_by_field_name(members[node.type])
    is_short = node is not None and tree.end(node) - tree.start(node) <= LONGEST and "\n" not in tree.text(node)
    return node if is_short else None


def _edits(tree: SourceTree, node: Node, write: Write) -> Iterator[Edit]:
    """What a model writes in place of a node, as far as one node takes its place."""
    document, start, end = tree.document, tree.start(node), tree.end(node)
    shadow = replace(document, text=document.text[:start] + document.text[end:])
    is_member, tried = _is_member(tree, node), 0
    for written in write(shadow, start):
        for text in NAME.findall(written)[:1] if is_member else beginnings(written):
            edit = Edit(start, end, text)
            if tried < MOST_TRIED and edit.text != tree.text(node) and _is_one(document, edit):
                tried += 1
                yield edit


def _is_member(tree: SourceTree, node: Node) -> bool:
    """Whether a node is the name of a member, after a dot."""
    members, outer = NODES[tree.language].members, node.parent
    return outer is not None and outer.type in members and outer.child_by_field_name(members[outer.type]) == node


def _is_one(document: Document, edit: Edit) -> bool:
    """Whether what an edit writes is a node of its own."""
    tree = read(replace(document, text=edit.apply(document.text)))
    end = edit.start + len(edit.text)
    new = tree.node_around(edit.start, end) if tree is not None and edit.text else None
    if tree is None or new is None or (tree.start(new), tree.end(new)) != (edit.start, end):
        return False
    return "comment" not in new.type
