"""The parameters of a file's functions, and how they changed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from tree_sitter import Node

from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.fields import constructor_of
from guiderail.next_edit.parameters import Parameter, ParameterKind, Signature
from guiderail.next_edit.source_tree import MOST_NESTED, SourceTree
from guiderail.text.languages.table import FUNCTIONS


@dataclass(frozen=True, slots=True)
class SignatureChange:
    """A function whose parameters changed.

    Parameters
    ----------
    before, after
        The function.
    origins
        For each parameter of `after` the index of the one of `before` that it was; None if it is new.
    """

    before: Signature
    after: Signature
    origins: tuple[int | None, ...]

    @property
    def is_of_names(self) -> bool:
        """Whether only names of parameters are others."""
        pairs = list(zip(self.before.parameters, self.after.parameters, strict=False))
        same = all((old.kind, old.is_optional) == (new.kind, new.is_optional) for old, new in pairs)
        return same and self.origins == tuple(range(len(self.before.parameters)))


def signature_changes(alignment: Alignment) -> Iterator[SignatureChange]:
    """The functions that are in both texts with different parameters, by their paths."""
    before = {one.path: one for one in signatures(alignment.before)}
    after = {one.path: one for one in signatures(alignment.after)}
    by_start = {one.start: one for one in after.values()}
    for path, old in before.items():
        new = after.get(path)
        if new is None:  # it may have got another name
            token = alignment.became(old.start)
            new = by_start.get(token.start) if token is not None else None
            new = None if new is None or new.path in before else new
        if new is not None and old.shape != new.shape:
            yield SignatureChange(old, new, _origins(old, new, alignment))


def _origins(old: Signature, new: Signature, alignment: Alignment) -> tuple[int | None, ...]:
    """By name, and where a name is new, by the token that it replaced."""
    by_name = {one.name: index for index, one in enumerate(old.parameters)}
    kept = {one.name for one in new.parameters} & by_name.keys()
    by_token = {
        token.start: index
        for index, one in enumerate(old.parameters)
        if one.name not in kept and (token := alignment.became(one.start)) is not None
    }
    return tuple(by_name[one.name] if one.name in kept else by_token.get(one.start) for one in new.parameters)


def signatures(tree: SourceTree) -> tuple[Signature, ...]:
    """The named functions of a file that are declared once in their scope, with parameters that can be read.

    They are kept as long as the tree: a file may have thousands of overrides, each of which is looked for among them.
    """
    if tree not in _known:
        found = list(_declared(tree))
        count = Counter(one.path for one in found)  # overloads, and functions for one platform or another
        _known[tree] = tuple(one for one in found if count[one.path] == 1)
    return _known[tree]


_known: WeakKeyDictionary[SourceTree, tuple[Signature, ...]] = WeakKeyDictionary()


def _declared(tree: SourceTree) -> Iterator[Signature]:
    syntax = FUNCTIONS.get(tree.language)
    waiting: list[tuple[Node, tuple[str, ...], Node | None]] = [(tree.root, (), None)] if syntax else []
    while syntax and waiting:
        node, path, owner = waiting.pop()
        name = node.child_by_field_name("name")
        if name is not None and node.type in syntax.functions | syntax.classes:
            path = (*path, tree.text(name))
            if len(path) > MOST_NESTED:
                continue
            is_class = node.type in syntax.classes
            if is_class and (fields := constructor_of(tree, node)) is not None:
                start = tree.start(name)
                yield Signature((*path, "__init__"), start, fields, start, is_bound=True, is_constructor=True)
            if not is_class and (signature := _signature(tree, node, name, path, owner)):
                yield signature
            owner = name if is_class else None
        waiting += ((child, path, owner) for child in reversed(node.named_children))


def _signature(tree: SourceTree, node: Node, name: Node, path: tuple[str, ...], owner: Node | None) -> Signature | None:
    syntax = FUNCTIONS[tree.language]
    listed, decorators = node.child_by_field_name("parameters"), _decorators(tree, node)
    parameters = read_parameters(tree, listed) if listed is not None else None
    is_bound = owner is not None and syntax.has_receiver and "staticmethod" not in decorators
    if parameters is None or not decorators <= syntax.transparent:
        return None
    if is_bound and (not parameters or parameters[0].kind not in {"positional", "either"}):
        return None
    return Signature(
        path,
        tree.start(name),
        tuple(parameters[is_bound:]),
        None if owner is None else tree.start(owner),
        is_bound,
        "classmethod" in decorators,
        owner is not None and path[-1] in syntax.constructors,
    )


def _decorators(tree: SourceTree, node: Node) -> frozenset[str]:
    """The last names of a function's decorators."""
    outer = node.parent
    own = [*node.named_children, *(outer.named_children if outer is not None and "decorated" in outer.type else ())]
    texts = (tree.text(one) for one in own if one.type == "decorator")
    return frozenset(re.split(r"[(\s]", text.lstrip("@ "), maxsplit=1)[0].rpartition(".")[2] for text in texts)


def read_parameters(tree: SourceTree, listed: Node) -> list[Parameter] | None:
    """The parameters in order; None if one has no name."""
    nodes = [child for child in listed.named_children if "comment" not in child.type]
    slash = next((number for number, node in enumerate(nodes) if node.type == "positional_separator"), -1)
    kind: ParameterKind = "either" if FUNCTIONS[tree.language].keyword else "positional"
    found = []
    for number, node in enumerate(nodes):
        if node.type.endswith("_separator"):
            kind = "keyword" if node.type == "keyword_separator" else kind
            continue
        name, rest = _name(node), _rest(node)
        if name is None:
            return None
        own = rest or ("positional" if number < slash else kind)
        found.append(Parameter(tree.text(name), own, bool(rest) or _is_optional(node), tree.start(name)))
        kind = "keyword" if rest == "rest" else kind
    return found


def _name(node: Node) -> Node | None:
    """The name in a parameter, whatever is around it; None of a pattern that takes its argument apart."""
    while "identifier" not in node.type:
        inner = next((one for field in ("name", "pattern", "left") if (one := node.child_by_field_name(field))), None)
        if inner is None and re.match(r"typed_parameter|.*splat_pattern|rest_pattern", node.type):
            inner = node.named_children[0]
        if inner is None:
            return None
        node = inner
    return node


def _is_optional(node: Node) -> bool:
    fields = ("value", "right")
    return node.type == "optional_parameter" or any(node.child_by_field_name(field) is not None for field in fields)


def _rest(node: Node) -> ParameterKind | None:
    """Whether a parameter takes any number of arguments."""
    inner = node.named_children[0] if node.type == "typed_parameter" else node.child_by_field_name("pattern")
    kinds = {one.type for one in (node, inner) if one is not None}
    if "dictionary_splat_pattern" in kinds:
        return "keywords"
    return "rest" if kinds & {"list_splat_pattern", "rest_pattern"} else None
