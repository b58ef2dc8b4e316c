"""Everything that follows from the changes of some files, checked: what a command lists and an evaluation counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from guiderail.monitors.analysis.analyser import Analyser
from guiderail.next_edit.files import Files
from guiderail.next_edit.finder import Finder, judged
from guiderail.next_edit.proposal import Proposal
from guiderail.text.document import Document


class ReferenceFinders(Protocol):
    """Finds the analyser that finds references."""

    def reference_finder(self, language: str, folder: Path) -> Analyser | None:
        """The analyser for files of a language in a folder; None if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Consequences:
    """What follows from changes.

    Parameters
    ----------
    edits
        The edits that bring no errors.
    open
        Calls that need an argument which only a person, or a model, can write.
    dropped
        Edits that would bring errors.
    """

    edits: tuple[Proposal, ...]
    open: tuple[Proposal, ...]
    dropped: tuple[Proposal, ...]


def consequences(
    analysers: ReferenceFinders,
    root: Path,
    changes: Iterable[tuple[Document, Document]],
) -> Consequences:
    """What follows from the changes of files, each before and after; the files hold the later texts.

    Raises
    ------
    InterruptedSearchError
        An analyser does not answer.
    """
    found: dict[tuple[Path | None, int, int, str], tuple[Proposal, bool]] = {}
    for before, after in changes:
        analyser = analysers.reference_finder(after.language, root) if after.language else None
        if analyser is None:
            continue
        finder = Finder(analyser, Files(root, {}))
        for proposal, is_right in judged(finder, finder.find(before, after)):
            edit = proposal.edit
            found.setdefault((proposal.document.path, edit.start, edit.end, edit.text), (proposal, is_right))
    every = list(found.values())
    return Consequences(
        tuple(one for one, is_right in every if is_right),
        tuple(one for one, is_right in every if not is_right and one.missing),
        tuple(one for one, is_right in every if not is_right and not one.missing),
    )
