"""Edits as a patch that ``git apply`` and ``patch -p1`` take."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence

from guiderail.next_edit.proposal import applied
from guiderail.text.document import Document
from guiderail.text.edit import Edit

CONTEXT = 3  # unchanged lines around a change
NO_END = "\\ No newline at end of file\n"


def patch_of(document: Document, edits: Sequence[Edit], name: str) -> str:
    """The patch of one file.

    Parameters
    ----------
    document
        The file before.
    edits
        In any order; they do not overlap.
    name
        Its path in the repository.
    """
    parts, shift = [f"--- {_quoted('a/' + name)}\n+++ {_quoted('b/' + name)}\n"], 0
    for first, last, own in _clusters(document, edits):
        start = document.line_start(first)
        end = document.line_start(last + 1) if last + 1 < document.line_count else len(document.text)
        old = Document(document.text[start:end])
        new = applied(old, [Edit(one.start - start, one.end - start, one.text) for one in own])
        lines = [one.text.split("\n") for one in (old, new)]
        before, after = ([*(f"{line}\n" for line in some[:-1]), *filter(None, some[-1:])] for some in lines)
        header = f"@@ -{first + 1},{len(before)} +{first + 1 + shift},{len(after)} @@\n"
        body = list(difflib.unified_diff(before, after, n=len(before)))[3:]
        parts += [header, *(line if line.endswith("\n") else f"{line}\n{NO_END}" for line in body)]
        shift += len(after) - len(before)
    return "".join(parts)


def _clusters(document: Document, edits: Sequence[Edit]) -> list[tuple[int, int, list[Edit]]]:
    """The edits of which the context meets, with their first and last lines."""
    found: list[tuple[int, int, list[Edit]]] = []
    for edit in sorted(edits, key=lambda one: one.start):
        first, last = (document.position_at(at)[0] for at in (edit.start, edit.end))
        first, last = max(0, first - CONTEXT), min(document.line_count - 1, last + CONTEXT)
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]), [*found[-1][2], edit])
        else:
            found.append((first, last, [edit]))
    return found


def _quoted(name: str) -> str:
    """A name as git writes it in a patch: one with a line end could hold another patch."""
    if name.isprintable() and not set(name) & set('"\\'):
        return name
    octal = (chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\{byte:03o}" for byte in os.fsencode(name))
    return f'"{"".join(octal)}"'
