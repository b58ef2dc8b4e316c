"""Which names a text shows where it sets or answers them by their text: not every computed name is an unknown one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guiderail.monitors.runtime.nodes import MAKERS, is_namespace, receiver_of, string, text_of, value_of, words
from guiderail.text.syntax import find

if TYPE_CHECKING:
    from tree_sitter import Node

NO_NAMES: frozenset[str] = frozenset()
MOST_AROUND = 40  # nodes around a name that are looked at
MOST_USES = 200  # of a parameter
# What these methods set by name was there when the object was copied or stored.
RESTORING = frozenset({"__setstate__", "__copy__", "__deepcopy__", "__reduce__", "__reduce_ex__"})
_COLLECTIONS = frozenset({"list", "tuple", "set", "dictionary"})
_WRAPPERS = frozenset({"list", "tuple", "set", "frozenset", "sorted", "dict", "copy", "deepcopy", "reversed"})
_VIEWS = frozenset({"items", "keys", "copy"})
_MADE_OF_ANY = frozenset({"type", "new_class"})
_UNPACKED = frozenset({"list_splat", "dictionary_splat"})
_OWN_NAMES = frozenset({"__slots__", "__annotations__", "__dataclass_fields__", "_fields"})
# What asks a class's base, and what only tells.
_HARMLESS = frozenset({"warnings.warn()", "warn()", "super().__getattr__()", "super().__getattribute__()",
                       "object.__getattribute__()"})  # fmt: skip
LARGEST = 20_000  # bytes of a function that is read
IDENTIFIERS = "(identifier) @it"
Tables = Mapping[str, "Node"]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known where names are set.

    Parameters
    ----------
    is_own
        Whether a text means an object of the class, or the class.
    tables
        The collections that names of the top level are bound to.
    names
        The text of a dictionary whose keys are members already.
    """

    is_own: Callable[[str], bool] = lambda _: False
    tables: Tables = field(default_factory=dict)
    names: str = ""


def names_of(key: Node | None, receiver: str, known: Known) -> frozenset[str] | None:
    """The names that a key may be, beside those that objects of the class have already; None if it may be any.

    Parameters
    ----------
    key
        What stands for the name.
    receiver
        The text of the object that gets the member.
    known
        What is known there.
    """
    if key is None or key.type != "identifier":
        literal = string(key)
        return None if literal is None else frozenset([literal])
    name, is_bound = text_of(key), False
    for around in _around(key):
        is_loop = around.type == "for_statement" and not is_bound
        if is_loop and _binds_first(around.child_by_field_name("left"), name):
            names, is_bound = _looped(around.child_by_field_name("right"), known), True
            if names is not None:
                return names
        if around.type == "function_definition":
            called = text_of(around.child_by_field_name("name"))
            parameters = around.child_by_field_name("parameters")
            if called == "__setattr__" and not is_bound and name in parameters_of(parameters)[1:]:
                return NO_NAMES  # the statement that sets it shows the name
            return NO_NAMES if receiver and _is_read_before(key, receiver, around) else None
    return None


def _is_read_before(key: Node, receiver: str, function: Node) -> bool:
    """Whether a function reads the member that it sets: then it exists already."""
    text, name = text_of(function), re.escape(text_of(key))
    if "AttributeError" in text:
        return False
    before = text.encode()[: key.start_byte - function.start_byte].decode(errors="replace")
    return re.search(rf"\bgetattr\(\s*{re.escape(receiver)}\s*,\s*{name}\s*\)", before) is not None


def names_given(value: Node | None, known: Known) -> frozenset[str] | None:
    """The names that a dictionary brings which is merged into an object's own; None if it may be any."""
    made = _unwrapped(value)
    if made is None:
        return None
    if made.type == "keyword_argument":
        return frozenset([text_of(made.child_by_field_name("name"))])
    if is_namespace(made):
        return NO_NAMES if known.is_own(receiver_of(made)) else None
    parts = [one for one in made.named_children if one.type != "comment"]
    return together(_of_part(one, known) for one in parts) if made.type == "dictionary" else None


def _unwrapped(node: Node | None) -> Node | None:
    """What is copied, or gone over: ``d`` of ``dict(d)``, ``d.copy()``, ``list(d.items())``."""
    while node is not None and node.type == "call":
        function, given = node.child_by_field_name("function"), _given(node)
        method = function if function is not None and function.type == "attribute" else None
        if method is not None and not given and text_of(method.child_by_field_name("attribute")) in _VIEWS:
            node = method.child_by_field_name("object")
        elif words(function).rpartition(".")[2] in _WRAPPERS and given and (len(given) == 1 or method is None):
            node = given[0] if len(given) == 1 else None
        else:
            break
    return node


def names_made(call: Node, tables: Tables) -> frozenset[str] | None:
    """The members of the class that a call makes, such as ``Enum("Colour", NAMES)``; None if not all are shown."""
    function, given = words(call.child_by_field_name("function")).rpartition(".")[2], _given(call)
    at, named = MAKERS.get(function), {text_of(one.child_by_field_name("name")): value_of(one) for one in given}
    if at is None or function in _MADE_OF_ANY or any(one.type in _UNPACKED for one in given):
        return None
    by_place = [one for one in given if one.type != "keyword_argument"][at : at + 1]
    by_name = [named[key] for key in ("names", "field_names", "fields") if key in named]
    listed = next(iter((*by_name, *by_place)), None)
    if listed is None:
        return frozenset(named)
    text = string(listed)
    return _shown(listed, tables) if text is None else frozenset(text.replace(",", " ").split())


def names_answered(function: Node, tables: Tables) -> frozenset[str] | None:
    """The names that a ``__getattr__`` answers, where its text shows them; None if it may answer any."""
    parameters = parameters_of(function.child_by_field_name("parameters"))
    body = function.child_by_field_name("body")
    if not parameters or body is None or function.end_byte - function.start_byte > LARGEST or not _ends(body):
        return None
    name = parameters[-1]
    uses = [one for one in find(body, "python", IDENTIFIERS) if text_of(one) == name]
    compared = {one.id: _compared(one, tables) for one in uses}
    returns = find(body, "python", "(return_statement) @it (yield) @it")
    unknown = [one for one in (*uses, *returns) if compared.get(one.id) is None]
    if len(uses) > MOST_USES or not all(_is_settled(one, name, tables) for one in unknown):
        return None
    return NO_NAMES.union(*(names for names in compared.values() if names))


def _ends(body: Node) -> bool:
    """Whether a block ends by raising or returning."""
    last = next((one for one in reversed(body.named_children) if one.type != "comment"), None)
    if last is None or last.type != "if_statement":
        return last is not None and last.type in ("raise_statement", "return_statement")
    other = last.named_children[-1].child_by_field_name("body")
    return last.named_children[-1].type == "else_clause" and other is not None and _ends(other)


def _compared(use: Node, tables: Tables) -> frozenset[str] | None:
    """The names that a name is compared with."""
    around = use.parent
    if around is None or around.type != "comparison_operator" or len(around.named_children) != 2:
        return None
    other = next(one for one in around.named_children if one != use)
    return _meant(other, tables)


def _meant(node: Node, tables: Tables) -> frozenset[str] | None:
    """The names that a comparison is with: one, or those of a collection."""
    one = string(node)
    is_text = node.parent is not None and "in" in text_of(node.parent.child_by_field_name("operators")).split()
    return _shown(node, tables) if one is None else None if is_text else frozenset([one])


def _is_settled(use: Node, name: str, tables: Tables) -> bool:
    """Whether a use of a name is of one that was compared before, or only tells of it."""
    below = use
    for around in (use, *_around(use)):
        if around.type == "raise_statement" or (around.type == "call" and words(around) in _HARMLESS):
            return True
        if around.type == "return_statement" and around.named_children and words(around.named_children[0]) in _HARMLESS:
            return True
        if around.type in ("if_statement", "elif_clause") and below == around.child_by_field_name("consequence"):
            condition = around.child_by_field_name("condition")
            if condition is not None and _is_met(condition, name, tables):
                return True
        if around.type == "block" and any(_leaves(one, name, tables) for one in _before(around, below)):
            return True
        if around.type == "function_definition":
            return False
        below = around
    return False


def _is_met(condition: Node, name: str, tables: Tables) -> bool:
    """Whether a condition holds only for names that it shows."""
    if condition.type == "boolean_operator" and text_of(condition.child_by_field_name("operator")) == "and":
        return any(_is_met(one, name, tables) for one in condition.named_children)
    return _operator(condition, name, tables) in ("==", "in")


def _leaves(statement: Node, name: str, tables: Tables) -> bool:
    """Whether a statement ends the function for all names that it does not show."""
    condition, body = statement.child_by_field_name("condition"), statement.child_by_field_name("consequence")
    if statement.type != "if_statement" or condition is None or body is None or not body.named_children:
        return False
    is_missed = _operator(condition, name, tables) in ("!=", "not in")
    return is_missed and body.named_children[-1].type == "raise_statement"


def _operator(condition: Node, name: str, tables: Tables) -> str:
    """How a condition compares a name with names that the text shows; empty if it does not."""
    if condition.type != "comparison_operator" or len(condition.named_children) != 2:
        return ""
    left, right = condition.named_children
    other = left if text_of(right) == name and string(left) is not None else right
    if name not in map(text_of, (left, right)) or _meant(other, tables) is None:
        return ""
    return " ".join(text_of(condition.child_by_field_name("operators")).split())


def _before(block: Node, below: Node) -> Iterator[Node]:
    for one in block.named_children:
        if one == below:
            return
        yield one


def _looped(right: Node | None, known: Known) -> frozenset[str] | None:
    """The names that a loop goes over, beside those that objects have; None if it may be any."""
    node = _unwrapped(right)
    if node is None:
        return None
    owner, _, listing = words(node).rpartition(".")
    if node.type == "call" and words(node) in ("dir()", "fields()", "dataclasses.fields()") and _given(node):
        is_own = known.is_own(text_of(_given(node)[0]))
    elif is_namespace(node):
        is_own = known.is_own(receiver_of(node))
    else:
        is_names = bool(known.names) and text_of(node) == known.names
        is_own = known.is_own(owner) if listing in _OWN_NAMES else is_names
    return NO_NAMES if is_own else _shown(node, known.tables)


def _shown(node: Node, tables: Tables) -> frozenset[str] | None:
    """The strings that a collection holds, if it is written out; None if it is not."""
    if node.type == "identifier" and text_of(node) in tables:
        node = tables[text_of(node)]
    made = _unwrapped(node)
    if made is None or made.type not in _COLLECTIONS:
        return None
    firsts = [_first(one) for one in made.named_children if one.type != "comment"]
    return frozenset(name for name in firsts if name) if None not in firsts else None


def _first(part: Node) -> str | None:
    """The string that an entry of a collection is, or begins with."""
    if part.type == "pair":
        return string(part.child_by_field_name("key"))
    if part.type in ("tuple", "list") and part.named_children:
        return string(part.named_children[0])
    return string(part)


def _of_part(part: Node, known: Known) -> frozenset[str] | None:
    """The name that a pair of a dictionary brings, or those of a dictionary that is unpacked in it."""
    if part.type == "dictionary_splat":
        return names_given(part.named_children[0] if part.named_children else None, known)
    name = string(part.child_by_field_name("key"))
    return None if name is None else frozenset([name])


def together(found: Iterator[frozenset[str] | None]) -> frozenset[str] | None:
    """All names together; None if a part is not known."""
    parts = list(found)
    known = [one for one in parts if one is not None]
    return NO_NAMES.union(*known) if len(known) == len(parts) else None


def _given(call: Node) -> list[Node]:
    arguments = call.child_by_field_name("arguments")
    return [one for one in arguments.named_children if one.type != "comment"] if arguments is not None else []


def parameters_of(node: Node | None) -> list[str]:
    """The names of a function's parameters."""
    found = node.named_children if node is not None else []
    return [re.split(r"[:=]", text_of(one))[0].strip(" *") for one in found if one.type != "comment"]


def _binds_first(left: Node | None, name: str) -> bool:
    """Whether a loop's target binds a name to each item, or to the first part of each."""
    if left is None:
        return False
    first = left.named_children[0] if left.type in ("pattern_list", "tuple_pattern") and left.named_children else left
    return first.type == "identifier" and text_of(first) == name


def _around(node: Node) -> Iterator[Node]:
    """The nodes around a node, the innermost first."""
    around = node.parent
    for _ in range(MOST_AROUND):
        if around is None:
            return
        yield around
        around = around.parent
