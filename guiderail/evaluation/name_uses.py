"""Which tokens of a file may be uses of a name, as far as syntax tells."""

from __future__ import annotations

from tree_sitter import Node

from guiderail.next_edit.signatures import read_parameters
from guiderail.next_edit.source_tree import SourceTree, Token
from guiderail.text.languages.table import FUNCTIONS, NODES


def is_use(tree: SourceTree, token: Token, name: str, *, is_member: bool) -> bool:
    """Whether a token may be a use: of a member after a dot, in a class or as a key, of another name anywhere else."""
    if token.text != name or not token.is_name or (node := tree.name_at(token.start)) is None:
        return False
    parent = node.parent
    assert parent is not None, "a name is no root"
    members = NODES[tree.language].members
    after_dot = parent.type in members and parent.child_by_field_name(members[parent.type]) == node
    is_key = parent.type == "keyword_argument" and parent.child_by_field_name("name") == node
    if is_member:
        return after_dot or is_key or "property" in node.type or _is_in_class(tree, node)
    return not is_key and node.type != "property_identifier" and not _is_local(tree, node, name)


def _is_in_class(tree: SourceTree, node: Node) -> bool:
    """Whether a name is declared directly in a class."""
    parent = node.parent
    is_name = parent is not None and node in (parent.child_by_field_name("name"), parent.child_by_field_name("left"))
    while is_name and parent is not None and "class" not in parent.type:
        if parent.type in FUNCTIONS[tree.language].functions and parent.child_by_field_name("name") != node:
            return False
        parent = parent.parent
    return is_name and parent is not None and parent.child_by_field_name("name") != node


def _is_local(tree: SourceTree, node: Node, name: str) -> bool:
    """Whether a function that a name is in has a parameter of that name."""
    outer = node.parent
    while outer is not None:
        listed = outer.child_by_field_name("parameters") if "function" in outer.type or "method" in outer.type else None
        if listed is not None and any(one.name == name for one in read_parameters(tree, listed) or ()):
            return True
        outer = outer.parent
    return False
