"""What a client is told of the status: that of the document in front, whenever it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guiderail.lsp import status

if TYPE_CHECKING:
    from guiderail.lsp.server import Server

BUSY = 0.15  # seconds of work before the status says so


class Bulletin:
    """One client's.

    Parameters
    ----------
    server
        Of the client.

    Attributes
    ----------
    front
        The URI of the document in front, as far as is known.
    """

    def __init__(self, server: Server) -> None:
        self.front: str | None = None
        self._server = server
        self._is_told = False  # by the client which document is in front: others may be open that nobody sees
        self._busy = False
        self._sent: status.Status | None = None
        server.scheduler.on_busy = self._busy_changed

    def now(self) -> status.Status:
        """The status."""
        server = self._server
        buffer = server.buffers.get(self.front or "")
        refusal = server.policy.verdict(buffer) if buffer else ""
        return status.status_of(server.worker.health, enabled=server.policy.enabled, refusal=refusal, busy=self._busy)

    def publish(self) -> None:
        """Send the status if it changed."""
        now, protocol = self.now(), self._server.protocol
        if now != self._sent and protocol.writer is not None and protocol.is_open:
            self._sent = now
            protocol.notify(status.CHANGED, now.as_json())

    def told(self, uri: str) -> None:
        """The client says that a document is in front."""
        self._is_told = True
        self.turn_to(uri)

    def touched(self, uri: str | None) -> None:
        """A document was opened or written; it is the one in front unless the client tells which that is."""
        self.turn_to(self.front if self._is_told else uri)

    def turn_to(self, uri: str | None) -> None:
        """A document is in front, or none."""
        self.front = uri
        self.publish()

    def _busy_changed(self, running: int) -> None:
        if running == 0 and self._busy:
            self._busy = False
            self.publish()
        elif running == 1:
            self._server.loop.call_later(BUSY, self._say_busy)

    def _say_busy(self) -> None:
        if self._server.scheduler.busy and not self._busy:
            self._busy = True
            self.publish()
