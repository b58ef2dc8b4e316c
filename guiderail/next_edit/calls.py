"""Rewrites the arguments of a call for a function whose parameters changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tree_sitter import Node

from guiderail.next_edit.signatures import Signature, SignatureChange
from guiderail.next_edit.source_tree import SourceTree
from guiderail.text.edit import Edit
from guiderail.text.languages.table import FUNCTIONS, NODES

EFFECT = re.compile(r"call|new_expression|await|yield|named_expression|.*assignment|update_expression")
LATER = re.compile(r"lambda|arrow_function|function")  # it does something only once it is called
SETS = re.compile(r".*(?:parameters|pattern|pattern_target|pattern_list)")  # what names in it get values
PARTIAL = frozenset({"partial", "partialmethod"})
GAP = re.compile("\0(\\w+)\0")  # in a new text: where a value for a parameter of that name has yet to be written


class LeftAloneError(Exception):
    """A call cannot be rewritten; the message says why, for a person who does it."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a call.

    Parameters
    ----------
    text
        The value alone.
    keyword
        The name before it; "" of one by position.
    parameter
        The index of the earlier parameter that it is for.
    """

    text: str
    keyword: str
    parameter: int

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.keyword}={self.text}" if self.keyword else self.text


def call_of(tree: SourceTree, name: Node) -> Node | None:
    """The call of what a name names; None where it is not called."""
    syntax, members = FUNCTIONS[tree.language], NODES[tree.language].members
    called, outer = name, name.parent
    if outer is not None and outer.type in members:
        if outer.child_by_field_name(members[outer.type]) != name:
            return None
        called, outer = outer, outer.parent
    if outer is None or outer.type not in syntax.calls:
        return None
    return outer if outer.child_by_field_name(syntax.calls[outer.type]) == called else None


def use_beside_calls(tree: SourceTree, name: Node, change: SignatureChange) -> str:
    """Why a use that is no call has to be looked at by a person; "" if it has not."""
    outer = name.parent
    is_path = outer is not None and (outer.type in NODES[tree.language].members or outer.type == "dotted_name")
    value = outer if outer is not None and is_path else name
    around = value.parent
    if around is None:
        return ""
    if around.type == "class_pattern" and change.before.is_of_fields:
        return "a pattern may take its fields by position"
    return "partial binds arguments to it" if "argument" in around.type and _is_bound(tree, around, value) else ""


def _is_bound(tree: SourceTree, listed: Node, value: Node) -> bool:
    """Whether a value is the first of the arguments of `partial`, and others come after it."""
    syntax, call = FUNCTIONS[tree.language], listed.parent
    field = syntax.calls.get(call.type) if call is not None else None
    called = call.child_by_field_name(field) if call is not None and field is not None else None
    is_partial = called is not None and tree.text(called).rpartition(".")[2] in PARTIAL
    values = _values(listed)
    return is_partial and values[:1] == [value] and len(values) > 1


def calls_of_own_class(tree: SourceTree, around: Node) -> Iterator[Node]:
    """The calls in a class's methods of the class itself, by a class method's first parameter."""
    for token in tree.tokens_in(tree.start(around), tree.end(around)):
        name = tree.name_at(token.start) if token.text == "cls" and token.is_name else None
        call = call_of(tree, name) if name is not None and name.parent is not None else None
        if name is None or call is None or name.parent != call:
            continue
        outer = [one for one in tree.ancestors(name) if one.type in {"function_definition", "class_definition"}]
        if len(outer) > 1 and outer[1] == around and _is_class_method(tree, outer[0]):
            yield call


def _is_class_method(tree: SourceTree, method: Node) -> bool:
    """Whether `cls` is the class in all of a method: in one of a metaclass it is not, nor where it is set again."""
    outer, listed = method.parent, method.child_by_field_name("parameters")
    around = outer.named_children if outer is not None and outer.type == "decorated_definition" else ()
    if listed is None or "@classmethod" not in (tree.text(one) for one in around if one.type == "decorator"):
        return False
    names = (
        tree.name_at(one.start) for one in tree.tokens_in(tree.start(method), tree.end(method)) if one.text == "cls"
    )
    places = [one.parent for one in names if one is not None and one.parent is not None and _is_set(tree, one)]
    is_first = [tree.text(one) for one in listed.named_children[:1]] == ["cls"]
    return is_first and places == [listed]  # it is set as the parameter alone


def _is_set(tree: SourceTree, name: Node) -> bool:
    """Whether a name gets a value where it stands: that of a parameter, a variable, or what a pattern takes."""
    outer = name.parent
    if outer is None:
        return False
    if outer.type == "typed_parameter" or tree.field(outer, name) in {"left", "alias"}:
        return True
    is_named = tree.field(outer, name) == "name" and outer.type != FUNCTIONS[tree.language].keyword
    return is_named or SETS.fullmatch(outer.type) is not None


def rewritten(tree: SourceTree, call: Node, change: SignatureChange) -> Edit | None:
    """What gives a call the arguments that it needs now; None if it has them.

    The text has a `GAP` for each value that syntax cannot tell.

    Raises
    ------
    LeftAloneError
        It cannot be told what it needs.
    """
    listed = call.child_by_field_name("arguments")
    if listed is None or listed.type == "generator_expression":
        raise LeftAloneError("its arguments cannot be told apart")
    if _may_be_unbound(tree, call, change.before):
        raise LeftAloneError("what it is called on may be an argument")
    found = _arguments(tree, listed, change.before)
    kept = {origin for origin in change.origins if origin is not None}
    if any(one.parameter not in kept and _may_do_something(value) for one, value in _with_nodes(found, listed)):
        raise LeftAloneError("an argument that would be gone may do something")
    edit = _edit(tree, listed, found, _wanted(found, change))
    if edit is not None and _loses_comment(tree, listed, edit):
        raise LeftAloneError("a comment would be lost")
    return edit


def _with_nodes(found: list[Argument], listed: Node) -> Iterator[tuple[Argument, Node]]:
    return zip(found, _values(listed), strict=True)


def _may_do_something(value: Node) -> bool:
    """Whether more happens than that a value is read, so that it makes a difference whether it is written."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if EFFECT.match(node.type):
            return True
        if not LATER.match(node.type):
            waiting += node.named_children
    return False


def keywords(tree: SourceTree, call: Node) -> frozenset[int]:
    """Where the names of a call's own keyword arguments begin."""
    listed, keyword = call.child_by_field_name("arguments"), FUNCTIONS[tree.language].keyword
    named = (
        [node.child_by_field_name("name") for node in listed.named_children if node.type == keyword] if listed else []
    )
    return frozenset(tree.start(name) for name in named if name is not None)


def _may_be_unbound(tree: SourceTree, call: Node, signature: Signature) -> bool:
    """Whether a method may be called on its class, so that the receiver is an argument."""
    if not signature.is_bound or signature.is_of_class:
        return False
    called = call.child_by_field_name(FUNCTIONS[tree.language].calls[call.type])
    if called is None or called.type not in NODES[tree.language].members:
        return not signature.is_constructor
    return tree.text(called.named_children[0]).rpartition(".")[2] == signature.path[-2]


def _values(listed: Node) -> list[Node]:
    return [node for node in listed.named_children if "comment" not in node.type]


def _arguments(tree: SourceTree, listed: Node, signature: Signature) -> list[Argument]:
    """The arguments in order, each with its parameter."""
    syntax, found = FUNCTIONS[tree.language], list[Argument]()
    names = {one.name: index for index, one in enumerate(signature.parameters)}
    by_position = [index for index, one in enumerate(signature.parameters) if one.kind in {"positional", "either"}]
    for number, node in enumerate(_values(listed)):
        if node.type in syntax.spreads:
            raise LeftAloneError("it passes on a number of arguments that cannot be told")
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if node.type == syntax.keyword and name is not None and value is not None:
            if (index := names.get(tree.text(name))) is None:
                raise LeftAloneError("it has an argument for no parameter")
            found.append(Argument(tree.text(value), tree.text(name), index))
        elif number < len(by_position):
            found.append(Argument(tree.text(node), "", by_position[number]))
        else:
            raise LeftAloneError("it has more arguments than parameters")
    return found


def _wanted(found: list[Argument], change: SignatureChange) -> list[str]:
    """The arguments of the new call, as they are written."""
    given, after = {argument.parameter: argument for argument in found}, change.after.parameters
    is_rest = [one.kind in {"rest", "keywords"} for one in after]
    taken = {origin for origin, rest in zip(change.origins, is_rest, strict=True) if not rest}
    if given.keys() - taken and any(is_rest):
        raise LeftAloneError("an argument that is taken no more may be one of the others")
    order = {argument.parameter: number for number, argument in enumerate(found)}
    by_position, by_keyword, only_keywords = list[str](), list[tuple[int, str]](), False
    for parameter, origin in zip(after, change.origins, strict=True):
        argument = given.get(origin) if origin is not None else None
        if parameter.kind in {"rest", "keywords"}:
            continue
        if argument is None and parameter.is_optional:
            only_keywords = True
            continue
        if parameter.kind == "positional" and only_keywords:
            raise LeftAloneError("a parameter before one that takes no keyword is left out")
        was_keyword = argument is not None and bool(argument.keyword) and parameter.kind != "positional"
        only_keywords = only_keywords or parameter.kind == "keyword" or was_keyword
        text = argument.text if argument is not None else f"\0{parameter.name}\0"
        if only_keywords:  # in the author's order, new ones last
            at = order[argument.parameter] if argument is not None else len(order)
            by_keyword.append((at, f"{parameter.name}={text}"))
        else:
            by_position.append(text)
    return by_position + [text for _, text in sorted(by_keyword, key=lambda one: one[0])]


def _edit(tree: SourceTree, listed: Node, found: list[Argument], new: list[str]) -> Edit | None:
    """What turns the arguments into the new ones; what is between them stays as it is."""
    old, nodes, text = [str(one) for one in found], _values(listed), tree.document.text
    if old == new:
        return None
    kept = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    if not new or not old:  # a comma after the last one goes too
        return Edit(tree.start(listed) + 1, tree.end(listed) - 1, ", ".join(new))
    if kept == len(new):
        return Edit(tree.end(nodes[kept - 1]), tree.end(nodes[-1]), "")
    between = [text[tree.end(a) : tree.start(b)] for a, b in pairwise(nodes)]
    if kept == len(old):
        more = "".join((between[-1] if between else ", ") + part for part in new[kept:])
        return Edit(tree.end(nodes[-1]), tree.end(nodes[-1]), more)
    parts = new[kept:]
    joined = parts[0]
    for number, part in enumerate(parts[1:], start=kept):
        joined += (between[number] if number < len(between) else ", ") + part
    return Edit(tree.start(nodes[kept]), tree.end(nodes[-1]), joined)


def _loses_comment(tree: SourceTree, listed: Node, edit: Edit) -> bool:
    """Whether a comment among the arguments would be gone."""
    comments = (node for node in listed.named_children if "comment" in node.type)
    return any(edit.start < tree.end(node) <= edit.end and tree.text(node) not in edit.text for node in comments)
