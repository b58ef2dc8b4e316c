"""What completes for the HTTP server: the model of this process, or replicas on a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from guiderail.engine.completion import Completion
from guiderail.engine.request import CompletionRequest, DocumentName
from guiderail.lsp.worker import Health
from guiderail.model.info import ModelInfo


@dataclass(frozen=True, slots=True)
class Share:
    """What a request gets of a completion, which it may have in common with others for the same text.

    Parameters
    ----------
    completion
        All suggestions.
    first
        Which of them is the request's first.
    """

    completion: Completion
    first: int = 0


class Backend(Protocol):
    """What completes. All is called on the event loop, but for `files_changed`, `saved` and `forget`."""

    @property
    def health(self) -> Health:
        """The state of the model; a model that can be loaded again is."""
        ...

    @property
    def has_model(self) -> bool:
        """Whether a model is loaded."""
        ...

    @property
    def width(self) -> int:
        """How many requests may run at the same time."""
        ...

    @property
    def info(self) -> ModelInfo:
        """What is known about the loaded model; nothing is waited for."""
        ...

    async def complete(self, request: CompletionRequest, turn: int) -> Share:
        """Complete; cancelled, the work ends once nobody else waits for it.

        Parameters
        ----------
        turn
            Whose turn it takes: those who wait take turns.

        Raises
        ------
        GuiderailError
            The model fails, or refuses the request.
        """
        ...

    async def tokens(self, text: str) -> list[tuple[int, bytes]]:
        """The tokens of a text, with their bytes."""
        ...

    def prepare(self, request: CompletionRequest) -> None:
        """Do in idle time what a request at this cursor would do before it decodes."""
        ...

    def warm(self, request: CompletionRequest) -> None:
        """Start in idle time what the first request of a project needs."""
        ...

    def files_changed(self, paths: Sequence[Path]) -> None:
        """Files on the disk were written, came or went."""
        ...

    def saved(self, name: DocumentName) -> None:
        """The disk holds what counts of a document that was open."""
        ...

    def forget(self, name: DocumentName) -> None:
        """Drop what is kept of a document."""
        ...
