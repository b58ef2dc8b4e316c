"""Finds the edits that follow from a change of a file: the uses of what it renamed, the calls of what takes others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from guiderail.monitors.analysis.analyser import Analyser
from guiderail.monitors.analysis.answers import Diagnostic, NoAnswer, Reference, References
from guiderail.monitors.analysis.requests import DIAGNOSTICS, OVERRIDES, REFERENCES, Question
from guiderail.monitors.analysis.server import whole
from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.calls import LeftAloneError, call_of, rewritten
from guiderail.next_edit.checking import Checker
from guiderail.next_edit.files import Files
from guiderail.next_edit.overrides import followed
from guiderail.next_edit.places import is_word, lines_of_declaration, offset_of, spelt, start_of
from guiderail.next_edit.proposal import Consequences, LeftAlone, Proposal, left_alone, without_overlaps
from guiderail.next_edit.relevance import may_matter
from guiderail.next_edit.renames import Rename, attributes, class_of_attribute, is_another, renames
from guiderail.next_edit.search_time import InterruptedSearchError, SearchTime
from guiderail.next_edit.signatures import Signature, SignatureChange, signature_changes, signatures
from guiderail.next_edit.source_tree import SourceTree, read
from guiderail.text.document import Document
from guiderail.text.edit import Edit
from guiderail.text.syntax import SlowTextError

T = TypeVar("T")
ANSWER_S = 30.0  # of the first question of a project; the analyser reads it then
POLL_S = 0.02
WORD = re.compile(r"\w+")

Cancelled = Callable[[], bool]


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
    _changed: dict[Path, Document] = field(default_factory=dict, init=False)
    _renamed: dict[str, str] = field(default_factory=dict, init=False)
    _trees: dict[Path, SourceTree | None] = field(default_factory=dict, init=False)
    _alignments: dict[Path, Alignment | None] = field(default_factory=dict, init=False)

    @cached_property
    def _time(self) -> SearchTime:
        return SearchTime(self.cancelled)

    def find(self, before: Document, after: Document, line: int | None = None) -> Consequences:
        """What follows from the change of one file: that in the file itself first, then in open files.

        Parameters
        ----------
        before, after
            The file, with a path. Nothing is found where one of them has errors of syntax.
        line
            Of `after`, from 0: only what follows from the change of what is declared there.

        Raises
        ------
        InterruptedSearchError
            The search was cancelled, or the analyser does not answer.
        """
        self._time.begin()
        old, new = read(before, self._time.check), read(after, self._time.check)
        if old is None or new is None or after.path is None or not may_matter(old, new):
            return Consequences()
        self.follow(before)
        try:
            return self._find(old, new, after.path, line)
        except SlowTextError:
            return Consequences((), (LeftAlone(after.path, 0, "what it changes takes too long to be found"),))

    def _find(self, old: SourceTree, new: SourceTree, path: Path, line: int | None) -> Consequences:
        search = _Search(self, whole(path), Alignment(old, new))
        self._renamed.update((one.old, one.new) for one in renames(search.alignment))
        proposals, overlapping = without_overlaps(search.found())
        ordered = sorted(proposals, key=lambda one: (*self._rank(one.path, path), one.edit.start))
        found = self.checked(ordered)  # all together, since one may need the other
        every = Consequences(found.edits, (*search.left, *overlapping, *found.left))
        return every if line is None else every.of(set(search.reasons(line)))

    def follow(self, before: Document) -> None:
        """Take a file for changed whose earlier text this is: what it holds is seen together with that of others."""
        assert before.path is not None, "it is a file's"
        path = whole(before.path)
        self._changed[path] = replace(before, path=path)

    def checked(self, proposals: Iterable[Proposal]) -> Consequences:
        """The proposals that bring no errors into their files; those of one file stand together.

        Raises
        ------
        InterruptedSearchError
            The search was cancelled, or the analyser does not answer.
        """
        checker, edits, left = Checker(self._diagnose, self._earlier), list[Proposal](), list[LeftAlone]()
        for _, group in groupby(proposals, key=lambda one: one.path):
            own = list(group)
            clean = {id(one) for one in checker.clean(own)}
            edits += [one for one in own if id(one) in clean]
            left += [left_alone(one, f"{one.reason}: it brings errors") for one in own if id(one) not in clean]
        return Consequences(tuple(edits), tuple(left))

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
        """Raise InterruptedSearchError if nobody waits any more, SlowTextError if the search takes too long."""
        self._time.check()

    def tree(self, path: Path) -> SourceTree | None:
        """The tree of another file; None where it cannot be changed, or has errors of syntax."""
        if path not in self._trees:
            document = self.files.get(path)
            self._time.extend()
            self._trees[path] = read(document, self._time.check) if document is not None else None
        return self._trees[path]

    def alignment(self, tree: SourceTree) -> Alignment | None:
        """How another file came from its earlier text; None where that is not known."""
        path = tree.document.path
        assert path is not None, "it is a file's"
        if path not in self._alignments:
            earlier = self.files.earlier(path)
            old = read(earlier, self._time.check) if earlier is not None else None
            self._alignments[path] = Alignment(old, tree) if old is not None else None
        return self._alignments[path]

    def _diagnose(self, document: Document) -> Sequence[Diagnostic]:
        assert document.path is not None, "it is a file's"
        return self.answer(self.analyser.ask(DIAGNOSTICS, _question(whole(document.path), document)))

    def _earlier(self, document: Document) -> list[Diagnostic]:
        """What was wrong with a file before the changes, in today's names."""
        assert document.path is not None, "it is a file's"
        path = whole(document.path)
        text = self._changed.get(path, document).text
        others = tuple(one for other, one in self._changed.items() if other != path)
        question = Question(path, document.language or "", text, 0, others)
        found = self.answer(self.analyser.ask(DIAGNOSTICS, question))
        return [replace(one, message=self._in_new_names(one.message)) for one in found]

    def _in_new_names(self, message: str) -> str:
        return WORD.sub(lambda word: self._renamed.get(word[0], word[0]), message)

    def _rank(self, path: Path, changed: Path) -> tuple[int, Path]:
        return (0 if path == changed else 1 if self.files.is_open(path) else 2), path


def _question(path: Path, document: Document, offset: int = 0) -> Question:
    return Question(path, document.language or "", document.text, offset)


def _reason(change: SignatureChange) -> str:
    """The function as it is now."""
    return f"{'.'.join(change.after.path)}({', '.join(one.name for one in change.after.parameters)})"


@dataclass(frozen=True)
class _Place:
    """Where a name is declared, before the change."""

    tree: SourceTree
    start: int


@dataclass(frozen=True)
class _Search:
    """What may follow from one change of one file.

    Attributes
    ----------
    left
        The places for which nothing is found, once `found` is through.
    """

    finder: Finder
    path: Path
    alignment: Alignment
    left: list[LeftAlone] = field(default_factory=list, init=False)

    def found(self) -> Iterator[Proposal]:
        """The proposals, in no order."""
        for change in signature_changes(self.alignment):
            if not change.is_of_names:  # keywords are uses of a renamed parameter
                yield from self._calls(change)
        for rename in renames(self.alignment):
            yield from self._uses(rename)

    def reasons(self, line: int) -> Iterator[str]:
        """Those of what follows from the change of what is declared in a line."""
        after = self.alignment.after
        for change in signature_changes(self.alignment):
            if line in lines_of_declaration(after, change.after.start):
                yield _reason(change)
        for rename in renames(self.alignment):
            token = self.alignment.became(rename.start)
            if token is not None and line in lines_of_declaration(after, token.start):
                yield f"{rename.old} → {rename.new}"

    def _uses(self, rename: Rename) -> Iterator[Proposal]:
        """The uses of a renamed name, if it was declared where it was replaced."""
        found = self._references(self._own(rename.start))
        if not found.is_declaration and rename.kind != "alias":
            return
        yield from self._renamed(found.places, rename)
        for other in self._same_elsewhere(rename):
            yield from self._renamed(self._references(other).places, rename)

    def _renamed(self, places: Sequence[Reference], rename: Rename) -> Iterator[Proposal]:
        reason, is_local = f"{rename.old} → {rename.new}", rename.kind == "alias"
        for tree, start in self._places(places, rename.old):
            if is_local and tree is not self.alignment.after:
                continue
            text = spelt(tree, start, rename)
            one = Proposal(tree.document, Edit(start, start + len(rename.old), text), "rename", reason)
            if (
                tree is not self.alignment.after
                and rename.kind in {"function", "module"}
                and is_another(tree, rename.new)
            ):
                self.left.append(left_alone(one, f"{reason}: the file has another {rename.new}"))
            else:
                yield one

    def _same_elsewhere(self, rename: Rename) -> Iterator[_Place]:
        """What has a renamed name in subclasses: methods that override it, their parameters, and attributes."""
        if rename.kind == "member":
            yield from self._attributes(rename)
        for one in signatures(self.alignment.before):
            is_method = one.owner is not None and not one.is_constructor
            if is_method and rename.start == one.start:
                yield from (place for place, _ in self._overrides(one))
            elif is_method and any(own.start == rename.start for own in one.parameters):
                for place, other in self._overrides(one):
                    yield from (_Place(place.tree, own.start) for own in other.parameters if own.name == rename.old)

    def _attributes(self, rename: Rename) -> Iterator[_Place]:
        """The attributes of subclasses that are set in place of a renamed one."""
        tree = self.alignment.before
        name = tree.name_at(rename.start)
        around = class_of_attribute(tree, name) if name is not None else None
        own = around.child_by_field_name("name") if around is not None else None
        if own is None:
            return
        declared = self._own(tree.start(own))
        for place in self._implementations(tree.start(own), None):
            heir = place.tree.name_at(place.start)
            if heir is not None and heir.parent is not None and place != declared:
                yield from (_Place(place.tree, start) for start in attributes(place.tree, heir.parent, rename.old))

    def _overrides(self, signature: Signature) -> Iterator[tuple[_Place, Signature]]:
        """The methods of subclasses that override one, as far as their parameters can be read."""
        for place in self._implementations(signature.start, signature.path[-1]):
            if place != self._own(signature.start):
                own = {one.start: one for one in signatures(place.tree)}.get(place.start)
                if own is not None:
                    yield place, own

    def _heirs(self, signature: Signature) -> Iterator[tuple[_Place, str]]:
        """The subclasses that take a class's constructor, each with its name."""
        assert signature.owner is not None, "it is a constructor"
        for place in self._implementations(signature.owner, None):
            name = place.tree.name_at(place.start)
            own = (one.path[-1] for one in signatures(place.tree) if one.owner == place.start and one.is_constructor)
            if name is not None and place != self._own(signature.owner) and not any(own):
                yield place, place.tree.text(name)

    def _implementations(self, start: int, name: str | None) -> Iterator[_Place]:
        """What implements or overrides something of the changed file, where it is written `name`, in texts of before.

        In the changed file that is the text before the change, elsewhere what the file holds.
        """
        for place in self.finder.answer(self.finder.analyser.ask(OVERRIDES, self._question(self._own(start)))):
            self.finder.check()
            tree = self.alignment.before if place.path == self.path else self.finder.tree(place.path)
            if tree is None:
                continue
            found = offset_of(place, tree.document, name) if name else start_of(place, tree.document)
            if found is not None:
                yield _Place(tree, found)

    def _own(self, start: int) -> _Place:
        return _Place(self.alignment.before, start)

    def _calls(self, change: SignatureChange) -> Iterator[Proposal]:
        """The calls of a function whose parameters changed, and the overrides of a method with theirs."""
        old, reason = change.before, _reason(change)
        names = [(self._own(old.start), old.path[-1])]
        if old.is_constructor and old.owner is not None:
            names += [(self._own(old.owner), old.path[-2]), *self._heirs(old)]
        elif old.owner is not None:
            for place, own in self._overrides(old):
                names += [(place, old.path[-1])] if own.shape == old.shape else []
                yield from self._override(place, own, change, reason)
        for declared, name in names:
            for tree, place in self._places(self._references(declared).places, name):
                yield from self._call(tree, place, change, reason)

    def _override(self, at: _Place, own: Signature, change: SignatureChange, reason: str) -> Iterator[Proposal]:
        """What gives an override the parameters that it needs now."""
        try:
            edit = followed(at.tree, own, self.alignment.after, change)
        except LeftAloneError as error:
            self.left.append(self._left(at.tree, at.start, f"{reason}: {error}"))
            return
        if edit is None:
            return
        if at.tree is not self.alignment.before:
            yield Proposal(at.tree.document, edit, "arguments", reason)
        elif (moved := self._moved(edit)) is not None:
            yield Proposal(self.alignment.after.document, moved, "arguments", reason)

    def _moved(self, edit: Edit) -> Edit | None:
        """An edit of the changed file's earlier text in the present one; None where that is another there."""
        old, new = self.alignment.before.document.text, self.alignment.after.document.text
        token = self.alignment.became(edit.start)
        if token is None or new[token.start : token.start + edit.end - edit.start] != old[edit.start : edit.end]:
            return None
        return Edit(token.start, token.start + edit.end - edit.start, edit.text)

    def _call(self, tree: SourceTree, place: int, change: SignatureChange, reason: str) -> Iterator[Proposal]:
        """What a call needs now."""
        node = tree.name_at(place)
        call = call_of(tree, node) if node is not None else None
        if call is None or not self._is_as_it_was(tree, call.start_byte, call.end_byte):
            return
        try:
            edit = rewritten(tree, call, change)
        except LeftAloneError as error:
            self.left.append(self._left(tree, place, f"{reason}: {error}"))
            return
        if edit is not None:
            yield Proposal(tree.document, edit, "arguments", reason)

    def _left(self, tree: SourceTree, place: int, why: str) -> LeftAlone:
        return LeftAlone(tree.document.path or self.path, tree.document.position_at(place)[0], why)

    def _is_as_it_was(self, tree: SourceTree, first_byte: int, last_byte: int) -> bool:
        """Whether a call was not adapted yet."""
        alignment = self.alignment if tree is self.alignment.after else self.finder.alignment(tree)
        return alignment is None or alignment.is_unchanged(tree.offset(first_byte), tree.offset(last_byte))

    def _references(self, place: _Place) -> References:
        return self.finder.answer(self.finder.analyser.ask(REFERENCES, self._question(place)))

    def _question(self, place: _Place) -> Question:
        """About a place in the project as it was before the change."""
        document = place.tree.document
        if place.tree is self.alignment.before:
            return _question(self.path, document, place.start)
        assert document.path is not None, "it is a file's"
        earlier = replace(self.alignment.before.document, path=self.path)
        return replace(_question(whole(document.path), document, place.start), besides=(earlier,))

    def _places(self, places: Sequence[Reference], name: str) -> Iterator[tuple[SourceTree, int]]:
        """The places, in today's texts, where a name still is written as it was."""
        for place in places:
            self.finder.check()
            if place.path == self.path:
                start = offset_of(place, self.alignment.before.document, name)
                token = self.alignment.became(start) if start is not None else None
                tree, start = self.alignment.after, token.start if token is not None else None
            else:
                tree = self.finder.tree(place.path)
                start = offset_of(place, tree.document, name) if tree is not None else None
            if tree is not None and start is not None and is_word(tree.document.text, start, name):
                yield tree, start
