"""The analysers of a process: one for each project and server, started when first wanted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from guiderail.monitors.analysis.analyser import Analyser, ServerAnalyser
from guiderail.monitors.analysis.server import choose
from guiderail.text.document import Document

log = logging.getLogger(__name__)


class Analysers(Protocol):
    """Who can be asked about a project."""

    def get(self, language: str, folder: Path) -> Analyser | None:
        """The analyser for files of a language in a folder, started if need be; None if there is none."""
        ...


class ServerPool:
    """Language servers, one for each folder.

    Parameters
    ----------
    wanted
        Which analyser is wanted: a name, or "auto".
    notice
        Told in a sentence when an analyser fails, once each.
    """

    def __init__(self, wanted: str = "auto", notice: Callable[[str], None] = log.warning) -> None:
        self._wanted = wanted
        self._notice = notice
        self._running: dict[tuple[str, Path], ServerAnalyser] = {}

    def get(self, language: str, folder: Path) -> ServerAnalyser | None:
        """See `Analysers.get`."""
        server = choose(language, self._wanted)
        if server is None:
            return None
        key = (server.name, folder)
        if key not in self._running:
            self._running[key] = ServerAnalyser(server, folder, self._notice)
            self._running[key].warm_up()
        return self._running[key]

    def stop(self) -> None:
        """End them all."""
        for analyser in self._running.values():
            analyser.stop()
        self._running.clear()


def folder_of(document: Document, root: Path | None) -> Path:
    """The folder an analyser works on: the project, or where the file is."""
    if root is not None:
        return root.absolute()
    return document.path.absolute().parent if document.path else Path.cwd()
