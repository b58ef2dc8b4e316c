"""Which proposals bring no errors into their file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from guiderail.monitors.analysis.answers import Diagnostic
from guiderail.monitors.verdict import errors_in, new_errors
from guiderail.next_edit.proposal import Proposal, applied
from guiderail.next_edit.source_tree import read
from guiderail.text.document import Document

TRIES = 4  # times that what stands where errors are is left out

Diagnose = Callable[[Document], Sequence[Diagnostic]]


class Checker:
    """Asks for the errors of files with proposals in them.

    Parameters
    ----------
    diagnose
        What an analyser finds in a document.
    earlier
        What it found in the document's file before the change that is followed, in today's names. An error there may be
        gone only because what is used was not known after the change.
    """

    def __init__(self, diagnose: Diagnose, earlier: Diagnose = lambda _: ()) -> None:
        self._diagnose = diagnose
        self._earlier = earlier
        self._before: dict[Path, list[Diagnostic]] = {}
        self._long_before: dict[Path, list[Diagnostic]] = {}

    def clean(self, proposals: Sequence[Proposal]) -> list[Proposal]:
        """Those of one file that bring no errors into it.

        An import that follows a rename is wrong until the uses follow too. So all are tried together; if that brings
        errors, without those on whose lines the errors are; then those of each change, and of one change in halves.
        """
        tried = list(proposals)
        for _ in range(TRIES):
            wrong = self._lines_of_errors(tried)
            if not wrong:
                return tried
            right = [one for one, line in zip(tried, _lines(tried), strict=True) if line not in wrong]
            if len(right) == len(tried):
                break
            tried = right
        parts = _parts(tried)
        if len(parts) < 2:
            return []
        kept = [one for part in parts for one in self.clean(part)]
        return kept if not self._lines_of_errors(kept) else max(map(self.clean, parts), key=len)

    def _lines_of_errors(self, proposals: Sequence[Proposal]) -> set[int]:
        """The lines, with all proposals made, where there are errors that are not there without them."""
        if not proposals:
            return set()
        document, path = proposals[0].document, proposals[0].path
        changed = applied(document, [one.edit for one in proposals])
        if read(changed) is None:
            return {-1}
        having = errors_in(self._diagnose(changed))
        if having and path not in self._before:
            self._before[path] = errors_in(self._diagnose(document))
        new = new_errors(having, self._before.get(path, []))
        if new and path not in self._long_before:
            self._long_before[path] = errors_in(self._earlier(document))
        new = new_errors(new, self._long_before.get(path, []))
        return {changed.position_at(one.start)[0] for one in new}


def _parts(proposals: Sequence[Proposal]) -> list[list[Proposal]]:
    """Those of each change, or of one change the edits of arguments in two halves: a call is apart from another."""
    reasons = dict.fromkeys(one.reason for one in proposals)
    if len(reasons) > 1:
        return [[one for one in proposals if one.reason == reason] for reason in reasons]
    if len(proposals) < 2 or any(one.kind == "rename" for one in proposals):
        return [list(proposals)]
    middle = len(proposals) // 2
    return [list(proposals[:middle]), list(proposals[middle:])]


def _lines(proposals: Sequence[Proposal]) -> list[int]:
    """The line that each proposal's text begins on once all of one document are made."""
    lines, shift = dict[int, int](), 0
    for number in sorted(range(len(proposals)), key=lambda one: proposals[one].edit.start):
        edit, document = proposals[number].edit, proposals[number].document
        lines[number] = document.position_at(edit.start)[0] + shift
        shift += edit.text.count("\n") - document.text.count("\n", edit.start, edit.end)
    return [lines[number] for number in range(len(proposals))]
