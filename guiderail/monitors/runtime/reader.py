"""Reads the facts about names from a file's syntax tree."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

from guiderail.monitors.runtime.class_draft import ClassDraft, made_by
from guiderail.monitors.runtime.facts import FileFacts, plain
from guiderail.monitors.runtime.metaclass import added_names
from guiderail.monitors.runtime.nodes import (
    QUERY,
    import_names,
    in_time,
    is_computed,
    is_decorated,
    is_item,
    is_of_this_module,
    is_own_dict,
    receiver_of,
    string,
    strings,
    text_of,
    value_of,
    words,
)  # fmt: skip
from guiderail.monitors.runtime.scopes import Scopes
from guiderail.monitors.runtime.shown_names import (
    RESTORING,
    names_answered,
    names_given,
    names_of,
    together,
)
from guiderail.text.syntax import PARSE_S, SlowTextError, find, parse

if TYPE_CHECKING:
    from tree_sitter import Node

KEPT = 32  # texts
LARGEST = 1 << 20  # characters of one
MOST_NODES = 100_000
READ_S = 1.0  # of processor time, for the nodes of a file
CONFIG_READ = 2_000  # characters
MOST_GIVEN = 30  # functions that a class's objects are given to
_SCOPES = frozenset({"class_definition", "function_definition", "lambda"})
_ASKED = frozenset({"hasattr", "getattr", "delattr", "setattr", "object"})  # mock.patch.object
_GROWN = frozenset({"update", "setdefault", "__setitem__"})
_ANSWERING = frozenset({"__getattr__", "__getattribute__"})


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


class _Reading(Scopes):
    """One file while it is read."""

    def __init__(self, nodes: list[Node]) -> None:
        super().__init__([node for node in nodes if node.type == "class_definition"])
        self._made: list[ClassDraft] = []
        self._public: set[str] | None = None
        self._is_public_known = True
        self._outside: dict[str, set[str]] = {}
        self._functions: dict[str, bool] = {}
        self._called: dict[str, str] = {}
        self._makes_names_up = self._marks_all = self._answers_any = False
        self._answering: list[tuple[Node, ClassDraft | None]] = []
        self._callees: set[int] = set()
        self._end = time.thread_time() + READ_S
        for node in in_time(nodes, self._end):
            if node.type != "lambda":
                getattr(self, f"_{node.type}")(node)
            if node.type in _SCOPES:
                self.around(node)
                self.stack.append(node)

    def facts(self) -> FileFacts:
        """What was read."""
        for function, owner in in_time(self._answering, self._end):  # now all tables are known
            self._answer(function, owner)
        classes = sorted([*self.classes.values(), *self._made], key=lambda one: one.node.start_byte)
        public = self._public if self._is_public_known else None
        return FileFacts(
            tuple(one.facts() for one in classes),
            self.imports,
            tuple(self.stars),
            frozenset(self.names | (self._public or set())),
            frozenset(public) if public is not None else None,
            frozenset[str]().union(*self._outside.values()),
            {word: frozenset(names) for word, names in self._outside.items()},
            self.aliases,
            self._functions,
            self._called,
            self._makes_names_up or self._answers_any,
            self._marks_all,
            self._makes_names_up,
        )

    def _answer(self, function: Node, owner: ClassDraft | None) -> None:
        """Note what a ``__getattr__`` answers."""
        names = names_answered(function, self.tables)
        if owner is None:
            self.names |= names or set()
            self._answers_any |= names is None
        else:
            owner.names |= names or set()
            owner.answers_any |= names is None

    def _class_definition(self, node: Node) -> None:
        made, scopes = self.classes[node.id], self.around(node)
        self._bind(made.name, scopes)
        bases = []
        arguments = node.child_by_field_name("superclasses")
        for one in in_time(arguments.named_children if arguments else (), self._end):
            if one.type == "keyword_argument":
                keyword, value = text_of(one.child_by_field_name("name")), one.child_by_field_name("value")
                made.configure(f"{keyword}={text_of(value)[:CONFIG_READ]}")
                made.metaclass = (words(value) or "?") if keyword == "metaclass" else made.metaclass
            elif one.type != "comment":
                bases.append("?()" if is_computed(one) or is_item(one, self.is_class) else words(one) or "?()")
        made.bases = tuple(bases)
        if node.parent is not None and node.parent.type == "decorated_definition":
            decorators = [one.named_children[0] for one in node.parent.named_children if one.type == "decorator"]
            made.decorators = tuple((words(one) or "?").removesuffix("()") for one in decorators)
        owner = self.class_of(scopes)
        if made.name == "Config" and owner is not None:
            owner.configure(text_of(node)[:CONFIG_READ])

    def _function_definition(self, node: Node) -> None:
        name = text_of(node.child_by_field_name("name"))
        scopes = self.around(node)
        parameters = node.child_by_field_name("parameters")
        first = parameters.named_children[0] if parameters and parameters.named_children else None
        if first is not None and scopes and scopes[0].id in self.classes and not is_decorated(node, "staticmethod"):
            self.own[node.id] = text_of(first).partition(":")[0].partition("=")[0].strip()
        self._bind(name, scopes, is_function=True)
        self._functions.setdefault(name, False)
        owner = self.class_of(scopes[:1])
        if name in _ANSWERING and (owner is not None or (not scopes and name == "__getattr__")):  # PEP 562
            self._answering.append((node, owner))
        if owner is not None and first is not None:
            added = added_names(node)
            owner.added = None if owner.added is None or added is None else owner.added | added

    def _make_up(self, owner: ClassDraft | None, scopes: list[Node], receiver: str = "") -> None:
        """Note that names are made up: of a class, of objects that a function is given, or of the module."""
        if scopes and text_of(scopes[0].child_by_field_name("name")) in RESTORING:
            return
        if owner is not None:
            owner.made_up = True
            owner.class_made_up |= not self.is_object(receiver, scopes)
        elif not scopes:
            self._makes_names_up = self._marks_all = True
        for scope in scopes:
            if scope.type == "function_definition":
                self._functions[text_of(scope.child_by_field_name("name"))] = True

    def _bind(self, name: str, scopes: list[Node], *, is_function: bool = False) -> None:
        """Note that a name is bound in a class's body or at the top; ``__getattr__`` to what is not looked at."""
        if not scopes:
            self.names.add(name)
            self._answers_any |= name == "__getattr__" and not is_function
        elif scopes[0].id in self.classes:
            self.classes[scopes[0].id].names.add(name)
            self.classes[scopes[0].id].answers_any |= name in _ANSWERING and not is_function

    def _attribute(self, node: Node) -> None:
        front = node.child_by_field_name("object")
        if front is not None and front.type == "identifier":
            scopes = self.around(node)
            owner = self.owner(text_of(front), scopes) if scopes else None
            if owner is not None:
                owner.mentioned.add(text_of(node.child_by_field_name("attribute")))
        name = text_of(node.child_by_field_name("attribute"))
        self._makes_names_up |= name == "modules" and words(node) == "sys.modules" and is_of_this_module(node.parent)
        if name == "__setattr__" and node.id not in self._callees:
            self._pass_on(self.around(node))

    def _pass_on(self, scopes: list[Node]) -> None:
        """Note that what sets members is handed on by a method."""
        if owner := self.class_of(scopes):
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
            owner = self.owner(text_of(front), scopes)
            if name == "__dict__":
                self._grow(node, scopes)
            elif owner is not None:
                owner.assigned.add(name)
            if owner is None or not self.is_own(front, scopes):
                self._set(words(front), name)
        elif node.type == "subscript":
            self._item(node, scopes)

    def _set(self, receiver: str, name: str) -> None:
        """Note a member that is set on something from outside."""
        self._outside.setdefault(plain(receiver), set()).add(name)

    def _item(self, node: Node, scopes: list[Node]) -> None:
        """Note an item that is set in a dictionary of names."""
        key, holder = node.child_by_field_name("subscript"), self.holder(node.child_by_field_name("value"), scopes)
        if holder is not None:
            self._add(holder, names_of(key, receiver_of(holder), self.known(scopes)), scopes)

    def _add(self, holder: Node, names: frozenset[str] | None, scopes: list[Node]) -> None:
        """Note what a dictionary of names gets."""
        if names is None:
            self._grow(holder, scopes)
            return
        for name in names:
            self._set(receiver_of(holder), name)
        if (owner := self.owner(receiver_of(holder), scopes)) is not None:
            owner.assigned |= names
        is_module = words(holder) == "globals()" or (words(holder) in ("vars()", "locals()") and not scopes)
        self.names |= names if is_module else set()

    def _grow(self, holder: Node, scopes: list[Node]) -> None:
        """Note that a dictionary of names gets names that the text does not show."""
        called = words(holder)
        if called == "globals()" or (called in ("vars()", "locals()") and not scopes):
            self._makes_names_up = True
            return
        receiver = receiver_of(holder)
        self._make_up(self.near(receiver, scopes), scopes, receiver)

    def _assignment(self, node: Node) -> None:
        scopes, left = self.around(node), node.child_by_field_name("left")
        right = node.child_by_field_name("right")
        if left is None:
            return
        if is_own_dict(left) and (names := names_given(right, self.known(scopes))) is not None:
            self._add(left, names, scopes)
        else:
            self._target(left, scopes)
        if left.type != "identifier" or right is None:
            return
        name = text_of(left)
        if scopes:
            self.hold(name, right, scopes)
        if not scopes and right.type in ("dictionary", "set", "list", "tuple", "call"):
            self.tables[name] = right
        if name == "__slots__" and scopes and scopes[0].id in self.classes:
            self.classes[scopes[0].id].names.update(strings(right))
        if name == "__all__" and not scopes:
            self._list_public(right)
        if name == "model_config" and (owner := self.class_of(scopes[:1])):
            owner.configure(text_of(right)[:CONFIG_READ])
        if right.type == "call":
            self._called.setdefault(name, words(right).removesuffix("()"))
            self._made += filter(None, [made_by(left, name, right, self.tables)])
        elif not scopes and (other := words(right)):
            self.aliases.setdefault(name, other)
        if right.type == "call" and words(right) in ("globals()", "vars()") and not scopes:
            self._makes_names_up = True  # another name for it may be used anywhere

    def _list_public(self, right: Node) -> None:
        if right.type in ("list", "tuple") and all(one.type in ("string", "comment") for one in right.named_children):
            self._public = (self._public or set()) | set(in_time(strings(right), self._end))
        else:
            self._is_public_known = False

    def _augmented_assignment(self, node: Node) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            return
        if text_of(left) == "__all__":
            self._list_public(right)
        elif (holder := self.holder(left, self.around(node))) is not None:
            self._add(holder, names_given(right, self.known(self.around(node))), self.around(node))
        else:
            self._target(left, self.around(node))

    def _import_statement(self, node: Node) -> None:
        for one in node.named_children:
            whole, alias = import_names(one)
            local = alias or whole.partition(".")[0]
            self.imports.setdefault(local, (whole if alias else local, ""))
            self._bind(local, self.around(node))

    def _import_from_statement(self, node: Node) -> None:
        module = text_of(node.child_by_field_name("module_name"))
        scopes = self.around(node)
        for one in node.named_children[1:]:
            if one.type == "wildcard_import":
                self.stars.append(module)
                continue
            name, alias = import_names(one)
            if name:
                self.imports.setdefault(alias or name, (module, name))
                self._bind(alias or name, scopes)

    def _for_statement(self, node: Node) -> None:
        if left := node.child_by_field_name("left"):
            self._target(left, self.around(node))

    def _with_item(self, node: Node) -> None:
        value = node.child_by_field_name("value")
        alias = value.child_by_field_name("alias") if value is not None else None
        for one in alias.named_children if alias is not None else ():
            self._target(one, self.around(node))

    def _named_expression(self, node: Node) -> None:
        if (name := node.child_by_field_name("name")) is not None:
            self._bind(text_of(name), [one for one in self.around(node) if one.type != "lambda"])

    def _delete_statement(self, node: Node) -> None:
        """What is deleted was there."""
        for one in node.named_children:
            self._target(one, self.around(node))

    def _call(self, node: Node) -> None:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or arguments is None:
            return
        self._callees.add(function.id)
        name = words(function).rpartition(".")[2]
        given = [one for one in arguments.named_children if one.type != "comment"]
        if name in _ASKED and len(given) > 1:
            self._by_name(name, given, self.around(node))
        if name in _GROWN and function.type == "attribute":
            self._update(name, function, given)
        if name == "__setattr__" and len(given) > 2:
            self._by_name("setattr", given, self.around(node))
        elif name == "__setattr__" and given:  # of super(), or of the object
            self._by_own_name(given[0], self.around(node))
        self._makes_names_up |= name == "_convert_" or (name == "exec" and not self.around(node))
        if any(words(value_of(one)) == "globals()" for one in given) and name not in ("eval", "dict", "list", "sorted"):
            self._makes_names_up = True
        changed = given[:1] if words(function) == "dict.update" else given if name == "exec" else ()
        for holder in (one for one in map(value_of, changed) if is_own_dict(one)):
            self._grow(holder, self.around(node))
        if name == "exec" and (around := self.class_of(self.around(node)[:1])):
            around.made_up = around.class_made_up = True
        self._give(words(function), given, self.around(node))

    def _update(self, name: str, function: Node, given: list[Node]) -> None:
        """Note what a dictionary of names gets by a method of it."""
        scopes = self.around(function)
        holder = self.holder(function.child_by_field_name("object"), scopes)
        if holder is None:
            return
        known = self.known(scopes)
        if name == "update":
            self._add(holder, together(names_given(one, known) for one in given), scopes)
        else:
            self._add(holder, names_of(given[0], receiver_of(holder), known) if given else None, scopes)

    def _give(self, function: str, given: list[Node], scopes: list[Node]) -> None:
        """Note which classes' objects a function is given: it may set members on them."""
        for one in map(value_of, given):
            owner = self.owner(text_of(one), scopes) if one.type == "identifier" else None
            if text_of(one) == "setattr":
                self._pass_on(scopes)
            elif owner is not None and len(owner.given_to) < MOST_GIVEN:
                owner.given_to.add(function)
                if not self.is_object(text_of(one), scopes):
                    owner.class_given_to.add(function)

    def _by_own_name(self, key: Node, scopes: list[Node]) -> None:
        """Note a member that a method sets by ``super().__setattr__`` on its own object."""
        owner, receiver = self.class_of(scopes), self.own.get(scopes[0].id, "") if scopes else ""
        names = names_of(key, receiver, self.known(scopes))
        if names is None:
            self._make_up(owner, scopes, receiver)
        elif owner is not None and string(key) is None:
            owner.assigned |= names

    def _by_name(self, name: str, given: list[Node], scopes: list[Node]) -> None:
        """Note a member that is asked for or set by its name as text."""
        receiver = text_of(given[0]) if given[0].type == "call" else words(given[0])
        text = string(given[1])
        names = names_of(given[1], receiver, self.known(scopes)) if name == "setattr" or text is not None else None
        for one in names or ():
            self._set(words(given[0]), one)
        if text is None and names and (owner := self.owner(receiver, scopes)):
            owner.assigned |= names
        if names is None and name == "setattr":
            self._makes_names_up |= "sys.modules" in text_of(given[0])
            self._make_up(self.near(receiver, scopes), scopes, receiver)
