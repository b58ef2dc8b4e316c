"""Suggestions that only copy a line beside the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from guiderail.text.backwards import lines_above

if TYPE_CHECKING:
    from guiderail.monitors.change import Change
    from guiderail.text.document import Document

SHORTEST = 12  # characters without blanks: people do write short lines twice, such as `return None`
LONGEST = 4000  # characters below the cursor in which the next line is looked for


def copied_from(document: Document, change: Change) -> Literal["above", "below"] | None:
    """Which of the lines beside the cursor a change makes once more; None for neither.

    Only a line that the change writes for the most part is a copy: who has typed the half of it wants it.
    """
    start, end = _line_of(document, change)
    before, rest = document.text[start : change.start].strip(), document.text[change.end : end].strip()
    line = (document.text[start : change.start] + change.text + document.text[change.end : end]).strip()
    if "\n" in line or len(line) < SHORTEST or len(before) + len(rest) > len(change.text.strip()):
        return None
    if line == next((one.strip() for one in lines_above(document.text, start) if one.strip()), None):
        return "above"
    below = document.text[end : end + LONGEST].split("\n")
    return "below" if line == next((one.strip() for one in below if one.strip()), None) else None


def _line_of(document: Document, change: Change) -> tuple[int, int]:
    line, _ = document.position_at(change.start)
    return document.line_start(line), document.line_end(document.position_at(change.end)[0])
