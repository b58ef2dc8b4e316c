"""The parameters of a method that overrides one whose parameters changed."""

from __future__ import annotations

import builtins

from tree_sitter import Node

from guiderail.next_edit.calls import LeftAloneError
from guiderail.next_edit.signatures import Signature, SignatureChange
from guiderail.next_edit.source_tree import SourceTree
from guiderail.text.edit import Edit

BUILTIN = frozenset(dir(builtins))


def followed(tree: SourceTree, own: Signature, declared: SourceTree, change: SignatureChange) -> Edit | None:
    """What gives an override the parameters that the method has now, its own annotations and defaults kept.

    Parameters
    ----------
    tree, own
        The override.
    declared, change
        The file in which the method is, as it is now, and how its parameters changed.

    Raises
    ------
    LeftAloneError
        It takes other parameters than the method did, or a comment would be lost.
    """
    new = [now for now, origin in zip(change.after.parameters, change.origins, strict=True) if origin is None]
    if own.shape == change.after.shape or any(one.kind in {"rest", "keywords"} for one in new):
        return None  # an override may well do without what takes any number
    if own.shape != change.before.shape:
        raise LeftAloneError("the override takes other parameters")
    listed, model = _listed(tree, own), _listed(declared, change.after)
    if listed is None or model is None or any("comment" in node.type for node in listed.named_children):
        raise LeftAloneError("its parameters cannot be told apart")
    nodes, items = _parameters(listed), list[str]()
    receiver, number = int(own.is_bound), 0
    for at, node in enumerate(one for one in model.named_children if "comment" not in one.type):
        if node.type.endswith("_separator"):
            items.append(declared.text(node))
        elif at < receiver:
            items.append(tree.text(nodes[at]))
        else:
            items.append(_item(tree, nodes, declared, node, change, number, receiver))
            number += 1
    return _edit(tree, listed, items)


def _listed(tree: SourceTree, signature: Signature) -> Node | None:
    name = tree.name_at(signature.start)
    return name.parent.child_by_field_name("parameters") if name is not None and name.parent is not None else None


def _parameters(listed: Node) -> list[Node]:
    return [node for node in listed.named_children if not node.type.endswith("_separator")]


def _item(
    tree: SourceTree, nodes: list[Node], declared: SourceTree, node: Node, change: SignatureChange, at: int, skip: int
) -> str:
    """A parameter of the override: as it has it, or as the method has it if that is new or has another default."""
    origin, now = change.origins[at], change.after.parameters[at]
    if origin is None or change.before.parameters[origin].is_optional != now.is_optional:
        return _new(tree, declared, node)
    text, name = tree.text(nodes[origin + skip]), change.before.parameters[origin].name
    return text.replace(name, now.name, 1)


def _new(tree: SourceTree, declared: SourceTree, node: Node) -> str:
    """A parameter as it is declared, without an annotation of names that the override's file does not have."""
    kind, value = node.child_by_field_name("type"), node.child_by_field_name("value")
    if kind is None or tree is declared:
        return declared.text(node)
    known = {token.text for token in tree.tokens if token.is_name}
    names = {one.text for one in declared.tokens_in(declared.start(kind), declared.end(kind)) if one.is_name}
    if names <= known | BUILTIN:
        return declared.text(node)
    name = declared.text(node)[: declared.start(kind) - declared.start(node)].rstrip().removesuffix(":").rstrip()
    return name if value is None else f"{name}={declared.text(value)}"


def _edit(tree: SourceTree, listed: Node, items: list[str]) -> Edit:
    """The list with other parameters; what was between them and around stays."""
    nodes, text = listed.named_children, tree.document.text
    if not nodes:
        return Edit(tree.start(listed) + 1, tree.end(listed) - 1, ", ".join(items))
    between = text[tree.end(nodes[0]) : tree.start(nodes[1])] if len(nodes) > 1 else ", "
    return Edit(tree.start(nodes[0]), tree.end(nodes[-1]), between.join(items))
