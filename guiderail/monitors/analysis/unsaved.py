"""What open documents hold that their files on disk do not, for analysers: they look at other files too."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from guiderail.text.document import Document

MOST = 32  # documents that are shown; of more, those that were edited last


@dataclass(frozen=True, slots=True)
class Unsaved:
    """An unsaved document; `edition` is never the same for two texts."""

    document: Document
    edition: int


class UnsavedDocuments:
    """The unsaved documents of all clients. From any thread: what is handed out never changes.

    Attributes
    ----------
    shown
        The documents by path.
    """

    def __init__(self) -> None:
        self.shown: Mapping[Path, Unsaved] = MappingProxyType({})
        self._editions = itertools.count()
        self._known: dict[Hashable, Path] = {}

    def take(self, name: Hashable, document: Document) -> None:
        """Remember what an open document holds; one without a path is shown to nobody."""
        if document.path is None:
            return
        self._known[name] = path = document.path.absolute()
        others = {other: kept for other, kept in self.shown.items() if other != path}
        newest = {**others, path: Unsaved(document, next(self._editions))}
        self.shown = MappingProxyType(dict(list(newest.items())[-MOST:]))

    def forget(self, name: Hashable) -> None:
        """A document was saved or closed: its file says what it holds."""
        path = self._known.pop(name, None)
        if path is not None:
            self.shown = MappingProxyType({other: kept for other, kept in self.shown.items() if other != path})


def as_unsaved(document: Document) -> Unsaved:
    """A document that nobody has open; its edition is below those of open ones, and the same for the same text."""
    digest = hashlib.blake2b(document.text.encode(errors="surrogatepass"), digest_size=8).digest()
    return Unsaved(document, -2 - int.from_bytes(digest))


def besides(shown: Mapping[Path, Unsaved], path: Path, languages: Iterable[str]) -> dict[Path, Unsaved]:
    """The unsaved documents of some languages, without one."""
    wanted = frozenset(languages)
    return {other: kept for other, kept in shown.items() if other != path and kept.document.language in wanted}
