"""The constructor that a Python class gets from its fields: dataclasses, attrs classes, named tuples, typed dicts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from guiderail.next_edit.parameters import Parameter, ParameterKind
from guiderail.next_edit.source_tree import SourceTree
from guiderail.text.languages.table import PYTHON_STATEMENTS

MAKERS = frozenset({"dataclass", "define", "frozen", "mutable"})  # of attrs those with annotated fields
HARMLESS = frozenset({"final", "runtime_checkable", "total_ordering"})  # decorators beside them
PLAIN_BASES = frozenset({"object", "Generic", "Protocol", "ABC"})  # that bring no fields
MADE_BASES = frozenset({"NamedTuple", "TypedDict"})
SPECIFIERS = frozenset({"attrib", "field", "ib"})  # what a field may be set to that is not its value
DEFAULTS = frozenset({"default", "default_factory", "factory"})
CONSTRUCTORS = frozenset({"__init__", "__new__"})
# A type may also be written as a string.
NO_FIELD = re.compile(r"[\"']?(?:\w+\.)?ClassVar\b")
LATER_BY_KEYWORD = re.compile(r"[\"']?(?:\w+\.)?KW_ONLY[\"']?")
NOT_REQUIRED = re.compile(r"[\"']?(?:\w+\.)?NotRequired\b")


@dataclass(frozen=True, slots=True)
class _Rules:
    """How a class makes parameters of its fields."""

    by_keyword: bool = False
    is_optional: bool = False  # all of them
    is_private_renamed: bool = False  # attrs takes `_x` as x


class _UnknownError(Exception):
    """What the constructor takes cannot be told."""


def constructor_of(tree: SourceTree, node: Node) -> tuple[Parameter, ...] | None:
    """The parameters that a class's fields give its constructor; None if there is none, or it cannot be told."""
    if tree.language not in PYTHON_STATEMENTS:
        return None
    try:
        rules = _rules(tree, node)
        found = tuple(_parameters(tree, node, rules)) if rules is not None else None
    except _UnknownError:
        return None
    is_clear = found is not None and len({one.name for one in found}) == len(found)  # one may be declared again
    return found if is_clear else None


def _rules(tree: SourceTree, node: Node) -> _Rules | None:
    listed, bases, given = node.child_by_field_name("superclasses"), set[str](), dict[str, str]()
    for one in listed.named_children if listed is not None else ():
        if one.type == "keyword_argument":
            given |= _keyword(tree, one)
        elif "comment" not in one.type:
            bases.add(_last_name(tree.text(one)))
    made, decorators = bases & MADE_BASES, list(_decorators(tree, node))
    if bases - PLAIN_BASES - MADE_BASES or len(made) + len(decorators) != 1:
        return None
    if made:
        is_dict = made == {"TypedDict"}
        return _Rules(by_keyword=is_dict, is_optional=is_dict and not _is_on(given.get("total", "True")))
    name, options = decorators[0]
    if not _is_on(options.get("init", "True")) or "these" in options:
        return None
    return _Rules(_is_on(options.get("kw_only", "False")), is_private_renamed=name != "dataclass")


def _decorators(tree: SourceTree, node: Node) -> Iterator[tuple[str, dict[str, str]]]:
    """Those that make a constructor, with their arguments; an unknown one may do anything."""
    outer = node.parent
    for one in outer.named_children if outer is not None and outer.type == "decorated_definition" else ():
        if one.type != "decorator":
            continue
        inner = one.named_children[0]
        called = inner.child_by_field_name("function") if inner.type == "call" else inner
        name = _last_name(tree.text(called)) if called is not None else ""
        if name in MAKERS:
            yield name, _options(tree, inner)
        elif name not in HARMLESS:
            raise _UnknownError


def _options(tree: SourceTree, call: Node) -> dict[str, str]:
    """The keyword arguments of a call."""
    listed, found = call.child_by_field_name("arguments"), dict[str, str]()
    for one in listed.named_children if listed is not None else ():
        if one.type == "keyword_argument":
            found |= _keyword(tree, one)
        elif "comment" not in one.type:
            raise _UnknownError
    return found


def _keyword(tree: SourceTree, node: Node) -> dict[str, str]:
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    return {tree.text(name): tree.text(value)} if name is not None and value is not None else {}


def _is_on(value: str) -> bool:
    if value not in {"True", "False"}:
        raise _UnknownError
    return value == "True"


def _last_name(text: str) -> str:
    return text.partition("[")[0].partition("(")[0].rpartition(".")[2].strip()


def _parameters(tree: SourceTree, node: Node, rules: _Rules) -> Iterator[Parameter]:
    body = node.child_by_field_name("body")
    by_keyword = rules.by_keyword
    for statement in body.named_children if body is not None else ():
        inner = statement.child_by_field_name("definition") or statement
        name = inner.child_by_field_name("name") if inner.type == "function_definition" else None
        if name is not None and tree.text(name) in CONSTRUCTORS:
            raise _UnknownError
        field = statement.named_children[0] if statement.type == "expression_statement" else None
        if field is None or field.type != "assignment":
            continue
        kind = field.child_by_field_name("type")
        if kind is not None and LATER_BY_KEYWORD.fullmatch(tree.text(kind)):
            by_keyword = True
        elif (one := _parameter(tree, field, kind, rules, by_keyword)) is not None:
            yield one


def _parameter(tree: SourceTree, field: Node, kind: Node | None, rules: _Rules, by_keyword: bool) -> Parameter | None:
    """The parameter that an assignment in a class's body makes; None of one that is no field."""
    name, value = field.child_by_field_name("left"), field.child_by_field_name("right")
    options = _specified(tree, value)
    if kind is None or name is None:
        if options is not None:
            raise _UnknownError  # older attrs classes
        return None
    if NO_FIELD.match(tree.text(kind)) or (options is not None and not _is_on(options.get("init", "True"))):
        return None
    if "alias" in (options or {}) or (rules.is_private_renamed and tree.text(name).startswith("_")):
        raise _UnknownError
    has_default = value is not None if options is None else bool(DEFAULTS & options.keys())
    is_optional = has_default or rules.is_optional or NOT_REQUIRED.match(tree.text(kind)) is not None
    is_late = by_keyword or _is_on((options or {}).get("kw_only", "False"))
    way: ParameterKind = "keyword" if is_late else "either"
    return Parameter(tree.text(name), way, is_optional, tree.start(name))


def _specified(tree: SourceTree, value: Node | None) -> dict[str, str] | None:
    """What a call says of a field; None of any other value."""
    called = value.child_by_field_name("function") if value is not None and value.type == "call" else None
    if value is None or called is None or _last_name(tree.text(called)) not in SPECIFIERS:
        return None
    return _options(tree, value)
