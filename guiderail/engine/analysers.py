"""The analysers of an engine: a pool of language servers for each combination of settings, started when wanted."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from guiderail.lru import LruCache
from guiderail.monitors.analysis.unsaved import UnsavedDocuments

if TYPE_CHECKING:
    from guiderail.engine.request import CompletionRequest, DocumentName
    from guiderail.monitors.analysis.analyser import ServerAnalyser
    from guiderail.monitors.analysis.pool import ServerPool
    from guiderail.settings import Settings
    from guiderail.text.document import Document

POOLS = 4  # each for other settings


class AnalyserPools:
    """Pools of language servers by settings, and the folders in which open documents need them.

    Stopping a language server may take seconds, so a thread does it and no request waits.

    Attributes
    ----------
    unsaved
        What open documents hold that their files do not.
    """

    def __init__(self) -> None:
        self.unsaved = UnsavedDocuments()
        self._pools: LruCache[tuple[str, str, str], ServerPool] = LruCache(POOLS, self._stop)
        self._stopping: list[threading.Thread] = []
        self._folders: dict[DocumentName, Path] = {}

    def of(self, settings: Settings) -> ServerPool:
        """The pool that the settings name."""
        return self._pools.get((settings.analyser, settings.trust, settings.python), lambda: self._pool(settings))

    def start(self, settings: Settings, document: Document, root: Path | None) -> None:
        """Start the analyser of a document without waiting for it."""
        from guiderail.monitors.analysis.pool import folder_of

        if settings.monitors and document.language:
            self.of(settings).get(document.language, folder_of(document, root))

    def reference_finder(self, request: CompletionRequest, *, start: bool = True) -> ServerAnalyser | None:
        """The analyser that finds the uses of a name in a request's project; without `start` one that runs already."""
        from guiderail.monitors.analysis.pool import folder_of

        language, settings = request.document.language, request.settings
        if language is None or not settings.monitors:
            return None
        pool, folder = self.of(settings), folder_of(request.document, request.root)
        return pool.reference_finder(language, folder) if start else pool.running(language, folder)

    def enter(self, name: DocumentName, document: Document, root: Path | None) -> None:
        """Remember the folder in which the analysers of an open document work."""
        from guiderail.monitors.analysis.pool import folder_of

        self._folders[name] = folder_of(document, root)

    def forget(self, name: DocumentName) -> None:
        """A document was closed: stop the analysers that no open document needs."""
        self._folders.pop(name, None)
        for pool in self._pools:
            for analyser in pool.trim(set(self._folders.values())):
                self._stop(analyser)

    def files_changed(self, paths: Sequence[Path]) -> None:
        """Tell all analysers that files were written or deleted; thread-safe."""
        for pool in self._pools:
            pool.files_changed(paths)

    def stop_in_background(self) -> None:
        """Stop all analysers without waiting; they start again on demand."""
        self._pools.clear()

    def wait(self) -> None:
        """Wait until the stopped analysers have ended."""
        for thread in self._stopping:
            thread.join()

    def stop(self) -> None:
        """Stop all analysers, and wait until they have ended."""
        self.stop_in_background()
        self.wait()
        self._stopping.clear()

    def _stop(self, what: ServerPool | ServerAnalyser) -> None:
        thread = threading.Thread(target=what.stop, name="guiderail-stopper", daemon=True)
        self._stopping = [thread, *(one for one in self._stopping if one.is_alive())]
        thread.start()

    def _pool(self, settings: Settings) -> ServerPool:
        from guiderail.monitors.analysis.pool import ServerPool

        pool = ServerPool(settings.analyser, trust=settings.trust, python=settings.python)
        pool.unsaved = self.unsaved
        return pool
