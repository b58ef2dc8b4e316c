"""Whether a metaclass gives its classes other names than their bodies have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guiderail.monitors.runtime.nodes import string, text_of, words
from guiderail.monitors.runtime.shown_names import (
    IDENTIFIERS,
    LARGEST,
    MOST_USES,
    NO_NAMES,
    Known,
    names_of,
    parameters_of,
)
from guiderail.text.syntax import find

if TYPE_CHECKING:
    from tree_sitter import Node

MAKING = '(attribute attribute: (identifier) @it (#match? @it "^__(call|new)__$"))'
NAMESPACE = 3  # the parameter of ``__new__`` that holds the names of the class's body
_MAKERS = frozenset({"__new__", "__call__", "__prepare__"})
_READING = frozenset({"get", "items", "keys", "values", "copy", "pop", "__contains__"})
_MAKING = frozenset({"__new__", "__init__", "__init_subclass__"})
_PLAIN = frozenset({"len", "isinstance", "list", "sorted", "set", "tuple", "iter", "any", "all", "bool", "print"})


def added_names(function: Node) -> frozenset[str] | None:
    """The names that a metaclass's method gives a class beside those of its body; None if it may give any.

    It may where ``__new__`` does not hand on the names that it was given, or adds some that the text does not show,
    where ``__call__`` returns what it did not make by the class, and where there is a ``__prepare__``.
    """
    name, body = text_of(function.child_by_field_name("name")), function.child_by_field_name("body")
    if name not in _MAKERS:
        return NO_NAMES
    if body is None or function.end_byte - function.start_byte > LARGEST or name == "__prepare__":
        return None
    if name == "__call__":
        returns = find(body, "python", "(return_statement) @it")
        return None if returns and not find(body, "python", MAKING) else NO_NAMES
    parameters = parameters_of(function.child_by_field_name("parameters"))
    namespace = parameters[NAMESPACE] if len(parameters) > NAMESPACE else ""
    uses = [one for one in find(body, "python", IDENTIFIERS) if text_of(one) == namespace]
    if not any(map(_is_passed, uses)) or len(uses) > MOST_USES or not all(map(_only_reads, uses)):
        return None
    keys = [_key(one) for one in uses]
    return frozenset(key for one in keys if (key := string(one)))


def _key(use: Node) -> Node | None:
    """What a class's names are asked for, or set, by a use of them."""
    around = use.parent
    if around is not None and around.type == "attribute" and around.parent is not None:
        given = around.parent.child_by_field_name("arguments")
        return given.named_children[0] if given is not None and given.named_children else None
    return around.child_by_field_name("subscript") if around is not None else None


def _only_reads(use: Node) -> bool:
    """Whether a use of a class's names adds none that the text does not show."""
    around = use.parent
    if around is None:
        return False
    known = Known(names=text_of(use))
    if around.type == "attribute":
        method = text_of(around.child_by_field_name("attribute"))
        return method in _READING or (method == "setdefault" and names_of(_key(use), "", known) is not None)
    if around.type == "subscript":
        return not _is_target(around) or names_of(_key(use), "", known) is not None
    if around.type == "argument_list":
        call = around.parent
        return _is_passed(use) or (call is not None and words(call.child_by_field_name("function")) in _PLAIN)
    return around.type in ("comparison_operator", "for_statement", "for_in_clause", "boolean_operator")


def _is_passed(use: Node) -> bool:
    """Whether it is an argument of what makes the class."""
    call = use.parent.parent if use.parent is not None and use.parent.type == "argument_list" else None
    function = call.child_by_field_name("function") if call is not None else None
    return function is not None and (words(function) == "type" or words(function).rpartition(".")[2] in _MAKING)


def _is_target(node: Node) -> bool:
    around = node.parent
    return (
        around is not None
        and around.type in ("assignment", "augmented_assignment")
        and (around.child_by_field_name("left") == node)
    )
