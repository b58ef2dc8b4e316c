"""The state of one client: its documents, settings and requests, and what it was sent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guiderail.lsp.buffer import Buffer
from guiderail.lsp.configuration import ClientConfig
from guiderail.lsp.disk_changes import DiskChanges
from guiderail.lsp.feedback import Lesson
from guiderail.lsp.followed import Followed
from guiderail.lsp.notebooks import Notebooks
from guiderail.lsp.policy import Policy
from guiderail.lsp.process import ServerProcess
from guiderail.lsp.scheduler import Scheduler
from guiderail.lsp.suggestion_log import ShownItem, SuggestionLog
from guiderail.lsp.usage import public_name
from guiderail.lsp.why import Inquiry
from guiderail.lsp.worker import Worker
from guiderail.text.document import Document
from guiderail.text.positions import Encoding


@dataclass(eq=False)
class ClientState:
    """The state of one client, which its handlers share.

    Parameters
    ----------
    process
        What all clients of this process share.
    policy
        Which documents get suggestions, and under which settings.
    scheduler
        This client's requests to the worker.

    Attributes
    ----------
    buffers
        The open documents, by URI.
    notebooks
        The open notebooks, which say what cells belong together.
    disk
        What its projects' files were like, if it does not watch them.
    suggestions
        The last suggestions that it was sent.
    followed
        Those of which it is not known yet whether the person wrote them.
    inquiry
        The last request for suggestions.
    folders
        The workspace's folders, with their URIs as the client writes them.
    initial_config
        The settings of `initialize`; they count for a client that sends none later.
    config
        The settings that it sent last.
    configured
        Set when its settings came, or will not come: no request is answered before that.
    encoding
        What its columns count.
    shows_ghost_text
        Whether it has asked for an inline completion.
    """

    process: ServerProcess
    policy: Policy
    scheduler: Scheduler
    buffers: dict[str, Buffer] = field(default_factory=dict)
    disk: DiskChanges = field(default_factory=DiskChanges)
    suggestions: SuggestionLog = field(default_factory=SuggestionLog)
    followed: Followed = field(default_factory=Followed)
    inquiry: Inquiry | None = None
    folders: dict[Path, str] = field(default_factory=dict)
    initial_config: dict[str, Any] = field(default_factory=dict)
    config: ClientConfig = field(default_factory=ClientConfig)
    configured: asyncio.Event = field(default_factory=asyncio.Event)
    encoding: Encoding = "utf-16"
    shows_ghost_text: bool = False
    notebooks: Notebooks = field(init=False)

    def __post_init__(self) -> None:
        self.notebooks = Notebooks(self.buffers)

    @property
    def worker(self) -> Worker:
        """The thread that runs the model, for all clients."""
        return self.process.worker

    @property
    def odds(self) -> float:
        """What was learned of the model's suggestions (`Feedback`); nothing where several people share a model."""
        return 0.0 if self.process.is_shared else self.process.feedback.odds(public_name(self.worker.health.model))

    def learn(self, shown: ShownItem, *, right: bool) -> None:
        """Learn from a suggestion that was written, or was not."""
        chance = shown.candidate.suggestion.chance
        if chance is not None and not self.process.is_shared:
            self.process.feedback.learn(Lesson(public_name(self.worker.health.model), chance, right))

    def placed(self, buffer: Buffer, document: Document, offset: int) -> tuple[Document, int]:
        """A text of a document and a place in it, for the engine: those of a cell in the text of its whole notebook."""
        surrounding = self.notebooks.around(buffer, lambda other: not self.policy.exclusion_reason(other))
        return surrounding.around(document), offset + len(surrounding.above)

    def edited(self, uri: str, document: Document | None) -> None:
        """Let analysers see what an open document holds; None once it was saved or closed."""
        self.worker.engine.edited((self.scheduler.client, uri), document)

    def set_folders(self, folders: dict[Path, str]) -> None:
        """Take the workspace's folders."""
        self.folders = folders
        self.policy.roots = list(folders)

    def close(self) -> None:
        """End the client's work, and forget its documents and suggestions."""
        for uri in self.buffers:
            self.edited(uri, None)
        self.buffers.clear()
        self.configured.set()  # who waits for it finds the documents closed
        self.scheduler.stop()
        self.suggestions.clear()
        self.followed.clear()
