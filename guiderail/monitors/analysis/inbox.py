"""Diagnostics that a server publishes, and whether they are about the text that it was shown last."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from guiderail.monitors.analysis.answers import NoAnswer

MOST_FOUND = 10_000  # diagnostics of one file
WAIT_S = 8.0  # a server that has said nothing by then may have nothing new to say: unknown, not hung
QUIET_S = 0.1  # servers send what they find in portions: syntax first, then types
QUIET_UNNUMBERED_S = 0.4  # without a version a portion may still be about the text before


@dataclass(frozen=True, slots=True)
class Publication:
    """One `textDocument/publishDiagnostics`; `version` is None where the server does not number."""

    version: int | None
    found: list[dict[str, Any]]
    at: float


class Inbox:
    """The latest diagnostics of every file."""

    def __init__(self) -> None:
        self._latest: dict[str, Publication] = {}
        self._shown: dict[str, tuple[int, float]] = {}
        self._arrived = asyncio.Event()

    def show(self, uri: str, version: int) -> None:
        """The server is being shown a version of a file."""
        self._shown[uri] = (version, time.monotonic())

    def receive(self, params: dict[str, Any]) -> None:
        """Store a publication of the server."""
        uri, found = params["uri"], params.get("diagnostics") or []
        if uri in self._shown:  # what is found in other files is not asked about, and there may be many
            self._latest[uri] = Publication(params.get("version"), found[:MOST_FOUND], time.monotonic())
            self._arrived.set()

    async def wait(self, uri: str) -> list[dict[str, Any]]:
        """The diagnostics of the version shown last, once no more portions of them come.

        Raises
        ------
        NoAnswer
            None came in time.
        """
        end = time.monotonic() + WAIT_S
        while (now := time.monotonic()) < end:
            publication, (version, shown) = self._latest.get(uri), self._shown[uri]
            pause = end - now
            if publication is not None and (
                publication.version == version or (publication.version is None and publication.at > shown)
            ):
                quiet = QUIET_UNNUMBERED_S if publication.version is None else QUIET_S
                pause = publication.at + quiet - now
                if pause <= 0:
                    return publication.found
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), pause)
            except TimeoutError:
                continue
        raise NoAnswer("no diagnostics")
