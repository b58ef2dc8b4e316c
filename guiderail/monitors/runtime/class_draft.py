"""A class while the syntax tree of its file is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guiderail.monitors.runtime.facts import ClassFacts
from guiderail.monitors.runtime.nodes import text_of

if TYPE_CHECKING:
    from tree_sitter import Node


@dataclass
class ClassDraft:
    """A class while it is read."""

    node: Node
    name: str
    line: int
    bases: tuple[str, ...] = ()
    metaclass: str = ""
    decorators: tuple[str, ...] = ()
    names: set[str] = field(default_factory=set)
    mentioned: set[str] = field(default_factory=set)
    given_to: set[str] = field(default_factory=set)
    made_up: bool = False
    config: str = ""

    def facts(self) -> ClassFacts:
        """What was read."""
        span = self.node.start_byte, self.node.end_byte
        return ClassFacts(
            self.name, self.line, span, self.bases, self.metaclass, self.decorators, frozenset(self.names),
            frozenset(self.mentioned), frozenset(self.given_to), self.made_up, self.config,
        )  # fmt: skip


def draft_of(node: Node) -> ClassDraft:
    """The draft of a class, of which only the name is read."""
    name = node.child_by_field_name("name")
    return ClassDraft(node, text_of(name), name.start_point.row if name else 0)
