"""Finds the edits that follow from a change of a file: the uses of what it renamed, the calls of what takes others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as LateError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby, islice
from pathlib import Path
from typing import TypeVar

from guiderail.monitors.analysis.analyser import Analyser
from guiderail.monitors.analysis.answers import Diagnostic, NoAnswer
from guiderail.monitors.analysis.requests import DIAGNOSTICS, Question
from guiderail.monitors.analysis.server import whole
from guiderail.monitors.verdict import errors_in, new_errors
from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.checking import Checker
from guiderail.next_edit.files import Files
from guiderail.next_edit.heads import changed_declarations
from guiderail.next_edit.proposal import (
    Consequences,
    LeftAlone,
    Proposal,
    applied,
    left_alone,
    offset_before,
    without_overlaps,
)
from guiderail.next_edit.relevance import may_matter
from guiderail.next_edit.renames import renames
from guiderail.next_edit.search import Search, question
from guiderail.next_edit.search_time import InterruptedSearchError, SearchTime, TooManyUsesError
from guiderail.next_edit.source_tree import SourceTree, read
from guiderail.next_edit.values import Write, filled, missing
from guiderail.text.document import Document
from guiderail.text.syntax import SlowTextError

T = TypeVar("T")
ANSWER_S = 30.0  # of the first question of a project; the analyser reads it then
POLL_S = 0.02
MOST_NAMED = 50  # files of which it is told what a change breaks
MOST_USES = 10_000  # that are looked at for them
BROKEN = "the file has errors of syntax, or is too long"
TOO_MANY = "too many"  # places, see answers.read_references
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
        search = Search(self, whole(path), Alignment(old, new))
        self._renamed.update((one.old, one.new) for one in renames(search.alignment))
        rank = lambda one: (*self._rank(one.path, path), one.edit.start)  # noqa: E731
        every = sorted(search.found(), key=rank)
        unfilled = tuple(dict.fromkeys(one for one in every if missing(one)))
        proposals, overlapping = without_overlaps(one for one in every if not missing(one))
        found = self.checked(sorted(proposals, key=rank))  # all together, since one may need the other
        left = (*search.left, *map(without_value, unfilled), *overlapping, *found.left)
        every = Consequences(found.edits, left, unfilled)
        return every if line is None else every.of(set(search.causes(line)))

    def filled(self, found: Consequences, write: Write, count: int | None = None) -> Consequences:
        """The same with values that a model writes, as far as they bring no errors; at most `count` of them.

        Raises
        ------
        InterruptedSearchError
            The search was cancelled, or the analyser does not answer.
        """
        edits, told, unfilled = list(found.edits), list(found.left), list(found.unfilled)
        for gap in found.unfilled:
            if count is not None and len(edits) - len(found.edits) >= count:
                break
            if self.cancelled():
                raise InterruptedSearchError("cancelled")
            one = filled(gap, write) if gap.needs is None or gap.needs in edits else None
            if one is None:
                continue
            kept, _ = without_overlaps([*edits, one])
            own = [each for each in kept if each.path == one.path]
            if one in own and len(Checker(self._diagnose, self._earlier).clean(own)) == len(own):
                edits = [each for each in (*edits, one) if each in set(kept)]
                told = [each for each in told if each != without_value(gap)]
                unfilled.remove(gap)
        return Consequences(tuple(edits), tuple(told), tuple(unfilled))

    def like(self, proposals: Sequence[Proposal], before: Document) -> Consequences:
        """Those of `like_proposals` that bring no errors.

        Raises
        ------
        InterruptedSearchError
            The search was cancelled, or the analyser does not answer.
        """
        if not proposals:
            return Consequences()
        self.follow(before)
        kept, _ = without_overlaps(one for one in proposals if self.files.get(whole(one.path)) is not None)
        return self.checked(sorted(kept, key=lambda one: (one.path != before.path, one.path, one.edit.start)))

    def broken(self, pairs: Iterable[tuple[Document, Document]], edits: Sequence[Proposal]) -> list[LeftAlone]:
        """The errors that changes of files bring to where it is used what they declare, and that no edit mends.

        Raises
        ------
        InterruptedSearchError
            The search was cancelled, or the analyser does not answer.
        """
        self._time.begin()
        paths: dict[Path, None] = {}
        with suppress(SlowTextError):  # what was found until then is told
            uses = (path for before, after in pairs for path in self._users(before, after))
            for path in islice(uses, MOST_USES):
                paths[path] = None
        return [one for path in list(paths)[:MOST_NAMED] for one in self._errors(path, edits)]

    def _users(self, before: Document, after: Document) -> Iterator[Path]:
        """The files that use what a file declared, and declares otherwise now."""
        old, new = read(before, self._time.check), read(after, self._time.check)
        if old is None or new is None or after.path is None:
            return
        alignment = Alignment(old, new)
        search = Search(self, whole(after.path), alignment)
        for start in changed_declarations(alignment):
            try:
                yield from search.users(start)
            except TooManyUsesError:
                continue

    def _errors(self, path: Path, edits: Sequence[Proposal]) -> Iterator[LeftAlone]:
        """The errors of a file with its edits that it did not have before the changes."""
        document = self.files.get(path)
        if document is None:
            return
        own = [one.edit for one in edits if one.path == path]
        shown = applied(document, own)
        for error in new_errors(errors_in(self._diagnose(shown)), errors_in(self._earlier(document))):
            line = document.position_at(offset_before(own, error.start))[0]
            yield LeftAlone(path, line, error.message.partition("\n")[0])

    def follow(self, before: Document) -> None:
        """Take a file for changed whose earlier text this is: what it holds is seen together with that of others."""
        assert before.path is not None, "it is a file's"
        path = whole(before.path)
        self._changed[path] = replace(before, path=path)

    def checked(self, proposals: Iterable[Proposal]) -> Consequences:
        """The proposals that bring no errors into their files; those of one file stand together.

        Calls of an override whose own edit is not made stay too.

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
        made = set(edits)
        lone = {one for one in edits if one.needs is not None and one.needs not in made}
        left += [
            left_alone(one, f"{one.reason}: the override that it calls is left alone") for one in edits if one in lone
        ]
        return Consequences(tuple(one for one in edits if one not in lone), tuple(left))

    def answer(self, future: Future[T]) -> T:
        """An answer, once it is there."""
        until = time.monotonic() + ANSWER_S
        while not self.cancelled() and time.monotonic() < until:
            try:
                return future.result(POLL_S)
            except LateError:
                continue
            except (NoAnswer, CancelledError) as error:
                if str(error) == TOO_MANY:
                    raise TooManyUsesError from error
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

    def why_not(self, path: Path) -> str:
        """Why a file of the project cannot be changed; "" of one that can, or that is not the project's own."""
        return self.files.why_not(path) or ("" if self.files.get(path) is None or self.tree(path) else BROKEN)

    def alignment(self, tree: SourceTree) -> Alignment | None:
        """How another file came from its earlier text; None where that is not known."""
        path = tree.document.path
        assert path is not None, "it is a file's"
        if path not in self._alignments:
            earlier = self.files.earlier(path)
            old = read(earlier, self._time.check) if earlier is not None else None
            self._alignments[path] = Alignment(old, tree) if old is not None else None
        return self._alignments[path]

    def may_be_adapted(self, tree: SourceTree) -> bool:
        """Whether nothing tells what of another file was adapted since the change: it is new, or was broken before."""
        path = tree.document.path
        assert path is not None, "it is a file's"
        has_earlier = self.files.is_complete or self.files.earlier(path) is not None
        return has_earlier and self.alignment(tree) is None

    def _diagnose(self, document: Document) -> Sequence[Diagnostic]:
        assert document.path is not None, "it is a file's"
        return self.answer(self.analyser.ask(DIAGNOSTICS, question(whole(document.path), document)))

    def _earlier(self, document: Document) -> list[Diagnostic]:
        """What was wrong with a file before the changes, in today's names."""
        assert document.path is not None, "it is a file's"
        path = whole(document.path)
        text = self._changed.get(path, document).text
        others = tuple(one for other, one in self._changed.items() if other != path)
        asked = Question(path, document.language or "", text, 0, others)
        found = self.answer(self.analyser.ask(DIAGNOSTICS, asked))
        return [replace(one, message=self._in_new_names(one.message)) for one in found]

    def _in_new_names(self, message: str) -> str:
        return WORD.sub(lambda word: self._renamed.get(word[0], word[0]), message)

    def _rank(self, path: Path, changed: Path) -> tuple[int, Path]:
        return (0 if path == changed else 1 if self.files.is_open(path) else 2), path


def without_value(proposal: Proposal) -> LeftAlone:
    """The place of an edit whose value nobody wrote."""
    return left_alone(proposal, f"{proposal.reason}: it needs a value for {missing(proposal)[0]}")
