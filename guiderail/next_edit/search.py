"""What may follow from one change of one file, before it is checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

from tree_sitter import Node

from guiderail.monitors.analysis.analyser import Analyser
from guiderail.monitors.analysis.answers import MOST_REFERENCES, Reference, References
from guiderail.monitors.analysis.requests import OVERRIDES, REFERENCES, Question
from guiderail.monitors.analysis.server import whole
from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.calls import (
    GAP,
    LeftAloneError,
    call_of,
    calls_of_own_class,
    keywords,
    rewritten,
    use_beside_calls,
)
from guiderail.next_edit.overrides import followed
from guiderail.next_edit.places import is_declared, is_word, lines_of_declaration, offset_of, spelt, start_of
from guiderail.next_edit.proposal import LeftAlone, Proposal, left_alone
from guiderail.next_edit.renames import Rename, attributes, class_of_attribute, is_another, renames
from guiderail.next_edit.search_time import TooManyUsesError
from guiderail.next_edit.signatures import Signature, SignatureChange, signature_changes, signatures
from guiderail.next_edit.source_tree import SourceTree
from guiderail.text.document import Document
from guiderail.text.edit import Edit

NEW = "the file is new since then, or cannot be compared"

T = TypeVar("T")


class Project(Protocol):
    """What a search asks for: an analyser's answers, and the files as they are and were."""

    @property
    def analyser(self) -> Analyser:
        """One that finds references."""
        ...

    def answer(self, future: Future[T]) -> T:
        """An answer, once it is there."""
        ...

    def check(self) -> None:
        """Raise if the search has to end."""
        ...

    def tree(self, path: Path) -> SourceTree | None:
        """The tree of another file; None where it cannot be changed, or has errors of syntax."""
        ...

    def why_not(self, path: Path) -> str:
        """Why a file of the project cannot be changed; "" of one that can, or that is not the project's own."""
        ...

    def alignment(self, tree: SourceTree) -> Alignment | None:
        """How another file came from its earlier text; None where that is not known."""
        ...

    def may_be_adapted(self, tree: SourceTree) -> bool:
        """Whether nothing tells what of another file was adapted since the change."""
        ...


def question(path: Path, document: Document, offset: int = 0) -> Question:
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
class Search:
    """What may follow from one change of one file.

    Attributes
    ----------
    left
        The places for which nothing is found, once `found` is through.
    """

    project: Project
    path: Path
    alignment: Alignment
    left: list[LeftAlone] = field(default_factory=list, init=False)
    _alone: set[tuple[Path | None, int]] = field(default_factory=set, init=False)  # keywords of calls left alone

    def found(self) -> Iterator[Proposal]:
        """The proposals, in no order."""
        for change in signature_changes(self.alignment):
            if not change.is_of_names:  # keywords are uses of a renamed parameter
                yield from self._unless_too_many(self._calls(change), change.before.start, _reason(change))
        for rename in renames(self.alignment):
            yield from self._unless_too_many(self._uses(rename), rename.start, f"{rename.old} → {rename.new}")

    def _unless_too_many(self, proposals: Iterator[Proposal], cause: int, reason: str) -> list[Proposal]:
        """What follows from one change; nothing where not all places are known, which the other changes do not mind."""
        try:
            return list(proposals)
        except TooManyUsesError:
            token, before = self.alignment.became(cause), self.alignment.before
            if token is not None and is_declared(before, cause):  # of a use that was replaced nothing follows
                why = f"{reason}: it has more than {MOST_REFERENCES:,} uses"
                self.left.append(self._left(self.alignment.after, token.start, why, cause))
            return []

    def causes(self, line: int) -> Iterator[int]:
        """Where what is declared in a line, and was changed, began before."""
        after = self.alignment.after
        for change in signature_changes(self.alignment):
            lines = {after.document.position_at(one.start)[0] for one in change.after.parameters}
            if line in lines | {*lines_of_declaration(after, change.after.start)}:
                yield change.before.start
        for rename in renames(self.alignment):
            token = self.alignment.became(rename.start)
            if token is not None and line in lines_of_declaration(after, token.start):
                yield rename.start

    def users(self, start: int) -> Iterator[Path]:
        """The files in which what was declared at an offset is used."""
        found = self._references(self._own(start))
        if found.is_declaration:
            yield from (one.path for one in found.places)

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
        for tree, start in self._places(places, rename.old, reason, rename.start):
            is_elsewhere = is_local and tree is not self.alignment.after
            if is_elsewhere or (tree.document.path, start) in self._alone:
                continue
            text = spelt(tree, start, rename)
            one = Proposal(
                tree.document, Edit(start, start + len(rename.old), text), "rename", reason, cause=rename.start
            )
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
            if name is None or place == self._own(signature.owner) or any(own):
                continue
            if signature.is_of_fields and self._has_fields_again(place.tree, name, signature):
                continue  # its constructor has others, in another order
            yield place, place.tree.text(name)

    def _has_fields_again(self, tree: SourceTree, name: Node, signature: Signature) -> bool:
        """Whether a subclass declares a field that its base has."""
        around = name.parent
        fields = (one.name for one in signature.parameters)
        return around is not None and any(True for one in fields for _ in attributes(tree, around, one))

    def _implementations(self, start: int, name: str | None) -> Iterator[_Place]:
        """What implements or overrides something of the changed file, where it is written `name`, in texts of before.

        In the changed file that is the text before the change, elsewhere what the file holds.
        """
        for place in self.project.answer(self.project.analyser.ask(OVERRIDES, self._question(self._own(start)))):
            self.project.check()
            tree = self.alignment.before if place.path == self.path else self.project.tree(place.path)
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
        names = [] if old.is_of_fields else [(self._own(old.start), old.path[-1])]
        if old.is_constructor and old.owner is not None:
            names += [(self._own(old.owner), old.path[-2]), *self._heirs(old)]
        for declared, name in names:
            yield from self._calls_of(declared, name, change)
            if old.is_constructor:
                yield from self._calls_by_class_methods(declared, change)
        if old.owner is not None and not old.is_constructor:
            for place, own in self._overrides(old):
                for edit in self._override(place, own, change, reason):  # without it, its calls are right already
                    yield edit
                    calls = self._calls_of(place, old.path[-1], change)
                    yield from (replace(one, needs=edit) for one in calls)

    def _calls_of(self, declared: _Place, name: str, change: SignatureChange) -> Iterator[Proposal]:
        """The calls of what is declared somewhere."""
        places, reason = self._references(declared).places, _reason(change)
        for tree, place in self._places(places, name, reason, change.before.start):
            yield from self._call(tree, place, change, reason)

    def _calls_by_class_methods(self, declared: _Place, change: SignatureChange) -> Iterator[Proposal]:
        """The calls `cls(…)` in the methods of a class."""
        tree, start = declared.tree, declared.start
        if tree is self.alignment.before:
            token = self.alignment.became(start)
            tree, start = self.alignment.after, token.start if token is not None else -1
        name = tree.name_at(start) if start >= 0 else None
        around = name.parent if name is not None else None
        if around is not None and around.type == "class_definition":
            for call in calls_of_own_class(tree, around):
                yield from self._adapted(tree, tree.start(call), call, change, _reason(change))

    def _override(self, at: _Place, own: Signature, change: SignatureChange, reason: str) -> Iterator[Proposal]:
        """What gives an override the parameters that it needs now."""
        cause = change.before.start
        try:
            edit = followed(at.tree, own, self.alignment.after, change)
        except LeftAloneError as error:
            self.left.append(self._left(at.tree, at.start, f"{reason}: {error}", cause))
            return
        if edit is None:
            return
        if at.tree is not self.alignment.before and self.project.may_be_adapted(at.tree):
            self.left.append(self._left(at.tree, at.start, f"{reason}: {NEW}", cause))
        elif at.tree is not self.alignment.before:
            spelt_anew = frozenset(one.start for one in own.parameters)
            yield Proposal(at.tree.document, edit, "arguments", reason, spelt=spelt_anew, cause=cause)
        elif (moved := self._moved(edit)) is not None:
            tokens = (self.alignment.became(one.start) for one in own.parameters)
            spelt_anew = frozenset(token.start for token in tokens if token is not None)
            yield Proposal(self.alignment.after.document, moved, "arguments", reason, spelt=spelt_anew, cause=cause)

    def _moved(self, edit: Edit) -> Edit | None:
        """An edit of the changed file's earlier text in the present one; None where that is another there."""
        old, new = self.alignment.before.document.text, self.alignment.after.document.text
        token = self.alignment.became(edit.start)
        if token is None or new[token.start : token.start + edit.end - edit.start] != old[edit.start : edit.end]:
            return None
        return Edit(token.start, token.start + edit.end - edit.start, edit.text)

    def _call(self, tree: SourceTree, place: int, change: SignatureChange, reason: str) -> Iterator[Proposal]:
        """What the call of a name needs now."""
        node = tree.name_at(place)
        call = call_of(tree, node) if node is not None else None
        if call is not None:
            yield from self._adapted(tree, place, call, change, reason)
        elif node is not None and (why := use_beside_calls(tree, node, change)):
            self.left.append(self._left(tree, place, f"{reason}: {why}", change.before.start))

    def _adapted(
        self, tree: SourceTree, place: int, call: Node, change: SignatureChange, reason: str
    ) -> Iterator[Proposal]:
        """What a call needs now; of one that is left alone no keyword is renamed either."""
        cause = change.before.start
        if not self._is_as_it_was(tree, call.start_byte, call.end_byte):
            return
        path, names = tree.document.path, keywords(tree, call)
        try:
            edit = rewritten(tree, call, change)
        except LeftAloneError as error:
            self._alone.update((path, start) for start in names)
            self.left.append(self._left(tree, place, f"{reason}: {error}", cause))
            return
        if edit is not None and GAP.search(edit.text):
            self._alone.update((path, start) for start in names)
        if edit is not None and tree is not self.alignment.after and self.project.may_be_adapted(tree):
            self.left.append(self._left(tree, place, f"{reason}: {NEW}", cause))
        elif edit is not None:
            yield Proposal(tree.document, edit, "arguments", reason, spelt=names, cause=cause)

    def _left(self, tree: SourceTree, place: int, why: str, cause: int) -> LeftAlone:
        return LeftAlone(tree.document.path or self.path, tree.document.position_at(place)[0], why, cause)

    def _is_as_it_was(self, tree: SourceTree, first_byte: int, last_byte: int) -> bool:
        """Whether a call was not adapted yet."""
        alignment = self.alignment if tree is self.alignment.after else self.project.alignment(tree)
        return alignment is None or alignment.is_unchanged(tree.offset(first_byte), tree.offset(last_byte))

    def _references(self, place: _Place) -> References:
        return self.project.answer(self.project.analyser.ask(REFERENCES, self._question(place)))

    def _question(self, place: _Place) -> Question:
        """About a place in the project as it was before the change."""
        document = place.tree.document
        if place.tree is self.alignment.before:
            return question(self.path, document, place.start)
        assert document.path is not None, "it is a file's"
        earlier = replace(self.alignment.before.document, path=self.path)
        return replace(question(whole(document.path), document, place.start), besides=(earlier,))

    def _places(
        self, places: Sequence[Reference], name: str, reason: str, cause: int
    ) -> Iterator[tuple[SourceTree, int]]:
        """The places, in today's texts, where a name still is written as it was; others are left, if it can be told."""
        for place in places:
            self.project.check()
            if place.path == self.path:
                start = offset_of(place, self.alignment.before.document, name)
                token = self.alignment.became(start) if start is not None else None
                tree, start = self.alignment.after, token.start if token is not None else None
            else:
                tree = self.project.tree(place.path)
                start = offset_of(place, tree.document, name) if tree is not None else None
                if tree is None and (why := self.project.why_not(place.path)):
                    self.left.append(LeftAlone(place.path, place.line, f"{reason}: {why}", cause))
            if tree is not None and start is not None and is_word(tree.document.text, start, name):
                yield tree, start
