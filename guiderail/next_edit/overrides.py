"""The parameters of a method that overrides one whose parameters changed."""

from __future__ import annotations

from tree_sitter import Node

from guiderail.next_edit.calls import LeftAloneError
from guiderail.next_edit.signatures import Signature, SignatureChange
from guiderail.next_edit.source_tree import SourceTree
from guiderail.text.edit import Edit


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
    if own.shape == change.after.shape:
        return None
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
        return declared.text(node)
    text, name = tree.text(nodes[origin + skip]), change.before.parameters[origin].name
    return text.replace(name, now.name, 1)


def _edit(tree: SourceTree, listed: Node, items: list[str]) -> Edit:
    """The list with other parameters; what was between them and around stays."""
    nodes, text = listed.named_children, tree.document.text
    if not nodes:
        return Edit(tree.start(listed) + 1, tree.end(listed) - 1, ", ".join(items))
    between = text[tree.end(nodes[0]) : tree.start(nodes[1])] if len(nodes) > 1 else ", "
    return Edit(tree.start(nodes[0]), tree.end(nodes[-1]), between.join(items))
