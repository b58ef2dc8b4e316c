"""Sends the client its status: that of the document in front, whenever it changes."""

from __future__ import annotations

import asyncio

from guiderail.lsp import status
from guiderail.lsp.client import ClientState
from guiderail.lsp.connection import Connection

BUSY = 0.15  # seconds of work before the status says so


class StatusPublisher:
    """Follows which document is in front, and sends its status when that changes.

    Attributes
    ----------
    front
        The URI of the document in front, as far as is known.
    """

    def __init__(self, client: ClientState, connection: Connection) -> None:
        self.front: str | None = None
        self._client = client
        self._connection = connection
        self._client_tells_front = False  # others may be open that nobody sees
        self._busy = False
        self._sent: status.Status | None = None
        client.scheduler.on_busy = self._busy_changed

    def now(self) -> status.Status:
        """The status."""
        policy, health = self._client.policy, self._client.worker.health
        buffer = self._client.buffers.get(self.front or "")
        refusal = policy.refusal(buffer) if buffer else policy.pause()
        return status.status_of(
            health, enabled=policy.enabled, refusal=refusal, busy=self._busy, snoozed=policy.snooze.clock
        )

    def publish(self) -> None:
        """Send the status if it changed."""
        now = self.now()
        if now != self._sent and self._connection.is_open:
            self._sent = now
            self._connection.notify(status.CHANGED, now.as_json())

    def front_named(self, uri: str) -> None:
        """Take the client's word for which document is in front, from now on."""
        self._client_tells_front = True
        self.set_front(uri)

    def document_touched(self, uri: str | None) -> None:
        """A document was opened or changed: take it for the one in front unless the client tells which that is."""
        self.set_front(self.front if self._client_tells_front else uri)

    def set_front(self, uri: str | None) -> None:
        """Have a document in front, or none."""
        self.front = uri
        self.publish()

    def _busy_changed(self, running: int) -> None:
        if running == 0 and self._busy:
            self._busy = False
            self.publish()
        elif running == 1:
            asyncio.get_running_loop().call_later(BUSY, self._publish_busy)

    def _publish_busy(self) -> None:
        if self._client.scheduler.busy and not self._busy:
            self._busy = True
            self.publish()
