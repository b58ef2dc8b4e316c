"""A proposed edit, and what it follows from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from guiderail.next_edit.signatures import Parameter
from guiderail.text.document import Document
from guiderail.text.edit import Edit

Kind = Literal["rename", "arguments"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """An edit that follows from a change elsewhere.

    Parameters
    ----------
    document
        The text that the edit is for, with its path; the edit is stale once the file holds another.
    edit
        What to replace, by what.
    kind
        A name that was renamed, or the arguments of a call.
    reason
        The change that it follows from, in words.
    missing
        Parameters for which the edit has no value, only their names in its place.
    """

    document: Document
    edit: Edit
    kind: Kind
    reason: str
    missing: tuple[Parameter, ...] = ()

    @property
    def line(self) -> int:
        """The line, from 0, where the edit begins."""
        return self.document.position_at(self.edit.start)[0]
