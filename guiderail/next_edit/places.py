"""Where an analyser says that a name is, in a text."""

from __future__ import annotations

from guiderail.monitors.analysis.answers import Reference
from guiderail.next_edit.renames import Rename
from guiderail.next_edit.source_tree import SourceTree
from guiderail.text.document import Document
from guiderail.text.positions import to_column, to_units

MARK = "\ufeff"


def offset_of(place: Reference, document: Document, name: str) -> int | None:
    """Where a name is in a text; None if it is not where the analyser says.

    A byte order mark, which our texts are without, may count in the first line.
    """
    if place.line >= document.line_count:
        return None
    start, line = document.line_start(place.line), document.line_text(place.line)
    marks = (0, to_units(MARK, 1, place.encoding)) if place.line == 0 else (0,)
    places = (start + to_column(line, place.units - mark, place.encoding) for mark in marks)
    return next((one for one in places if is_word(document.text, one, name)), None)


def start_of(place: Reference, document: Document) -> int | None:
    """Where a place is in a text."""
    if place.line >= document.line_count:
        return None
    return document.line_start(place.line) + to_column(document.line_text(place.line), place.units, place.encoding)


def is_word(text: str, start: int, name: str) -> bool:
    """Whether a name stands at an offset, and no longer one."""
    around = text[max(0, start - 1) : start] + text[start + len(name) : start + len(name) + 1]
    return text.startswith(name, start) and not any(one.isalnum() or one == "_" for one in around)


def spelt(tree: SourceTree, start: int, rename: Rename) -> str:
    """The new name; where an object's literal or pattern has one name for a key and a value, both."""
    node = tree.name_at(start)
    if node is None or not node.type.startswith("shorthand_property"):
        return rename.new
    return f"{rename.new}: {rename.old}" if rename.kind == "member" else f"{rename.old}: {rename.new}"


def lines_of_declaration(tree: SourceTree, start: int) -> range:
    """The lines, from 0, of a name that is declared; of a function or its parameters to the end of the parameters."""
    name, first = tree.name_at(start), tree.document.position_at(start)[0]
    for outer in tree.ancestors(name) if name is not None else ():
        listed = outer.child_by_field_name("parameters")
        if listed is not None:
            lines = [first, *(tree.document.position_at(at)[0] for at in (tree.start(listed), tree.end(listed)))]
            return range(min(lines), max(lines) + 1)
        if outer.type.endswith(("statement", "block", "_body")):
            break
    return range(first, first + 1)


def is_declared(tree: SourceTree, start: int) -> bool:
    """Whether the name at an offset may be one that is declared or set there, as far as syntax tells."""
    name = tree.name_at(start)
    parent = name.parent if name is not None else None
    if name is None or parent is None or "argument" in parent.type:
        return False
    fields = ("name", "left", "pattern", "alias")
    return "parameter" in parent.type or any(parent.child_by_field_name(one) == name for one in fields)
