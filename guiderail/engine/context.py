"""Chooses the context of open documents, and keeps it while the cursor stays near, so that the cache stays valid."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guiderail.engine.request import CompletionRequest, DocumentName
    from guiderail.prompt.index import ProjectIndex
    from guiderail.prompt.snippet import Snippet

NEAR = 16  # lines: as long as the cursor stays this near, other files' snippets stay
STALE = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Snippets, and where and when they were chosen."""

    root: Path
    line: int
    snippets: Sequence[Snippet]
    at: float
    edition: int


class ContextChooser:
    """Chooses snippets of other files; of an open document it keeps them.

    Snippets come before the file in the prompt, so every change of them voids the whole cache: they are chosen again
    only when a caller has time (`renew`), and the cursor went elsewhere or files changed.

    Parameters
    ----------
    count
        Number of tokens of a text.
    seconds
        For one search.
    """

    def __init__(self, count: Callable[[str], int], seconds: float) -> None:
        self._count = count
        self._seconds = seconds
        self._kept: dict[DocumentName, _Chosen] = {}
        self._edition = 0

    def files_changed(self) -> None:
        """Files were written or deleted: choose again at the next request; thread-safe."""
        self._edition += 1

    def forget(self, name: DocumentName) -> None:
        """Drop what is kept for a closed document."""
        self._kept.pop(name, None)

    def snippets(self, request: CompletionRequest, index: ProjectIndex | None, *, renew: bool) -> Sequence[Snippet]:
        """The context of a request."""
        if request.snippets is not None:
            return request.snippets
        settings, root, name = request.settings, request.root, request.name
        if not settings.context or settings.context_tokens == 0 or root is None:
            return ()
        line, _ = request.document.position_at(request.offset)
        known = self._kept.get(name) if name else None
        if known and known.root == root and not (renew and self._is_stale(known, line)):
            return known.snippets
        snippets = self._gathered(request, root, index)
        if known and [(s.path, s.text) for s in known.snippets] == [(s.path, s.text) for s in snippets]:
            snippets = known.snippets
        if name:
            self._kept[name] = _Chosen(root, line, snippets, time.monotonic(), self._edition)
        return snippets

    def _gathered(self, request: CompletionRequest, root: Path, index: ProjectIndex | None) -> Sequence[Snippet]:
        from guiderail.prompt.context import gather

        budget = request.settings.context_tokens
        return gather(
            request.document,
            request.offset,
            root,
            budget=budget,
            count=self._count,
            index=index,
            seconds=self._seconds,
        )

    def _is_stale(self, known: _Chosen, line: int) -> bool:
        old = time.monotonic() - known.at > STALE
        return old or abs(line - known.line) > NEAR or known.edition != self._edition


def code_in(folders: Iterable[Path], seconds: float) -> Iterator[Path]:
    """The code in folders, as far as it is found in time."""
    from guiderail.prompt.index import deadline
    from guiderail.prompt.project import Project

    expired = deadline(seconds)
    return (folder / entry.path for folder in folders for entry in Project(folder).files("", None, expired))
