"""What nodes of Python's syntax tree say about names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from guiderail.text.syntax import SlowTextError

if TYPE_CHECKING:
    from tree_sitter import Node

# Calls that make a class, by the index of the argument that names its members.
MAKERS = {
    "Enum": 1, "IntEnum": 1, "StrEnum": 1, "Flag": 1, "IntFlag": 1, "namedtuple": 1, "NamedTuple": 1, "TypedDict": 1,
    "make_dataclass": 1, "create_model": None, "make_class": 1, "type": 2, "new_class": 3,
}  # fmt: skip
QUERY = """
(class_definition) @it (function_definition) @it (call) @it (assignment) @it (augmented_assignment) @it
(import_statement) @it (import_from_statement) @it (attribute) @it (for_statement) @it (with_item) @it
(delete_statement) @it (named_expression) @it (lambda) @it
"""
T = TypeVar("T")
LONGEST = 4_000  # bytes of a node that are looked at
DEEPEST = 30  # parts of a dotted name
_LITERALS = frozenset({"string", "concatenated_string", "integer", "float", "true", "false", "none", "unary_operator"})


def words(node: Node | None, depth: int = 0) -> str:
    """A dotted name without type arguments, with ``()`` after it for a call; empty if it is something else, or long."""
    if node is None or depth > DEEPEST:
        return ""
    if node.type == "identifier":
        return text_of(node)
    if node.type == "attribute":
        front = words(node.child_by_field_name("object"), depth + 1)
        return f"{front}.{text_of(node.child_by_field_name('attribute'))}" if front else ""
    if node.type == "subscript":
        return words(node.child_by_field_name("value"), depth + 1)
    if node.type == "call":
        called = words(node.child_by_field_name("function"), depth + 1)
        return f"{called}()" if called else ""
    return ""


def text_of(node: Node | None) -> str:
    """The text of a node; empty if there is none, or a long one."""
    if node is None or node.end_byte - node.start_byte > LONGEST or node.text is None:
        return ""
    return node.text.decode(errors="replace")


def is_decorated(function: Node, name: str) -> bool:
    """Whether a function has a decorator of a built-in name."""
    around = function.parent
    if around is None or around.type != "decorated_definition":
        return False
    return any(text_of(one).startswith(f"@{name}") for one in around.named_children)


def import_names(node: Node) -> tuple[str, str]:
    """What is imported, and as what, if it gets another name."""
    if node.type == "aliased_import":
        return text_of(node.child_by_field_name("name")), text_of(node.child_by_field_name("alias"))
    return (text_of(node), "") if node.type == "dotted_name" else ("", "")


def receiver_of(holder: Node) -> str:
    """What ``x.__dict__``, ``vars(x)`` and ``type(x)`` are about."""
    if holder.type == "attribute":
        return words(holder.child_by_field_name("object"))
    arguments = holder.child_by_field_name("arguments") if holder.type == "call" else None
    return words(arguments.named_children[0]) if arguments is not None and arguments.named_children else ""


def is_namespace(node: Node) -> bool:
    """Whether it is a dictionary of names: ``x.__dict__``, ``vars(x)``, ``globals()``."""
    if node.type == "attribute":
        return text_of(node.child_by_field_name("attribute")) == "__dict__"
    return node.type == "call" and words(node.child_by_field_name("function")) in ("vars", "globals", "locals")


def is_own_dict(node: Node) -> bool:
    return node.type == "attribute" and text_of(node.child_by_field_name("attribute")) == "__dict__"


def is_item(base: Node, is_known: Callable[[str], bool]) -> bool:
    """Whether a base is an item of something, and no generic class with its arguments: those are known names."""
    value, item = base.child_by_field_name("value"), base.child_by_field_name("subscript")
    if base.type != "subscript" or value is None or item is None:
        return False
    return item.type == "integer" or (value.type == "identifier" and not is_known(text_of(value)))


def is_of_this_module(node: Node | None) -> bool:
    """Whether it is ``sys.modules[__name__]``."""
    return (
        node is not None and node.type == "subscript" and text_of(node.child_by_field_name("subscript")) == "__name__"
    )


def value_of(node: Node) -> Node:
    """The value of an argument."""
    return (node.child_by_field_name("value") or node) if node.type == "keyword_argument" else node


def is_computed(node: Node) -> bool:
    """Whether a call makes a class whose members the text does not show."""
    if node.type != "call":
        return False
    function = words(node.child_by_field_name("function")).rpartition(".")[2]
    if function not in MAKERS:
        return False
    at, arguments = MAKERS[function], node.child_by_field_name("arguments")
    given = [one for one in arguments.named_children if one.type != "comment"] if arguments is not None else []
    if at is None or function in ("type", "new_class"):
        return True
    named = next(
        (value_of(one) for one in given if text_of(one.child_by_field_name("name")) in ("names", "field_names")), None
    )
    if any(one.type in ("list_splat", "dictionary_splat") for one in given):
        return True
    return not all(_shows_names(one) for one in ([named] if named is not None else given[at : at + 1]))


def _shows_names(node: Node) -> bool:
    """Whether an argument names all members: a string, strings or pairs that begin with one, keys."""
    items = [one for one in node.named_children if one.type != "comment"]
    if node.type in ("list", "tuple", "set"):
        return all(_is_literal(one.named_children[0] if one.type in ("tuple", "list") and one.named_children else one)
                   for one in items)  # fmt: skip
    if node.type == "dictionary":
        keys = [one.child_by_field_name("key") for one in items]
        return all(key is not None and _is_literal(key) for key in keys)
    return _is_literal(node) or node.type == "keyword_argument"


def _is_literal(node: Node) -> bool:
    """Whether a value is written out."""
    if node.type == "string":
        return all(one.type != "interpolation" for one in node.named_children)
    return node.type in _LITERALS


def string(node: Node | None) -> str | None:
    """The text of a plain string."""
    if node is None or node.type != "string" or not _is_literal(node):
        return None
    return "".join(text_of(one) for one in node.named_children if one.type == "string_content")


def strings(node: Node) -> Iterator[str]:
    """The plain strings in a list, a tuple, the keys of a dictionary, or one by itself."""
    if node.type == "string":
        text = string(node)
        yield from [text] if text else []
    elif node.type in ("list", "tuple", "set", "dictionary", "pair", "parenthesized_expression"):
        key = node.child_by_field_name("key")
        for one in [key] if key is not None else node.named_children:
            yield from strings(one)


def in_time(parts: Iterable[T], end: float) -> Iterator[T]:
    """The parts themselves; raises SlowTextError once this thread's time is past the end."""
    for part in parts:
        if time.thread_time() > end:
            raise SlowTextError
        yield part
