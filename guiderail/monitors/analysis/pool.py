"""The analysers of a process: one for each project and server, started when first wanted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal, Protocol

from guiderail.monitors.analysis.analyser import Analyser, ServerAnalyser
from guiderail.monitors.analysis.server import Server, whole
from guiderail.monitors.analysis.servers import candidates, may_start
from guiderail.monitors.analysis.unsaved import UnsavedDocuments
from guiderail.monitors.analysis.workspaces import is_trusted
from guiderail.monitors.python.interpreter import named
from guiderail.text.document import Document

log = logging.getLogger(__name__)

Ability = Literal["", "references", "unsaved"]  # that an analyser must have: to find all uses, to see unsaved files
SPARE = 2  # folders without an open document whose analysers go on


class Analysers(Protocol):
    """Finds the analyser for a project's files."""

    @property
    def python(self) -> str:
        """The interpreter or environment that a person named; empty for the one that is found."""
        ...

    @property
    def trust(self) -> str:
        """In which workspaces analysers may run programs of the project: listed, always or never."""
        ...

    def get(self, language: str, folder: Path) -> Analyser | None:
        """The analyser for files of a language in a folder, started if need be; None if there is none."""
        ...


class ServerPool:
    """Language servers, one for each folder.

    Parameters
    ----------
    wanted
        Which analyser is wanted: a name, which counts for its languages, or "auto".
    notice
        Told in a sentence when an analyser fails or may not start, once each.
    trust
        In which workspaces analysers may run programs of the project: listed, always or never.
    python
        The interpreter or environment that a person named; empty for the one that is found.

    Attributes
    ----------
    unsaved
        What open documents hold; several pools may share it.
    """

    def __init__(
        self,
        wanted: str = "auto",
        notice: Callable[[str], None] = log.warning,
        trust: str = "listed",
        python: str = "",
    ) -> None:
        self.python = python
        self.unsaved = UnsavedDocuments()
        self._wanted = wanted
        self._notice = notice
        self.trust = trust
        if python and not list(named(python)):
            notice(f"{python}, the setting python, does not exist; the Python that is found is taken instead")
        self._running: dict[tuple[str, Path], ServerAnalyser] = {}
        self._chosen: dict[tuple[str, Path, Ability], tuple[Server, bool] | None] = {}
        self._starting = threading.Lock()  # several threads ask for analysers
        self._asked: dict[Path, None] = {}  # the folder that was asked about last comes last

    def get(self, language: str, folder: Path) -> ServerAnalyser | None:
        """See `Analysers.get`."""
        return self._get(language, folder, "")

    def reference_finder(self, language: str, folder: Path) -> ServerAnalyser | None:
        """The analyser as `get` has it, but one that finds all uses of a name: it may be another."""
        return self._get(language, folder, "references")

    def running(self, language: str, folder: Path) -> ServerAnalyser | None:
        """An analyser that was started already, one that finds uses if there is one."""
        folder = whole(folder)
        with self._starting:
            every = {key: one for key, one in self._chosen.items() if key[:2] == (language, folder) and one is not None}
            ordered = sorted(every, key=lambda key: key[2] != "references")
            found = (self._running.get((every[key][0].name, folder)) for key in ordered)
            return next((one for one in found if one is not None), None)

    def seeing_unsaved(self, language: str, folder: Path) -> ServerAnalyser | None:
        """The analyser as `get` has it, but one that sees what open documents hold: it may be another."""
        return self._get(language, folder, "unsaved")

    def _get(self, language: str, folder: Path, ability: Ability) -> ServerAnalyser | None:
        with self._starting:
            return self._started(language, folder, ability)

    def _started(self, language: str, folder: Path, ability: Ability) -> ServerAnalyser | None:
        folder = whole(folder)
        self._asked.pop(folder, None)
        self._asked[folder] = None
        kind = language, folder, ability
        if kind not in self._chosen:
            self._chosen[kind] = self._choose(language, folder, ability)
        chosen = self._chosen[kind]
        if chosen is None:
            return None
        server, trusted = chosen
        key = (server.name, folder)
        if key not in self._running:
            self._running[key] = ServerAnalyser(
                server, folder, self._notice, trusted=trusted, python=self.python, unsaved=self.unsaved
            )
            self._running[key].warm_up()
        return self._running[key]

    def _choose(self, language: str, folder: Path, ability: Ability) -> tuple[Server, bool] | None:
        """The best server that may start in a folder, and whether the folder is trusted."""
        trusted, passed_over = is_trusted(folder, self.trust), None
        untrusted = None if trusted else folder
        found = candidates(language, self._wanted, untrusted)
        if ability:  # which the wanted one may lack
            every = chain(found, candidates(language, "auto", untrusted))
            found = (server for server in every if _has(server, ability))
        for server in found:
            if may_start(server, trusted):
                return server, trusted
            passed_over = passed_over or server
        if passed_over is not None:
            self._notice(
                f"the analyser {passed_over.name} is not started: it runs programs of the project, and {folder} is not "
                "trusted. If you trust it, run guiderail analysers trust there"
            )
        return None

    def files_changed(self, paths: Sequence[Path]) -> None:
        """Tell all servers that files were written or deleted, without waiting."""
        for analyser in tuple(self._running.values()):
            analyser.files_changed(paths)

    def trim(self, needed: Collection[Path], spare: int = SPARE) -> list[ServerAnalyser]:
        """Take out the analysers of folders that are not needed, but for the `spare` of them asked about last.

        Those that go are for the caller to stop, which takes a while; they start again when they are wanted.
        """
        idle = [folder for folder in self._asked if folder not in needed]
        going = set(idle[: max(0, len(idle) - spare)])
        self._asked = {folder: None for folder in self._asked if folder not in going}
        self._chosen = {key: chosen for key, chosen in self._chosen.items() if key[1] not in going}
        gone = [self._running[key] for key in self._running if key[1] in going]
        self._running = {key: analyser for key, analyser in self._running.items() if key[1] not in going}
        return gone

    def stop(self) -> None:
        """Stop all servers."""
        for analyser in self._running.values():
            analyser.stop()
        self._running.clear()
        self._chosen.clear()


def _has(server: Server, ability: Ability) -> bool:
    return server.finds_references if ability == "references" else server.sees_unsaved


def analyser_of(analysers: Analysers, language: str, folder: Path, path: Path) -> Analyser | None:
    """The analyser for a file: where files beside it are unsaved, one that sees what they hold, if there is any."""
    found = analysers.get(language, folder)
    if found is not None and overlooks(found, path) and isinstance(analysers, ServerPool):
        return analysers.seeing_unsaved(language, folder) or found
    return found


def overlooks(analyser: Analyser, path: Path) -> bool:
    """Whether an analyser does not see what a file's neighbours hold now: its answers may be old."""
    return isinstance(analyser, ServerAnalyser) and analyser.overlooks(path)


def folder_of(document: Document, root: Path | None) -> Path:
    """The folder an analyser works on: the project, or where the file is."""
    if root is not None:
        return whole(root)
    return whole(document.path).parent if document.path else Path.cwd()
