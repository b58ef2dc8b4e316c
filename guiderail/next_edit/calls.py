"""Rewrites the arguments of a call for a function whose parameters changed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from tree_sitter import Node

from guiderail.next_edit.signatures import Parameter, Signature, SignatureChange
from guiderail.next_edit.source_tree import SourceTree
from guiderail.text.edit import Edit
from guiderail.text.languages.table import FUNCTIONS


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a call.

    Parameters
    ----------
    text
        The value alone.
    parameter
        The index of the parameter that it is for.
    by_keyword
        Whether its name is written before it.
    """

    text: str
    parameter: int
    by_keyword: bool


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A call's new arguments.

    Parameters
    ----------
    edit
        What changes.
    missing
        The parameters without an argument that need one; in the edit each has its name in the place of a value.
    """

    edit: Edit
    missing: tuple[Parameter, ...]


def call_of(tree: SourceTree, name: Node) -> Node | None:
    """The call of what a name names; None where it is not called."""
    syntax = FUNCTIONS[tree.language]
    called, outer = name, name.parent
    if outer is not None and outer.type in syntax.members:
        if outer.child_by_field_name(syntax.members[outer.type]) != name:
            return None
        called, outer = outer, outer.parent
    if outer is None or outer.type not in syntax.calls:
        return None
    return outer if outer.child_by_field_name(syntax.calls[outer.type]) == called else None


def rewritten(tree: SourceTree, call: Node, change: SignatureChange) -> Rewritten | None:
    """The call with the arguments that it needs now; None where nothing changes, or it cannot be told what."""
    listed = call.child_by_field_name("arguments")
    if listed is None or _is_unbound(tree, call, change.before):
        return None
    found = _arguments(tree, listed, change.before)
    if found is None:
        return None
    wanted, missing = _wanted(found, change)
    edit = _edit(tree, listed, found, wanted, change) if wanted is not None else None
    return Rewritten(edit, missing) if edit is not None and not _loses_comment(tree, listed, edit) else None


def _loses_comment(tree: SourceTree, listed: Node, edit: Edit) -> bool:
    """Whether a comment among the arguments would be gone."""
    comments = (node for node in listed.named_children if "comment" in node.type)
    return any(edit.start < tree.end(node) <= edit.end and tree.text(node) not in edit.text for node in comments)


def _is_unbound(tree: SourceTree, call: Node, signature: Signature) -> bool:
    """Whether a method is called on its class, so that the receiver is an argument; or this cannot be told."""
    if not signature.is_bound or signature.is_constructor:
        return False
    called = call.child_by_field_name(FUNCTIONS[tree.language].calls[call.type])
    receiver = called.named_children[0] if called is not None and called.named_child_count > 1 else None
    return receiver is None or tree.text(receiver).rpartition(".")[2] == signature.path[-2]


def _values(listed: Node) -> list[Node]:
    return [node for node in listed.named_children if "comment" not in node.type]


def _arguments(tree: SourceTree, listed: Node, signature: Signature) -> list[Argument] | None:
    """The arguments in order, each with its parameter; None if one cannot be told."""
    syntax, found = FUNCTIONS[tree.language], list[Argument]()
    names = {one.name: index for index, one in enumerate(signature.parameters)}
    by_position = [index for index, one in enumerate(signature.parameters) if one.kind in {"positional", "either"}]
    for number, node in enumerate(_values(listed)):
        if node.type in syntax.spreads or listed.type == "generator_expression":
            return None
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if node.type == syntax.keyword and name is not None and value is not None:
            if (index := names.get(tree.text(name))) is None:
                return None
            found.append(Argument(tree.text(value), index, by_keyword=True))
        elif number < len(by_position):
            found.append(Argument(tree.text(node), by_position[number], by_keyword=False))
        else:
            return None
    return found


def _wanted(
    found: list[Argument], change: SignatureChange
) -> tuple[list[tuple[str, str]] | None, tuple[Parameter, ...]]:
    """The arguments of the new call, each with the keyword that it needs, or ""; and the parameters without a value.

    None where a parameter that takes no keyword would come after one that is left out.
    """
    given = {argument.parameter: argument for argument in found}
    wanted, missing, only_keywords = list[tuple[str, str]](), list[Parameter](), False
    for parameter, origin in zip(change.after.parameters, change.origins, strict=True):
        argument = given.get(origin) if origin is not None else None
        if parameter.kind in {"rest", "keywords"}:
            continue
        if argument is None and parameter.is_optional:
            only_keywords = True
            continue
        if parameter.kind == "positional" and only_keywords:
            return None, ()
        if argument is None:
            missing.append(parameter)
        was_keyword = argument is not None and argument.by_keyword and parameter.kind != "positional"
        only_keywords = only_keywords or parameter.kind == "keyword" or was_keyword
        wanted.append((argument.text if argument else parameter.name, parameter.name if only_keywords else ""))
    return _as_written(found, wanted, change), tuple(missing)


def _as_written(found: list[Argument], wanted: list[tuple[str, str]], change: SignatureChange) -> list[tuple[str, str]]:
    """Arguments given by keyword in the order in which they were given: it is the author's."""
    order = {change.before.parameters[one.parameter].name: number for number, one in enumerate(found)}
    renamed = {
        after.name: change.before.parameters[origin].name
        for after, origin in zip(change.after.parameters, change.origins, strict=True)
        if origin is not None
    }
    by_position = [one for one in wanted if not one[1]]
    by_keyword = [one for one in wanted if one[1]]
    return by_position + sorted(by_keyword, key=lambda one: order.get(renamed.get(one[1], ""), len(order)))


def _edit(
    tree: SourceTree, listed: Node, found: list[Argument], wanted: list[tuple[str, str]], change: SignatureChange
) -> Edit | None:
    """What turns the arguments into the wanted ones; what is between them stays as it is."""
    names = [change.before.parameters[one.parameter].name if one.by_keyword else "" for one in found]
    old = [f"{name}={one.text}" if name else one.text for name, one in zip(names, found, strict=True)]
    new = [f"{keyword}={text}" if keyword else text for text, keyword in wanted]
    kept = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    if old == new:
        return None
    nodes, text = _values(listed), tree.document.text
    between = [text[tree.end(a) : tree.start(b)] for a, b in pairwise(nodes)]
    separator = between[-1] if between and "#" not in between[-1] and "//" not in between[-1] else ", "
    start = tree.start(nodes[kept]) if kept < len(nodes) else tree.end(nodes[-1]) if nodes else tree.start(listed) + 1
    end = tree.end(nodes[-1]) if nodes else start
    parts = new[kept:]
    if not parts:  # what is before the first that goes, goes too
        start = tree.end(nodes[kept - 1]) if kept else start
        return Edit(start, end, "")
    lead = separator if kept >= len(nodes) and nodes else ""
    joined = lead + parts[0]
    for number, part in enumerate(parts[1:], start=kept):
        joined += (between[number] if number < len(between) else separator) + part
    return Edit(start, end, joined)
