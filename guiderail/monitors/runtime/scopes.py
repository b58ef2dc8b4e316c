"""Whose object a name is, at a place of a file whose syntax tree is read."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from guiderail.monitors.runtime.class_draft import ClassDraft, draft_of
from guiderail.monitors.runtime.nodes import is_decorated, is_namespace, text_of
from guiderail.monitors.runtime.shown_names import Known

if TYPE_CHECKING:
    from tree_sitter import Node

_WORD = re.compile(r"\w+")
_TYPE_OF = re.compile(r"type\(\s*(\w+)\s*\)\Z")
_OF_CLASS = frozenset({"__new__", "__init_subclass__", "__class_getitem__", "__prepare__"})  # no decorator says it


class Scopes:
    """The functions and classes around the node that is read, and what names stand for in them.

    Parameters
    ----------
    classes
        The definitions of the file's classes.
    """

    def __init__(self, classes: Iterable[Node]) -> None:
        self.classes = {node.id: draft_of(node) for node in classes}
        self.named = {one.name: one for one in self.classes.values()}
        self.objects: dict[tuple[int, str], ClassDraft] = {}  # by function's id and local name
        self.others: set[tuple[int, str]] = set()  # that stand for objects of other classes
        self.dicts: dict[tuple[int, str], Node] = {}
        self.own: dict[int, str] = {}  # by function's id, its first parameter
        self.stack: list[Node] = []  # the outermost first
        self.imports: dict[str, tuple[str, str]] = {}
        self.stars: list[str] = []
        self.aliases: dict[str, str] = {}
        self.names: set[str] = set()  # of the top level
        self.tables: dict[str, Node] = {}  # collections, by name of the top level

    def around(self, node: Node) -> list[Node]:
        """The functions and classes around the node that is read, the innermost first."""
        while self.stack and self.stack[-1].end_byte <= node.start_byte:
            self.stack.pop()
        return self.stack[::-1]

    def class_of(self, scopes: list[Node]) -> ClassDraft | None:
        """The innermost class among scopes."""
        return next((self.classes[one.id] for one in scopes if one.id in self.classes), None)

    def owner(self, receiver: str, scopes: list[Node]) -> ClassDraft | None:
        """The class whose object or class a receiver is, by a method's first parameter or its own name."""
        of_type = _TYPE_OF.match(receiver)
        top = of_type[1] if of_type else receiver.partition(".")[0].removesuffix("()")
        whole = of_type is not None or receiver in (top, f"{top}.__class__")
        for at, scope in enumerate(scopes[:-1]):
            if self.own.get(scope.id) == top and scopes[at + 1].id in self.classes:
                return self.classes[scopes[at + 1].id] if whole else None
        held = next((self.objects[key] for scope in scopes if (key := (scope.id, top)) in self.objects), None)
        return (held or self.named.get(top)) if whole else None

    def holder(self, node: Node | None, scopes: list[Node]) -> Node | None:
        """The dictionary of names that an expression is: ``self.__dict__``, or a local name for it."""
        if node is None or node.type != "identifier":
            return node if node is not None and is_namespace(node) else None
        name = text_of(node)
        return next((self.dicts[key] for scope in scopes if (key := (scope.id, name)) in self.dicts), None)

    def hold(self, name: str, right: Node, scopes: list[Node]) -> None:
        """Note what a local name stands for: a method's object, one of a class that is just made, or its names."""
        function = right.child_by_field_name("function") if right.type == "call" else right
        if is_namespace(right):
            self.dicts[scopes[0].id, name] = right
        elif text_of(function).endswith(".__new__") and (around := self.class_made(right, scopes)):
            self.objects[scopes[0].id, name] = around
        elif right.type in ("call", "identifier") and (owner := self.owner(text_of(function), scopes)):
            self.objects[scopes[0].id, name] = owner
        elif right.type == "call" and not self._mentions_own(right, scopes):
            self.others.add((scopes[0].id, name))

    def class_made(self, call: Node, scopes: list[Node]) -> ClassDraft | None:
        """The class whose object ``object.__new__(cls)`` makes: the one around, unless a parameter is another."""
        first = text_of(call.child_by_field_name("arguments")).strip("(").partition(",")[0].rstrip(")").strip()
        return None if self.is_given(first, scopes) and self.owner(first, scopes) is None else self.class_of(scopes)

    def _mentions_own(self, call: Node, scopes: list[Node]) -> bool:
        """Whether a call is about a method's object or a class of the file: it may make an object of that class."""
        own = {self.own[scope.id] for scope in scopes if scope.id in self.own}
        found = set(_WORD.findall(text_of(call)))
        return not found or not found.isdisjoint(own | {"super", "__class__"} | self.named.keys())

    def is_object(self, receiver: str, scopes: list[Node]) -> bool:
        """Whether a receiver is certain to be an object, and no class: the first parameter of a plain method."""
        for scope in scopes:
            if receiver and self.own.get(scope.id) == receiver:
                name = text_of(scope.child_by_field_name("name"))
                return name not in _OF_CLASS and not is_decorated(scope, "classmethod")
        return False

    def is_own(self, front: Node | None, scopes: list[Node]) -> bool:
        return any(self.own.get(scope.id) == text_of(front) for scope in scopes)

    def near(self, receiver: str, scopes: list[Node]) -> ClassDraft | None:
        """The class whose object, or which, a receiver is or may be: one that a method has made somehow."""
        if owner := self.owner(receiver, scopes):
            return owner
        is_other = "." in receiver or receiver in self.imports or receiver in self.names
        is_other |= any((scope.id, receiver) in self.others for scope in scopes)
        return None if is_other or self.is_given(receiver, scopes) else self.class_of(scopes)

    def is_given(self, name: str, scopes: list[Node]) -> bool:
        """Whether a name is a parameter of a method beside its own object: it is an object of another class."""
        given = (one.child_by_field_name("parameters") for one in scopes if one.id in self.own)
        return bool(name) and any(re.search(rf"\b{re.escape(name)}\b", text_of(one)) for one in given)

    def known(self, scopes: list[Node]) -> Known:
        return Known(lambda text: self.owner(text, scopes) is not None, self.tables)

    def is_class(self, name: str) -> bool:
        """Whether a name may be a class's."""
        known = (self.imports, self.named, self.aliases, vars(builtins))
        return bool(self.stars) or any(name in one for one in known)
