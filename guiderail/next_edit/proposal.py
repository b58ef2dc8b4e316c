"""A proposed edit, and what it follows from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from guiderail.text.document import Document
from guiderail.text.edit import Edit

Kind = Literal["rename", "arguments", "like"]


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
        A name that was renamed, the arguments of a call, or a place like others that were changed.
    reason
        The change that it follows from, in words.
    needs
        The edit of an override without which a call of it stays as it is.
    spelt
        Where the names of parameters are that it writes anew: a rename of one that it replaces is part of it.
    cause
        Where what was changed began in the changed file's earlier text.
    """

    document: Document
    edit: Edit
    kind: Kind
    reason: str
    needs: Proposal | None = field(default=None, compare=False)
    spelt: frozenset[int] = field(default=frozenset(), compare=False)
    cause: int | None = field(default=None, compare=False)

    @property
    def line(self) -> int:
        """The line, from 0, where the edit begins."""
        return self.document.position_at(self.edit.start)[0]

    @property
    def path(self) -> Path:
        """The file."""
        assert self.document.path is not None, "proposals are for files"
        return self.document.path


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A place that the change concerns, for which nothing is proposed; `line` counts from 0, `cause` as there."""

    path: Path
    line: int
    why: str
    cause: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Consequences:
    """What follows from a change: the edits, and the places that are left to the person.

    `unfilled` are the edits that need a value which syntax cannot tell (`guiderail.next_edit.values`); their places are
    among those left.
    """

    edits: tuple[Proposal, ...] = ()
    left: tuple[LeftAlone, ...] = ()
    unfilled: tuple[Proposal, ...] = ()

    def of(self, causes: Collection[int]) -> Consequences:
        """What follows from the change of what began at some offsets of the earlier text."""
        left = tuple(one for one in self.left if one.cause in causes)
        unfilled = tuple(one for one in self.unfilled if one.cause in causes)
        return Consequences(tuple(one for one in self.edits if one.cause in causes), left, unfilled)


def left_alone(proposal: Proposal, why: str) -> LeftAlone:
    """The place of a proposal that is not made."""
    return LeftAlone(proposal.path, proposal.line, why, proposal.cause)


def applied(document: Document, edits: Iterable[Edit]) -> Document:
    """A document after edits of it that do not overlap."""
    parts, at = list[str](), 0
    for edit in sorted(edits, key=lambda one: one.start):
        parts += [document.text[at : edit.start], edit.text]
        at = edit.end
    return Document("".join([*parts, document.text[at:]]), document.path, document.language)


def offset_before(edits: Iterable[Edit], at: int) -> int:
    """Where an offset of a text was before edits that do not overlap; of what they wrote, where that begins."""
    shift = 0
    for edit in sorted(edits, key=lambda one: one.start):
        if at < edit.start + shift:
            break
        if at < edit.start + shift + len(edit.text):
            return edit.start
        shift += len(edit.text) - (edit.end - edit.start)
    return at - shift


def without_overlaps(proposals: Iterable[Proposal]) -> tuple[list[Proposal], list[LeftAlone]]:
    """Of proposals that overlap in one file the smallest, and what is left of the others.

    A renamed keyword goes with its call: alone it would be half an edit.
    """
    kept: dict[Path, list[Proposal]] = {}
    left: list[LeftAlone] = []
    every = list(dict.fromkeys(proposals))
    parts = {(one.path, start) for one in every for start in one.spelt if one.edit.start <= start < one.edit.end}
    every = [one for one in every if one.kind != "rename" or (one.path, one.edit.start) not in parts]
    for one in sorted(every, key=lambda one: one.edit.end - one.edit.start):
        own = kept.setdefault(one.path, [])
        at = bisect_left(own, one.edit.start, key=lambda other: other.edit.start)
        near = own[max(0, at - 1) : at + 1]
        if all(one.edit.end < other.edit.start or other.edit.end < one.edit.start for other in near):
            own.insert(at, one)
        else:
            left.append(left_alone(one, f"{one.reason}: it holds another edit"))
    return [one for own in kept.values() for one in own], left
