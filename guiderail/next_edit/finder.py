"""Finds the edits that follow from a change of a file: the uses of what it renamed, the calls of what takes others."""

from __future__ import annotations

import time
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from guiderail.monitors.analysis.analyser import Analyser
from guiderail.monitors.analysis.answers import Diagnostic, NoAnswer, Reference, References
from guiderail.monitors.analysis.requests import DIAGNOSTICS, REFERENCES, Question
from guiderail.monitors.analysis.server import whole
from guiderail.monitors.verdict import errors_in, new_errors
from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.calls import call_of, rewritten
from guiderail.next_edit.files import Files
from guiderail.next_edit.proposal import Proposal
from guiderail.next_edit.signatures import SignatureChange, signature_changes
from guiderail.next_edit.source_tree import SourceTree, Token, read
from guiderail.text.document import Document
from guiderail.text.edit import Edit
from guiderail.text.positions import to_column

T = TypeVar("T")
ANSWER_S = 30.0  # of the first question of a project; the analyser reads it then
POLL_S = 0.02
MOST_PLACES = 8  # of one renamed name that an analyser is asked about: the first that declares it says enough

Cancelled = Callable[[], bool]


class InterruptedSearchError(Exception):
    """The search was cancelled, or the analyser does not answer."""


@dataclass(frozen=True)
class Finder:
    """Finds what follows from a change.

    Parameters
    ----------
    analyser
        One that finds references.
    files
        The files that may be changed.
    cancelled
        Whether nobody waits for the answer any more.
    """

    analyser: Analyser
    files: Files
    cancelled: Cancelled = lambda: False
    _trees: dict[Path, SourceTree | None] = field(default_factory=dict, init=False)
    _errors: dict[Path, list[Diagnostic]] = field(default_factory=dict, init=False)

    def find(self, before: Document, after: Document) -> list[Proposal]:
        """The proposals for a change of one file, those nearest to it first; not checked yet.

        Parameters
        ----------
        before, after
            The file, with a path. Nothing is found where one of them has errors of syntax.

        Raises
        ------
        InterruptedSearchError
            The search was cancelled, or the analyser does not answer.
        """
        old, new = read(before), read(after)
        if old is None or new is None or before.text == after.text or after.path is None:
            return []
        search = _Search(self, whole(after.path), Alignment(old, new))
        return _ordered(search.found(), after, self.files)

    def right(self, proposals: Sequence[Proposal]) -> list[Proposal]:
        """Those of one file that bring no errors into it.

        An import that follows a rename is wrong until the uses follow too, and a renamed call until it has its new
        arguments. So all are tried together; if that brings errors, those of each change; then each alone. Errors where
        an argument is missing are only those of that call.

        Raises
        ------
        InterruptedSearchError
            The search was cancelled, or the analyser does not answer.
        """
        right = self._right_together(proposals)
        if right is not None:
            return right
        reasons = {one.reason for one in proposals}
        if len(reasons) > 1:
            groups = [[one for one in proposals if one.reason == reason] for reason in reasons]
        else:
            groups = [[one] for one in proposals] if len(proposals) > 1 else []
        kept = {one for group in groups for one in self.right(group)}
        return [one for one in proposals if one in kept]

    def _right_together(self, proposals: Sequence[Proposal]) -> list[Proposal] | None:
        """Those without errors of their own, if all together bring none elsewhere."""
        if not proposals:
            return []
        document = proposals[0].document
        assert document.path is not None, "proposals are for files"
        path, changed = whole(document.path), applied(document, [one.edit for one in proposals])
        if read(changed) is None:
            return None
        errors = errors_in(self.answer(self.analyser.ask(DIAGNOSTICS, _question(path, changed))))
        if errors and path not in self._errors:
            self._errors[path] = errors_in(self.answer(self.analyser.ask(DIAGNOSTICS, _question(path, document))))
        errors = new_errors(errors, self._errors[path]) if errors else []
        unfilled = {
            one: [error for error in errors if start <= error.start < end]
            for one, (start, end) in zip(proposals, _spans(proposals), strict=True)
            if one.missing
        }
        if len(errors) > sum(map(len, unfilled.values())):
            return None
        return [one for one in proposals if not unfilled.get(one)]

    def answer(self, future: Future[T]) -> T:
        """An answer, once it is there."""
        until = time.monotonic() + ANSWER_S
        while not self.cancelled() and time.monotonic() < until:
            try:
                return future.result(POLL_S)
            except LateError:
                continue
            except (NoAnswer, CancelledError) as error:
                raise InterruptedSearchError(str(error)) from error
        raise InterruptedSearchError("cancelled" if self.cancelled() else "late")

    def check(self) -> None:
        """Raise InterruptedSearchError if nobody waits any more."""
        if self.cancelled():
            raise InterruptedSearchError("cancelled")

    def tree(self, path: Path) -> SourceTree | None:
        """The tree of another file; None where it cannot be changed, or has errors of syntax."""
        if path not in self._trees:
            document = self.files.get(path)
            self._trees[path] = read(document) if document is not None else None
        return self._trees[path]


def judged(finder: Finder, proposals: Iterable[Proposal]) -> Iterator[tuple[Proposal, bool]]:
    """The proposals, each with whether it is right; file by file."""
    for _, group in groupby(proposals, key=lambda one: one.document.path):
        own = list(group)
        right = frozenset(finder.right(own))
        yield from ((one, one in right) for one in own)


def applied(document: Document, edits: Iterable[Edit]) -> Document:
    """A document after edits of it that do not overlap."""
    text, parts, end = document.text, list[str](), 0
    for edit in sorted(edits, key=lambda one: one.start):  # at once: there may be thousands in a long text
        parts += [text[end : edit.start], edit.text]
        end = edit.end
    return replace(document, text="".join((*parts, text[end:])))


def _spans(proposals: Sequence[Proposal]) -> list[tuple[int, int]]:
    """Where each edit's text is after all edits of one document."""
    spans, shift = dict[int, tuple[int, int]](), 0
    for number in sorted(range(len(proposals)), key=lambda one: proposals[one].edit.start):
        edit = proposals[number].edit
        start = edit.start + shift
        spans[number] = start, start + len(edit.text)
        shift += len(edit.text) - (edit.end - edit.start)
    return [spans[number] for number in range(len(proposals))]


def _question(path: Path, document: Document, offset: int = 0) -> Question:
    return Question(path, document.language or "", document.text, offset)


@dataclass(frozen=True)
class _Search:
    """What follows from one change of one file."""

    finder: Finder
    path: Path
    alignment: Alignment

    def found(self) -> Iterator[Proposal]:
        """The proposals, in no order; of two for the same place the first counts."""
        changes = list(signature_changes(self.alignment))
        for change in changes:
            yield from self._calls(change)
        swapped = {parameter.start for change in changes for parameter in _kept(change)}
        for (old, new), tokens in self.alignment.renamed().items():
            if not all(token.start in swapped for token in tokens):
                yield from self._uses(old, new, tokens)

    def _uses(self, old: str, new: str, tokens: Sequence[Token]) -> Iterator[Proposal]:
        """The uses of a renamed name, if one of the replaced tokens declares it."""
        for token in tokens[:MOST_PLACES]:
            found = self._references(token.start)
            if not found.is_declaration:
                continue
            is_member = token.kind.startswith("property")
            for tree, start in self._places(found.places, old):
                text = _spelt(tree, start, old, new, is_member=is_member)
                yield Proposal(tree.document, Edit(start, start + len(old), text), "rename", f"{old} → {new}")

    def _calls(self, change: SignatureChange) -> Iterator[Proposal]:
        """The calls of a function whose parameters changed."""
        old, new = change.before, change.after
        start = old.owner if old.is_constructor and old.owner is not None else old.start
        name = old.path[-2] if old.is_constructor else old.path[-1]
        reason = f"{'.'.join(new.path)}({', '.join(one.name for one in new.parameters)})"
        for tree, place in self._places(self._references(start).places, name):
            node = tree.name_at(place)
            call = call_of(tree, node) if node is not None else None
            found = rewritten(tree, call, change) if call is not None else None
            if found is not None:
                yield Proposal(tree.document, found.edit, "arguments", reason, found.missing)

    def _references(self, start: int) -> References:
        question = _question(self.path, self.alignment.before.document, start)
        return self.finder.answer(self.finder.analyser.ask(REFERENCES, question))

    def _places(self, places: Sequence[Reference], name: str) -> Iterator[tuple[SourceTree, int]]:
        """The places, in today's texts, where a name still is written as it was."""
        for place in places:
            self.finder.check()
            if place.path == self.path:
                start = _offset(place, self.alignment.before.document)
                token = self.alignment.became(start) if start is not None else None
                tree, start = self.alignment.after, token.start if token is not None else None
            else:
                tree = self.finder.tree(place.path)
                start = _offset(place, tree.document) if tree is not None else None
            if tree is not None and start is not None and tree.document.text.startswith(name, start):
                node = tree.name_at(start)
                if node is not None and tree.text(node) == name:
                    yield tree, start


def _offset(place: Reference, document: Document) -> int | None:
    """Where a place is in a text; None if it has no such line."""
    if place.line >= document.line_count:
        return None
    return document.line_start(place.line) + to_column(document.line_text(place.line), place.units, place.encoding)


def _kept(change: SignatureChange) -> Iterator[Token]:
    """The parameters of the earlier signature whose name the later one has too, wherever it is."""
    names = {one.name for one in change.after.parameters}
    return (Token(one.name, one.start, "") for one in change.before.parameters if one.name in names)


def _spelt(tree: SourceTree, start: int, old: str, new: str, *, is_member: bool) -> str:
    """The new name; where an object's literal or pattern has one name for a key and a value, both."""
    node = tree.name_at(start)
    if node is None or not node.type.startswith("shorthand_property"):
        return new
    return f"{new}: {old}" if is_member else f"{old}: {new}"


def _ordered(found: Iterator[Proposal], changed: Document, files: Files) -> list[Proposal]:
    """The file itself first, then open files, then the others; each from its top, without what overlaps."""
    kept: dict[tuple[Path, int], Proposal] = {}
    spans: dict[Path, list[Edit]] = {}
    for proposal in found:
        path, edit = proposal.document.path, proposal.edit
        assert path is not None, "proposals are for files"
        others = spans.setdefault(path, [])
        at = bisect(others, edit.start, key=lambda one: one.start)
        if (at == 0 or others[at - 1].end < edit.start) and (at == len(others) or edit.end < others[at].start):
            others.insert(at, edit)
            kept[path, edit.start] = proposal

    def rank(key: tuple[Path, int]) -> tuple[int, Path, int]:
        path, start = key
        return (0 if path == changed.path else 1 if files.is_open(path) else 2), path, start

    return [kept[key] for key in sorted(kept, key=rank)]
