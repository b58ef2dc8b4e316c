"""Everything that follows from the changes of several files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from guiderail.monitors.analysis.analyser import Analyser
from guiderail.next_edit.files import Files
from guiderail.next_edit.finder import Finder
from guiderail.next_edit.proposal import Consequences, LeftAlone, Proposal, without_overlaps
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
) -> Consequences:
    """What follows from the changes of files, each before and after; the files hold the later texts.

    Parameters
    ----------
    earlier
        What any file held before; None where that is not known. A call that was adapted since is not adapted again, nor
        is one in a file that is new: it may be right already.
    line
        From 0: only what follows from the change of what is declared there.

    Raises
    ------
    InterruptedSearchError
        An analyser does not answer.
    """
    found, left, finders = list[Proposal](), list[LeftAlone](), dict[str, Finder]()
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
    proposals, overlapping = without_overlaps(found)
    edits = list[Proposal]()
    for language, finder in finders.items():  # what each change alone allows, several may not
        own = [one for one in proposals if (one.document.language or "") == language]
        ordered = sorted(own, key=lambda one: (one.path, one.edit.start))
        every = finder.checked(ordered) if line is None else Consequences(tuple(ordered))
        edits += every.edits
        left += every.left
    return Consequences(tuple(edits), tuple(dict.fromkeys((*left, *overlapping))))


def _files(root: Path, earlier: Callable[[Path], Document | None] | None) -> Files:
    return Files(root, {}) if earlier is None else Files(root, {}, earlier, is_complete=True)
