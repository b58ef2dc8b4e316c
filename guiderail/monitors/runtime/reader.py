"""Reads the facts about names from a file's syntax tree."""

from __future__ import annotations

import builtins
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from guiderail.monitors.runtime.class_draft import ClassDraft, draft_of
from guiderail.monitors.runtime.facts import FileFacts, plain
from guiderail.monitors.runtime.nodes import (
    MAKERS,
    QUERY,
    import_names,
    is_computed,
    is_item,
    is_namespace,
    is_of_this_module,
    is_own_dict,
    is_static,
    may_be_own,
    receiver_of,
    string,
    strings,
    text_of,
    value_of,
    words,
)  # fmt: skip
from guiderail.text.syntax import PARSE_S, SlowTextError, find, parse

if TYPE_CHECKING:
    from tree_sitter import Node

KEPT = 32  # texts
LARGEST = 1 << 20  # characters of one
MOST_NODES = 100_000
CONFIG_READ = 2_000  # characters
MOST_GIVEN = 30  # functions that a class's objects are given to
_SCOPES = frozenset({"class_definition", "function_definition", "lambda"})
_ASKED = frozenset({"hasattr", "getattr", "delattr", "setattr", "object"})  # mock.patch.object
_TYPE_OF = re.compile(r"type\(\s*(\w+)\s*\)\Z")
_GROWN = frozenset({"update", "setdefault", "__setitem__"})


@lru_cache(KEPT)
def read_facts(text: str) -> FileFacts | None:
    """The facts about a Python file; None if that takes too long. Broken text says what it can."""
    if len(text) > LARGEST:
        return None
    try:
        root = parse(text.encode(errors="surrogatepass"), "python", PARSE_S)
        return _Reading(find(root, "python", QUERY)[:MOST_NODES]).facts()
    except (SlowTextError, RecursionError):
        return None


class _Reading:
    """One file while it is read."""

    def __init__(self, nodes: list[Node]) -> None:
        self._classes = {node.id: draft_of(node) for node in nodes if node.type == "class_definition"}
        self._named = {one.name: one for one in self._classes.values()}
        self._objects: dict[tuple[int, str], ClassDraft] = {}  # by function's id and local name
        self._dicts: dict[tuple[int, str], Node] = {}
        self._made: list[ClassDraft] = []
        self._imports: dict[str, tuple[str, str]] = {}
        self._stars: list[str] = []
        self._names: set[str] = set()
        self._public: set[str] | None = None
        self._is_public_known = True
        self._outside: dict[str, set[str]] = {}
        self._aliases: dict[str, str] = {}
        self._functions: dict[str, bool] = {}
        self._called: dict[str, str] = {}
        self._makes_names_up = self._marks_all = False
        self._own: dict[int, str] = {}  # by function's id, its first parameter
        self._callees: set[int] = set()
        self._stack: list[Node] = []  # the functions and classes around what is read, the outermost first
        for node in nodes:
            if node.type != "lambda":
                getattr(self, f"_{node.type}")(node)
            if node.type in _SCOPES:
                self._around(node)
                self._stack.append(node)

    def facts(self) -> FileFacts:
        """What was read."""
        classes = sorted([*self._classes.values(), *self._made], key=lambda one: one.node.start_byte)
        public = self._public if self._is_public_known else None
        return FileFacts(
            tuple(one.facts() for one in classes),
            self._imports,
            tuple(self._stars),
            frozenset(self._names | (self._public or set())),
            frozenset(public) if public is not None else None,
            frozenset[str]().union(*self._outside.values()),
            {word: frozenset(names) for word, names in self._outside.items()},
            self._aliases,
            self._functions,
            self._called,
            self._makes_names_up,
            self._marks_all,
        )

    def _around(self, node: Node) -> list[Node]:
        """The functions and classes around the node that is read, the innermost first."""
        while self._stack and self._stack[-1].end_byte <= node.start_byte:
            self._stack.pop()
        return self._stack[::-1]

    def _class_of(self, scopes: list[Node]) -> ClassDraft | None:
        """The innermost class among scopes."""
        return next((self._classes[one.id] for one in scopes if one.id in self._classes), None)

    def _owner(self, receiver: str, scopes: list[Node]) -> ClassDraft | None:
        """The class whose object or class a receiver is, by a method's first parameter or its own name."""
        of_type = _TYPE_OF.match(receiver)
        top = of_type[1] if of_type else receiver.partition(".")[0].removesuffix("()")
        whole = of_type is not None or receiver in (top, f"{top}.__class__")
        for at, scope in enumerate(scopes[:-1]):
            if self._own.get(scope.id) == top and scopes[at + 1].id in self._classes:
                return self._classes[scopes[at + 1].id] if whole else None
        held = next((self._objects[key] for scope in scopes if (key := (scope.id, top)) in self._objects), None)
        return (held or self._named.get(top)) if whole else None

    def _holder(self, node: Node | None, scopes: list[Node]) -> Node | None:
        """The dictionary of names that an expression is: ``self.__dict__``, or a local name for it."""
        if node is None or node.type != "identifier":
            return node if node is not None and is_namespace(node) else None
        name = text_of(node)
        return next((self._dicts[key] for scope in scopes if (key := (scope.id, name)) in self._dicts), None)

    def _hold(self, name: str, right: Node, scopes: list[Node]) -> None:
        """Note what a local name stands for: a method's object, one of a class that is just made, or its names."""
        function = right.child_by_field_name("function") if right.type == "call" else right
        if is_namespace(right):
            self._dicts[scopes[0].id, name] = right
        elif text_of(function).endswith(".__new__") and (around := self._class_of(scopes)):
            self._objects[scopes[0].id, name] = around
        elif right.type in ("call", "identifier") and (owner := self._owner(text_of(function), scopes)):
            self._objects[scopes[0].id, name] = owner

    def _class_definition(self, node: Node) -> None:
        made, scopes = self._classes[node.id], self._around(node)
        self._bind(made.name, scopes)
        bases = []
        arguments = node.child_by_field_name("superclasses")
        for one in arguments.named_children if arguments else ():
            if one.type == "keyword_argument":
                keyword, value = text_of(one.child_by_field_name("name")), one.child_by_field_name("value")
                made.config += f"{keyword}={text_of(value)[:CONFIG_READ]}\n"
                made.metaclass = (words(value) or "?") if keyword == "metaclass" else made.metaclass
            elif one.type != "comment":
                bases.append("?()" if is_computed(one) or is_item(one, self._is_known) else words(one) or "?()")
        made.bases = tuple(bases)
        if node.parent is not None and node.parent.type == "decorated_definition":
            decorators = [one.named_children[0] for one in node.parent.named_children if one.type == "decorator"]
            made.decorators = tuple((words(one) or "?").removesuffix("()") for one in decorators)
        owner = self._class_of(scopes)
        if made.name == "Config" and owner is not None:
            owner.config += text_of(node)[:CONFIG_READ] + "\n"

    def _is_known(self, name: str) -> bool:
        """Whether a name may be a class's."""
        known = (self._imports, self._named, self._aliases, vars(builtins))
        return bool(self._stars) or any(name in one for one in known)

    def _function_definition(self, node: Node) -> None:
        name = text_of(node.child_by_field_name("name"))
        scopes = self._around(node)
        parameters = node.child_by_field_name("parameters")
        first = parameters.named_children[0] if parameters and parameters.named_children else None
        if first is not None and scopes and scopes[0].id in self._classes and not is_static(node):
            self._own[node.id] = text_of(first).partition(":")[0].partition("=")[0].strip()
        self._bind(name, scopes)
        self._functions.setdefault(name, False)
        if name in ("__getattr__", "__getattribute__"):
            self._make_up(self._class_of(scopes[:1]), scopes)

    def _make_up(self, owner: ClassDraft | None, scopes: list[Node]) -> None:
        """Note that names are made up: of a class, of objects that a function is given, or of the module."""
        if owner is not None:
            owner.made_up = True
        elif not scopes:
            self._makes_names_up = self._marks_all = True
        for scope in scopes:
            if scope.type == "function_definition":
                self._functions[text_of(scope.child_by_field_name("name"))] = True

    def _bind(self, name: str, scopes: list[Node]) -> None:
        """Note that a name is bound in a class's body or at the top."""
        if not scopes:
            self._names.add(name)
            self._makes_names_up |= name == "__getattr__"  # PEP 562
        elif scopes[0].id in self._classes:
            self._classes[scopes[0].id].names.add(name)
            self._classes[scopes[0].id].made_up |= name in ("__getattr__", "__getattribute__")

    def _attribute(self, node: Node) -> None:
        front = node.child_by_field_name("object")
        if front is not None and front.type == "identifier":
            scopes = self._around(node)
            owner = self._owner(text_of(front), scopes) if scopes else None
            if owner is not None:
                owner.mentioned.add(text_of(node.child_by_field_name("attribute")))
        name = text_of(node.child_by_field_name("attribute"))
        if name == "modules" and words(node) == "sys.modules" and is_of_this_module(node.parent):
            self._makes_names_up = True
        if name == "__setattr__" and node.id not in self._callees:
            self._pass_on(self._around(node))

    def _pass_on(self, scopes: list[Node]) -> None:
        """Note that what sets members is handed on by a method."""
        if owner := self._class_of(scopes):
            self._make_up(owner, scopes)

    def _target(self, node: Node, scopes: list[Node]) -> None:
        """Note what a target of an assignment binds or sets."""
        if node.type in ("pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern", "tuple", "list"):
            for one in node.named_children:
                self._target(one, scopes)
        elif node.type == "identifier":
            self._bind(text_of(node), scopes)
        elif node.type == "attribute":
            front, name = node.child_by_field_name("object"), text_of(node.child_by_field_name("attribute"))
            owner = self._owner(text_of(front), scopes)
            if name == "__dict__":
                self._make_up(owner or self._class_of(scopes), scopes)
            elif owner is not None:
                owner.names.add(name)
            if owner is None or not self._is_own(front, scopes):
                self._set(words(front), name)
        elif node.type == "subscript":
            self._item(node, scopes)

    def _set(self, receiver: str, name: str) -> None:
        """Note a member that is set on something from outside."""
        self._outside.setdefault(plain(receiver), set()).add(name)

    def _is_own(self, front: Node | None, scopes: list[Node]) -> bool:
        return any(self._own.get(scope.id) == text_of(front) for scope in scopes)

    def _item(self, node: Node, scopes: list[Node]) -> None:
        """Note an item that is set in a dictionary of names."""
        key, holder = node.child_by_field_name("subscript"), self._holder(node.child_by_field_name("value"), scopes)
        if holder is None:
            return
        name = string(key)
        if name is not None:
            self._set(receiver_of(holder), name)
            self._names.update([name] if words(holder) in ("globals()", "vars()", "locals()") else [])
        else:
            self._grow(holder, scopes)

    def _grow(self, holder: Node, scopes: list[Node]) -> None:
        """Note that a dictionary of names gets names that the text does not show."""
        called = words(holder)
        if called == "globals()" or (called in ("vars()", "locals()") and not scopes):
            self._makes_names_up = True
            return
        self._make_up(self._owner(receiver_of(holder), scopes) or self._class_of(scopes), scopes)

    def _assignment(self, node: Node) -> None:
        scopes, left = self._around(node), node.child_by_field_name("left")
        right = node.child_by_field_name("right")
        if left is None:
            return
        self._target(left, scopes)
        if left.type != "identifier" or right is None:
            return
        name = text_of(left)
        if scopes:
            self._hold(name, right, scopes)
        if name == "__slots__" and scopes and scopes[0].id in self._classes:
            self._classes[scopes[0].id].names.update(strings(right))
        if name == "__all__" and not scopes:
            self._list_public(right)
        if name == "model_config" and (owner := self._class_of(scopes[:1])):
            owner.config += text_of(right)[:CONFIG_READ] + "\n"
        if right.type == "call":
            self._called.setdefault(name, words(right).removesuffix("()"))
            self._maker(name, left, right)
        elif not scopes and (other := words(right)):
            self._aliases.setdefault(name, other)
        if right.type == "call" and words(right) in ("globals()", "vars()") and not scopes:
            self._makes_names_up = True  # another name for it may be used anywhere

    def _maker(self, name: str, left: Node, right: Node) -> None:
        """Note a class that a call makes."""
        function = words(right.child_by_field_name("function")).rpartition(".")[2]
        if function in MAKERS:
            made = ClassDraft(left, name, left.start_point.row, (words(right.child_by_field_name("function")),))
            made.made_up = is_computed(right)
            self._made.append(made)

    def _list_public(self, right: Node) -> None:
        if right.type in ("list", "tuple") and all(one.type in ("string", "comment") for one in right.named_children):
            self._public = (self._public or set()) | set(strings(right))
        else:
            self._is_public_known = False

    def _augmented_assignment(self, node: Node) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            return
        if text_of(left) == "__all__":
            self._list_public(right)
        elif (holder := self._holder(left, self._around(node))) is not None:
            self._grow(holder, self._around(node))
        else:
            self._target(left, self._around(node))

    def _import_statement(self, node: Node) -> None:
        for one in node.named_children:
            whole, alias = import_names(one)
            local = alias or whole.partition(".")[0]
            self._imports.setdefault(local, (whole if alias else local, ""))
            self._bind(local, self._around(node))

    def _import_from_statement(self, node: Node) -> None:
        module = text_of(node.child_by_field_name("module_name"))
        scopes = self._around(node)
        for one in node.named_children[1:]:
            if one.type == "wildcard_import":
                self._stars.append(module)
                continue
            name, alias = import_names(one)
            if name:
                self._imports.setdefault(alias or name, (module, name))
                self._bind(alias or name, scopes)

    def _for_statement(self, node: Node) -> None:
        if left := node.child_by_field_name("left"):
            self._target(left, self._around(node))

    def _with_item(self, node: Node) -> None:
        value = node.child_by_field_name("value")
        alias = value.child_by_field_name("alias") if value is not None else None
        for one in alias.named_children if alias is not None else ():
            self._target(one, self._around(node))

    def _named_expression(self, node: Node) -> None:
        if (name := node.child_by_field_name("name")) is not None:
            self._bind(text_of(name), [one for one in self._around(node) if one.type != "lambda"])

    def _delete_statement(self, node: Node) -> None:
        """What is deleted was there."""
        for one in node.named_children:
            self._target(one, self._around(node))

    def _call(self, node: Node) -> None:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or arguments is None:
            return
        self._callees.add(function.id)
        name = words(function).rpartition(".")[2]
        given = [one for one in arguments.named_children if one.type != "comment"]
        if name in _ASKED and len(given) > 1:
            self._by_name(name, given, self._around(node))
        if name in _GROWN and function.type == "attribute":
            holder = self._holder(function.child_by_field_name("object"), self._around(node))
            if holder is not None:
                self._grow(holder, self._around(node))
        if name == "__setattr__" and len(given) > 2:
            self._by_name("setattr", given, self._around(node))
        elif name == "__setattr__" and given and string(given[0]) is None:  # of super(), which has its object already
            self._make_up(self._class_of(self._around(node)), self._around(node))
        if name == "_convert_" or (name == "exec" and not self._around(node)):
            self._makes_names_up = True
        if any(words(value_of(one)) == "globals()" for one in given) and name not in ("eval", "dict", "list", "sorted"):
            self._makes_names_up = True
        if any(is_own_dict(value_of(one)) for one in given) and name in ("update", "setattr", "exec"):
            self._make_up(self._class_of(self._around(node)), self._around(node))
        if name == "exec" and (around := self._class_of(self._around(node)[:1])):
            around.made_up = True
        self._give(words(function), given, self._around(node))

    def _give(self, function: str, given: list[Node], scopes: list[Node]) -> None:
        """Note which classes' objects a function is given: it may set members on them."""
        for one in map(value_of, given):
            owner = self._owner(text_of(one), scopes) if one.type == "identifier" else None
            if text_of(one) == "setattr":
                self._pass_on(scopes)
            elif owner is not None and len(owner.given_to) < MOST_GIVEN:
                owner.given_to.add(function)

    def _by_name(self, name: str, given: list[Node], scopes: list[Node]) -> None:
        """Note a member that is asked for or set by its name as text."""
        text = string(given[1])
        if text is not None:
            self._set(words(given[0]), text)
        elif name == "setattr":
            receiver = text_of(given[0]) if given[0].type == "call" else words(given[0])
            if receiver.startswith("sys.modules") or "sys.modules" in text_of(given[0]):
                self._makes_names_up = True
            owner = self._owner(receiver, scopes)
            self._make_up(owner, scopes)
            if owner is None and (around := self._class_of(scopes)) and may_be_own(receiver):
                around.made_up = True
