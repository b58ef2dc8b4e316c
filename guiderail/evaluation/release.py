"""The files of a release, with what they declare and call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from tree_sitter import Node

from guiderail.evaluation.declarations import Declaration, declarations
from guiderail.evaluation.packages import VENDOR_FOLDERS
from guiderail.next_edit.source_tree import SourceTree, Token, read
from guiderail.text.document import Document
from guiderail.text.language import language_of
from guiderail.text.languages.table import FUNCTIONS, NODES


@dataclass(frozen=True)
class Release:
    """The files of a release: their texts by path."""

    texts: Mapping[str, str]
    _trees: dict[str, SourceTree | None] = field(default_factory=dict, init=False)
    _declared: dict[str, dict[tuple[str, ...], Declaration]] = field(default_factory=dict, init=False)
    _calls: dict[str, list[tuple[str, Node, Node]]] = field(default_factory=dict, init=False)

    def tree(self, path: str) -> SourceTree | None:
        """The tree of a file; None if it has errors of syntax, or is too long."""
        if path not in self._trees:
            self._trees[path] = read(Document(self.texts[path], Path(path), language_of(path)))
        return self._trees[path]

    def declared(self, path: str) -> dict[tuple[str, ...], Declaration]:
        """What a file declares."""
        if path not in self._declared:
            tree = self.tree(path)
            self._declared[path] = declarations(tree) if tree is not None else {}
        return self._declared[path]

    def calls(self, path: str) -> list[tuple[str, Node, Node]]:
        """The calls of a file: the last name of what is called, its node, and the call."""
        if path not in self._calls:
            tree = self.tree(path)
            self._calls[path] = list(calls(tree)) if tree is not None else []
        return self._calls[path]

    @cached_property
    def bases(self) -> dict[str, set[str]]:
        """By class of any file what it is derived from, and what that is derived from."""
        own: dict[str, set[str]] = {}
        for path in self.texts:
            for one in self.declared(path).values():
                if one.kind == "class":
                    own.setdefault(one.name, set()).update(one.bases)
        return {name: _reached(name, own) for name in own}

    @cached_property
    def owners(self) -> dict[str, set[str]]:
        """By member the classes of any file that declare it."""
        found: dict[str, set[str]] = {}
        for path in self.texts:
            for one in self.declared(path).values():
                if one.owner:
                    found.setdefault(one.name, set()).add(one.owner)
        return found

    def is_topmost(self, one: Declaration) -> bool:
        """Whether no class that a member's class is derived from declares it too."""
        return not self.bases.get(one.owner, set()) & self.owners.get(one.name, set())


def _reached(name: str, own: Mapping[str, set[str]]) -> set[str]:
    found, waiting = set[str](), [name]
    while waiting:
        new = own.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found - {name}


def calls(tree: SourceTree) -> Iterator[tuple[str, Node, Node]]:
    syntax, members, waiting = FUNCTIONS[tree.language], NODES[tree.language].members, [tree.root]
    while waiting:
        node = waiting.pop()
        called = node.child_by_field_name(syntax.calls[node.type]) if node.type in syntax.calls else None
        if called is not None:
            name = called.child_by_field_name(members[called.type]) if called.type in members else called
            if name is not None and "identifier" in name.type:
                yield tree.text(name), name, node
        waiting += node.named_children


def values_of(call: Node) -> list[Node] | None:
    """The arguments of a call; None where they are none in brackets."""
    listed = call.child_by_field_name("arguments")
    if listed is None or listed.type == "generator_expression":
        return None
    return [one for one in listed.named_children if "comment" not in one.type]


def call_at(tree: SourceTree, token: Token) -> Node | None:
    name = tree.name_at(token.start)
    node = name
    while node is not None and node.type not in FUNCTIONS[tree.language].calls:
        if node is not name and node.type not in NODES[tree.language].members:
            return None
        node = node.parent
    return node


def texts_of(files: Iterable[tuple[str, bytes]], language: str) -> dict[str, str]:
    """The texts of an archive's files in a language that are hand-written, tests among them."""
    found = {}
    for path, raw in files:
        own = language_of(path) or ""
        if own.removesuffix("react") == language and not path.endswith((".d.ts", ".min.js")) and _is_own(path):
            try:
                found[path] = raw.decode("utf-8-sig").replace("\r\n", "\n")
            except UnicodeDecodeError:
                continue
    return found


def _is_own(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return not any(part.lower() in VENDOR_FOLDERS | {"node_modules", "..", "/"} for part in parts)
