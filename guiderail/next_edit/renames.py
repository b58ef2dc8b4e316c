"""The names that a change of a file renamed, as far as syntax tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import Levenshtein
from tree_sitter import Node

from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.source_tree import MOST_NESTED, SourceTree, Token
from guiderail.text.languages.table import FUNCTIONS, NODES

MOST_REPLACED = 200  # names in one change; a text in which more differ is another text
LONGEST = 4_000  # tokens of a statement; of a longer one nothing is said, but of a function or class
LEAST_ALIKE = 0.6  # of what is declared, the name apart: of less it is another declaration in the same place

RECEIVERS = frozenset({"self", "cls", "this"})

# Where a name counts: a parameter or a local variable in its function, a member after a dot, an alias in its file.
NameKind = Literal["function", "member", "local", "alias", "module"]


@dataclass(frozen=True, slots=True)
class Rename:
    """A name that was replaced by another where it may be declared.

    Parameters
    ----------
    old, new
        The names.
    start
        Where the old one began in the earlier text.
    kind
        Where the name counts.
    """

    old: str
    new: str
    start: int
    kind: NameKind


def renames(alignment: Alignment) -> Iterator[Rename]:
    """The names that may have been renamed; whether they are declared there, an analyser has to say.

    A name was not renamed if it is still declared beside the new one, if there was one of the new name before, or if
    what it names is something else now.
    """
    before, after, replaced = alignment.before, alignment.after, list(alignment.replaced_names())
    if len(replaced) > MOST_REPLACED:
        return
    paths = _paths(before), _paths(after)
    for old, new in replaced:
        nodes = before.name_at(old.start), after.name_at(new.start)
        if nodes[0] is None or nodes[1] is None or _role(before, nodes[0]) != _role(after, nodes[1]):
            continue
        if not _is_definition(before, nodes[0]) and len(_around(before, nodes[0])) > LONGEST:
            continue
        kind = _kind(before, nodes[0])
        if _is_definition(before, nodes[0]):
            is_new = (
                paths[1].get(new.start) not in paths[0].values() and paths[0].get(old.start) not in paths[1].values()
            )
        else:
            is_new = new.text not in _beside(before, nodes[0]) and old.text not in _beside(after, nodes[1])
        if is_new and _are_alike(before, nodes[0], after, nodes[1]) and not _is_taken(before, nodes[0], new.text, kind):
            yield Rename(old.text, new.text, old.start, kind)


def is_another(tree: SourceTree, name: str) -> bool:
    """Whether a file uses a name for something of its own: neither after a dot, nor as the keyword of an argument."""
    return any(_is_plain(tree, token) for token in tree.tokens if token.text == name and token.is_name)


def class_of_attribute(tree: SourceTree, node: Node) -> Node | None:
    """The class in whose body an attribute is set; None of other names, and of methods."""
    around = _enclosing(tree, node)
    is_set = around is not None and _is_class(tree, around) and _role(tree, node)[1] in {"name", "left"}
    return around if is_set and around is not None and around.child_by_field_name("name") != node else None


def attributes(tree: SourceTree, around: Node, name: str) -> Iterator[int]:
    """Where the body of a class sets an attribute of a name."""
    for token in tree.tokens_in(tree.start(around), tree.end(around)):
        node = tree.name_at(token.start) if token.text == name and token.is_name else None
        if node is not None and class_of_attribute(tree, node) == around:
            yield token.start
            return


def _role(tree: SourceTree, node: Node) -> tuple[str, str | None]:
    """What a name is in its parent."""
    parent = node.parent
    assert parent is not None, "a name is no root"
    return parent.type, tree.field(parent, node)


def _is_definition(tree: SourceTree, node: Node) -> bool:
    syntax, (kind, field) = FUNCTIONS.get(tree.language), _role(tree, node)
    return syntax is not None and field == "name" and kind in syntax.functions | syntax.classes


def _kind(tree: SourceTree, node: Node) -> NameKind:
    kind, field = _role(tree, node)
    if field == "alias" or "namespace_import" in kind:
        return "alias"
    if _is_member(tree, node):
        return "member"
    around = _enclosing(tree, node)
    if _holder(node) is not None:
        return "member"
    if _is_definition(tree, node):
        outer = _enclosing(tree, around) if around is not None else None
        return "member" if outer is not None and _is_class(tree, outer) else "function"
    if around is None:
        return "module"
    return "member" if _is_class(tree, around) else "local"


def _holder(node: Node) -> Node | None:
    """The type whose member a name is, where that is written without a class: `type A = {name: string}`."""
    parent = node.parent
    is_member = parent is not None and parent.type.endswith("_signature") and parent.child_by_field_name("name") == node
    return parent.parent if is_member and parent is not None else None


def _is_class(tree: SourceTree, node: Node) -> bool:
    syntax = FUNCTIONS.get(tree.language)
    return syntax is not None and node.type in syntax.classes


def _enclosing(tree: SourceTree, node: Node) -> Node | None:
    """The function or class that a node is in, or whose name or parameter it is."""
    syntax = FUNCTIONS.get(tree.language)
    kinds = syntax.functions | syntax.classes if syntax is not None else frozenset[str]()
    return next((one for one in tree.ancestors(node) if one.type in kinds), None)


def _paths(tree: SourceTree) -> dict[int, tuple[str, ...]]:
    """The names of what each function and class is in, and its own, by where its name begins."""
    syntax, found = FUNCTIONS.get(tree.language), dict[int, tuple[str, ...]]()
    waiting: list[tuple[Node, tuple[str, ...]]] = [(tree.root, ())] if syntax else []
    while syntax and waiting:
        node, path = waiting.pop()
        if node.type in syntax.functions | syntax.classes and (name := node.child_by_field_name("name")):
            path = (*path, tree.text(name))
            if len(path) > MOST_NESTED:
                continue
            found[tree.start(name)] = path
        waiting += ((child, path) for child in node.named_children)
    return found


def _statement(tree: SourceTree, node: Node) -> Node:
    """The smallest statement, declaration or list of parameters around a name."""
    blocks = NODES[tree.language].blocks if tree.language in NODES else frozenset()
    for outer in tree.ancestors(node)[:-1]:  # the last one is the root
        if outer.type in blocks:
            break
        node = outer
        if "parameters" in node.type:
            break
    return node


def _around(tree: SourceTree, node: Node) -> tuple[Token, ...]:
    """The tokens of the statement or the parameters that a name is in."""
    around = _statement(tree, node)
    return tree.tokens_in(tree.start(around), tree.end(around))


def _beside(tree: SourceTree, node: Node) -> frozenset[str]:
    """The other names of the parameters that a name is in, or those with its role in the same statement."""
    around, found = _statement(tree, node), set[str]()
    for token in _around(tree, node):
        other = tree.name_at(token.start) if token.is_name and token.start != tree.start(node) else None
        if other is not None and ("parameters" in around.type or _role(tree, other) == _role(tree, node)):
            found.add(token.text)
    return frozenset(found)


def _are_alike(before: SourceTree, old: Node, after: SourceTree, new: Node) -> bool:
    """Whether what two names declare is much the same."""
    texts = []
    for tree, node in ((before, old), (after, new)):
        whole = node.parent if _is_definition(tree, node) and node.parent is not None else _statement(tree, node)
        around = whole.parent if "parameters" in whole.type and whole.parent is not None else whole
        tokens = tree.tokens_in(tree.start(around), tree.end(around))
        texts.append([one.text for one in tokens if one.start != tree.start(node)])
    return Levenshtein.normalized_similarity(*texts) >= LEAST_ALIKE


def _is_taken(tree: SourceTree, node: Node, name: str, kind: NameKind) -> bool:
    """Whether there was something else of a name where the renamed one counts."""
    holder = _holder(node)
    if holder is not None:
        names = (child.child_by_field_name("name") for child in holder.named_children)
        return any(tree.text(one) == name for one in names if one is not None)
    around = _enclosing(tree, node) if kind == "local" else _class(tree, node) if kind == "member" else None
    span = (tree.start(around), tree.end(around)) if around is not None else (0, len(tree.document.text))
    tokens = [one for one in tree.tokens_in(*span) if one.text == name and one.is_name]
    if kind == "member":
        return any(_is_own_member(tree, token, around) for token in tokens)
    return any(_is_plain(tree, token) for token in tokens)


def _class(tree: SourceTree, node: Node) -> Node | None:
    """The class that a member is declared in."""
    around = _enclosing(tree, node)
    if around is not None and around.child_by_field_name("name") == node:
        around = _enclosing(tree, around)
    while around is not None and not _is_class(tree, around):
        around = _enclosing(tree, around)
    return around


def _is_own_member(tree: SourceTree, token: Token, around: Node | None) -> bool:
    """Whether a name is declared directly in a class, or is that of a member of the object itself."""
    node = tree.name_at(token.start)
    if node is None or node.parent is None:
        return False
    if _is_member(tree, node):
        return around is None or tree.text(node.parent.named_children[0]) in RECEIVERS
    outer = _enclosing(tree, node)
    if outer is not None and outer.child_by_field_name("name") == node:
        outer = _enclosing(tree, outer)
        return outer == around
    return outer == around and _role(tree, node)[1] in {"name", "left"}


def _is_plain(tree: SourceTree, token: Token) -> bool:
    """Whether a name stands alone: neither after a dot, nor as the keyword of an argument."""
    node, syntax = tree.name_at(token.start), FUNCTIONS.get(tree.language)
    if node is None or node.parent is None:
        return False
    kind, field = _role(tree, node)
    is_keyword = syntax is not None and kind == syntax.keyword and field == "name"
    return not is_keyword and not _is_member(tree, node)


def _is_member(tree: SourceTree, node: Node) -> bool:
    """Whether a name is that of a member, after a dot."""
    (kind, field), members = _role(tree, node), NODES[tree.language].members if tree.language in NODES else {}
    return kind in members and members[kind] == field
