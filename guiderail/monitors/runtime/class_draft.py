"""A class while the syntax tree of its file is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guiderail.monitors.runtime.facts import ClassFacts
from guiderail.monitors.runtime.nodes import MAKERS, text_of, words
from guiderail.monitors.runtime.shown_names import Tables, names_made

if TYPE_CHECKING:
    from tree_sitter import Node

MOST_CONFIG = 20 * 2_000  # characters of a class's configuration


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
    class_given_to: set[str] = field(default_factory=set)
    made_up: bool = False
    class_made_up: bool = False
    answers_any: bool = False
    assigned: set[str] = field(default_factory=set)
    added: frozenset[str] | None = frozenset()
    config: str = ""

    def configure(self, text: str) -> None:
        """Note a part of the configuration; one too long may allow anything."""
        self.made_up |= len(self.config) > MOST_CONFIG
        self.class_made_up |= self.made_up
        self.config += f"{text}\n" if len(self.config) <= MOST_CONFIG else ""

    def facts(self) -> ClassFacts:
        """What was read."""
        span = self.node.start_byte, self.node.end_byte
        return ClassFacts(
            self.name, self.line, span, self.bases, self.metaclass, self.decorators,
            names=frozenset(self.names | self.assigned), mentioned=frozenset(self.mentioned),
            given_to=frozenset(self.given_to), class_given_to=frozenset(self.class_given_to),
            makes_names_up=self.made_up, class_makes_names_up=self.class_made_up, answers_any=self.answers_any,
            assigned=frozenset(self.assigned), added=self.added, config=self.config,
        )  # fmt: skip


def draft_of(node: Node) -> ClassDraft:
    """The draft of a class, of which only the name is read."""
    name = node.child_by_field_name("name")
    return ClassDraft(node, text_of(name), name.start_point.row if name else 0)


def made_by(left: Node, name: str, call: Node, tables: Tables) -> ClassDraft | None:
    """The draft of a class that a call makes and that gets a name; None if it makes none."""
    function = words(call.child_by_field_name("function"))
    if function.rpartition(".")[2] not in MAKERS:
        return None
    names = names_made(call, tables)
    made = ClassDraft(left, name, left.start_point.row, (function,), names=set(names or ()))
    made.made_up = made.class_made_up = names is None
    return made
