"""The state that all clients of one server process share."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from guiderail.lsp.feedback import Feedback
from guiderail.lsp.stalls import StallReporter
from guiderail.lsp.usage import UsageFile
from guiderail.lsp.worker import Worker
from guiderail.settings import Settings


@dataclass(frozen=True)
class ServerProcess:
    """The state that all clients of one server process share.

    Parameters
    ----------
    worker
        The thread that runs the model.
    log_path
        Where the log is.
    flags
        Settings given on the command line.
    settings
        With which the model was loaded that serves several clients; None where the one client chooses.
    usage
        Counts what is shown and accepted.
    feedback
        Learns from it how sure to be; of a person's own server alone.
    clients
        The states of those clients that have begun, with the right token where one is wanted.
    """

    worker: Worker
    log_path: Path
    flags: Mapping[str, object] = field(default_factory=dict)
    settings: Settings | None = None
    usage: UsageFile = field(default_factory=UsageFile)
    feedback: Feedback = field(default_factory=Feedback)
    clients: set[object] = field(default_factory=set)

    @property
    def is_shared(self) -> bool:
        """Whether the model serves several clients."""
        return self.settings is not None

    def save(self) -> Future[None]:
        """Add what was counted and learned to the person's files, on a thread: others may hold their locks."""
        return self._saver.submit(self._save)

    def finish_saving(self) -> None:
        """Wait for what is being saved; that takes half a second at most while others hold the locks."""
        self._saver.shutdown()

    def _save(self) -> None:
        self.usage.save()
        self.feedback.save()

    @cached_property
    def _saver(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, "guiderail-save")

    @cached_property
    def stalls(self) -> StallReporter:
        """Looks after the event loop, which all clients share."""
        return StallReporter()
