"""What a file declares: functions, classes, methods, attributes and variables, with what tells where they belong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tree_sitter import Node

from guiderail.next_edit.source_tree import SourceTree
from guiderail.text.languages.table import FUNCTIONS

DeclarationKind = Literal["function", "method", "class", "attribute", "variable"]

TYPES = frozenset({"interface_declaration", "type_alias_declaration", "enum_declaration"})
FIELDS = frozenset({"public_field_definition", "property_signature"})
METHODS = frozenset({"method_signature", "abstract_method_signature"})
RECEIVERS = frozenset({"self", "cls"})


@dataclass(frozen=True, slots=True)
class Declaration:
    """A name that a file declares.

    Parameters
    ----------
    path
        The names of the classes and functions that it is in, and its own.
    kind
        What is declared.
    start
        Where the name begins.
    node
        The whole declaration.
    parameters
        The list of parameters of a function or method.
    owner
        The class that it is a member of; "" outside one.
    bases
        The last names of what a class is derived from.
    """

    path: tuple[str, ...]
    kind: DeclarationKind
    start: int
    node: Node
    parameters: Node | None = None
    owner: str = ""
    bases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What is declared."""
        return self.path[-1]

    @property
    def is_member(self) -> bool:
        """Whether it is one of a class."""
        return self.kind in {"method", "attribute"}


def declarations(tree: SourceTree) -> dict[tuple[str, ...], Declaration]:
    """What a file declares once, by path; of an attribute the first place that sets it counts."""
    found = dict[tuple[str, ...], Declaration]()
    count = Counter[tuple[str, ...]]()
    for one in sorted(_declared(tree), key=lambda each: each.start):
        set_again = one.kind in {"attribute", "variable"} and one.path in found and one.kind == found[one.path].kind
        count[one.path] += not set_again
        found.setdefault(one.path, one)
    return {path: one for path, one in found.items() if count[path] == 1}


def _declared(tree: SourceTree) -> Iterator[Declaration]:
    syntax = FUNCTIONS[tree.language]
    waiting: list[tuple[Node, tuple[str, ...], str, bool]] = [(tree.root, (), "", False)]
    while waiting:
        node, path, owner, in_function = waiting.pop()
        name, is_class = node.child_by_field_name("name"), node.type in syntax.classes | TYPES
        if name is not None and (is_class or node.type in syntax.functions | METHODS):
            path = (*path, tree.text(name))
            listed = None if is_class else node.child_by_field_name("parameters")
            kind: DeclarationKind = "class" if is_class else "method" if owner else "function"
            yield Declaration(path, kind, tree.start(name), node, listed, owner, tuple(_bases(tree, node, is_class)))
            owner, in_function = path[-1] if is_class else "", not is_class
        elif (target := _target(node)) is not None:
            yield from _set(tree, node, target, path, owner, in_function)
        waiting += ((child, path, owner, in_function) for child in node.named_children)


def _target(node: Node) -> Node | None:
    """What an assignment or a declaration of a variable or field sets."""
    if node.type == "assignment":
        return node.child_by_field_name("left")
    return node.child_by_field_name("name") if node.type in FIELDS | {"variable_declarator"} else None


def _set(
    tree: SourceTree, node: Node, target: Node, path: tuple[str, ...], owner: str, in_function: bool
) -> Iterator[Declaration]:
    if target.type == "attribute":  # self.name, in a method
        parts = target.child_by_field_name("object"), target.child_by_field_name("attribute")
        if parts[0] is not None and parts[1] is not None and tree.text(parts[0]) in RECEIVERS and len(path) > 1:
            own = (*path[:-1], tree.text(parts[1]))
            yield Declaration(own, "attribute", tree.start(parts[1]), node, owner=path[-2])
    elif "identifier" in target.type and not in_function:
        value = node.child_by_field_name("value")
        listed = value.child_by_field_name("parameters") if value is not None and "function" in value.type else None
        kind: DeclarationKind = "attribute" if owner else "variable"
        if listed is not None:
            kind = "method" if owner else "function"
        yield Declaration((*path, tree.text(target)), kind, tree.start(target), node, listed, owner)


def _bases(tree: SourceTree, node: Node, is_class: bool) -> Iterator[str]:
    if not is_class:
        return
    listed = node.child_by_field_name("superclasses")
    waiting = list(listed.named_children) if listed is not None else [n for n in node.children if "herit" in n.type]
    waiting += [n for n in node.children if n.type == "extends_type_clause"]
    while waiting:
        one = waiting.pop()
        if one.type == "keyword_argument":
            continue
        if "clause" in one.type or one.type in {"class_heritage", "subscript", "generic_type"}:
            waiting += one.named_children[: None if "clause" in one.type or "herit" in one.type else 1]
        else:
            yield tree.text(one).rpartition(".")[2]
