"""Everything that follows from the changes of several files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from guiderail.monitors.analysis.analyser import Analyser
from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.files import Files
from guiderail.next_edit.finder import Finder
from guiderail.next_edit.heads import declares_the_same
from guiderail.next_edit.like_places import like_proposals
from guiderail.next_edit.proposal import Consequences, LeftAlone, Proposal, without_overlaps
from guiderail.next_edit.source_tree import read
from guiderail.next_edit.values import Write
from guiderail.text.document import Document


class ReferenceFinders(Protocol):
    """Finds the analyser that finds references."""

    def reference_finder(self, language: str, folder: Path) -> Analyser | None:
        """The analyser for files of a language in a folder; None if there is none."""
        ...


def consequences(
    analysers: ReferenceFinders,
    root: Path,
    changes: Iterable[tuple[Document, Document]],
    earlier: Callable[[Path], Document | None] | None = None,
    line: int | None = None,
    write: Write | None = None,
) -> Consequences:
    """What follows from the changes of files, each before and after; the files hold the later texts.

    Parameters
    ----------
    earlier
        What any file held before; None where that is not known. A call that was adapted since is not adapted again, nor
        is one in a file that is new: it may be right already.
    line
        From 0: only what follows from the change of what is declared there.
    write
        Writes the values that syntax cannot tell; without it such places are named.

    Raises
    ------
    InterruptedSearchError
        An analyser does not answer.
    """
    found, left, unfilled, finders = list[Proposal](), list[LeftAlone](), list[Proposal](), dict[str, Finder]()
    known = list[tuple[Document, Document]]()
    for before, after in changes:
        language = after.language or ""
        analyser = analysers.reference_finder(language, root) if language else None
        if analyser is None:
            left.append(LeftAlone(after.path or root, 0, "no analyser finds references in its language"))
            continue
        finder = finders.setdefault(language, Finder(analyser, _files(root, earlier)))
        finder.follow(before)
        known.append((before, after))
    for before, after in known:
        own = finders[after.language or ""].find(before, after, line)
        found += own.edits
        left += own.left
        unfilled += own.unfilled
    if line is None and not any(_declares_anew(*pair) for pair in known):
        for before, after in known:
            found += finders[after.language or ""].like(like_proposals(before, after), before).edits
    proposals, overlapping = without_overlaps(found)
    every = Consequences(tuple(proposals), (*left, *overlapping), tuple(unfilled))
    for language, finder in finders.items():
        changed = [pair for pair in known if (pair[1].language or "") == language]
        every = _in_language(finder, language, every, write, changed if line is None else None)
    return replace(every, left=tuple(dict.fromkeys(every.left)))


def _in_language(
    finder: Finder,
    language: str,
    every: Consequences,
    write: Write | None,
    changed: Sequence[tuple[Document, Document]] | None,
) -> Consequences:
    """The same with the edits of one language checked together, and values in them; with what the changes break."""
    is_own = lambda one: (one.document.language or "") == language  # noqa: E731
    own = tuple(sorted(filter(is_own, every.edits), key=lambda one: (one.path, one.edit.start)))
    checked = finder.checked(own) if changed is not None else Consequences(own)  # what each allows, several may not
    edits, left = checked.edits, (*every.left, *checked.left)
    if write is not None:
        gaps = Consequences(edits, left, tuple(filter(is_own, every.unfilled)))
        filled = finder.filled(gaps, write)
        edits, left = filled.edits, filled.left
    if changed is not None:
        told = {(one.path, one.line) for one in left}
        left = (*left, *(one for one in finder.broken(changed, edits) if (one.path, one.line) not in told))
    others = (one for one in every.edits if not is_own(one))
    return Consequences((*others, *edits), left, every.unfilled)


def _declares_anew(before: Document, after: Document) -> bool:
    """Whether a change touched a declaration: what was adapted to it by hand, perhaps in other files, is no pattern."""
    old, new = read(before), read(after)
    return old is None or new is None or not declares_the_same(Alignment(old, new))


def _files(root: Path, earlier: Callable[[Path], Document | None] | None) -> Files:
    return Files(root, {}) if earlier is None else Files(root, {}, earlier, is_complete=True)
