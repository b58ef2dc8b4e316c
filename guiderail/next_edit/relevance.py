"""Whether a change can have consequences at all: most are a line more, and need no look at the whole file."""

from __future__ import annotations

from guiderail.next_edit.fields import constructor_of
from guiderail.next_edit.source_tree import SourceTree
from guiderail.text.edit import Edit, diff
from guiderail.text.languages.table import FUNCTIONS


def may_matter(before: SourceTree, after: SourceTree) -> bool:
    """Whether the change between two texts may have replaced a name, or changed parameters or fields."""
    edit = diff(before.document.text, after.document.text)
    end = edit.start + len(edit.text)
    return (
        _touches_name(before.document.text, edit)
        or _in_parameters(before, edit.start, edit.end)
        or _in_parameters(after, edit.start, end)
        or _in_fields(before, edit.start, edit.end)
        or _in_fields(after, edit.start, end)
    )


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """A stretch without the space around it: a whole line reaches to the next one, which may lie outside its block."""
    part = text[start:end]
    return (start + len(part) - len(part.lstrip()), start + len(part.rstrip())) if part.strip() else (start, end)


def _touches_name(text: str, edit: Edit) -> bool:
    """Whether an edit takes away a part of a word, or makes one longer."""
    around = (text[max(0, edit.start - 1) : edit.start], edit.text[:1]), (edit.text[-1:], text[edit.end : edit.end + 1])
    return any(map(_is_word, text[edit.start : edit.end])) or any(all(map(_is_word, pair)) for pair in around)


def _is_word(char: str) -> bool:
    return char.isalnum() or char in {"_", "$", "#"}


def _in_parameters(tree: SourceTree, start: int, end: int) -> bool:
    """Whether a stretch of a text lies in a list of parameters."""
    node = tree.node_around(start, end)
    return node is not None and any("parameter" in one.type for one in (node, *tree.ancestors(node)))


def _in_fields(tree: SourceTree, start: int, end: int) -> bool:
    """Whether a stretch of a text lies in a class that has a constructor by its fields, or in its decorators."""
    node, syntax = tree.node_around(*_trimmed(tree.document.text, start, end)), FUNCTIONS.get(tree.language)
    if node is None or syntax is None:
        return False
    declared = syntax.functions | syntax.classes | {"decorated_definition"}
    around = next((one for one in (node, *tree.ancestors(node)) if one.type in declared), None)
    around = around and (around.child_by_field_name("definition") or around)
    return around is not None and around.type in syntax.classes and constructor_of(tree, around) is not None
