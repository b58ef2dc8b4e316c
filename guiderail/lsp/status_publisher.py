"""Sends the client its status: that of the active document, whenever it changes."""

from __future__ import annotations

import asyncio

from guiderail.lsp import status
from guiderail.lsp.client import ClientState
from guiderail.lsp.connection import Connection

BUSY = 0.15  # seconds of work before the status says so


class StatusPublisher:
    """Follows which document is active, and sends its status when that changes.

    Attributes
    ----------
    active_uri
        The URI of the active document, as far as is known.
    """

    def __init__(self, client: ClientState, connection: Connection) -> None:
        self.active_uri: str | None = None
        self._client = client
        self._connection = connection
        self._client_names_active = False  # others may be open that nobody sees
        self._busy = False
        self._sent: status.Status | None = None
        client.scheduler.on_busy = self._busy_changed

    def now(self) -> status.Status:
        """The status."""
        policy, health = self._client.policy, self._client.worker.health
        buffer = self._client.buffers.get(self.active_uri or "")
        reason = policy.disabled_reason(buffer) if buffer else policy.pause_reason()
        return status.status_of(
            health, enabled=policy.enabled, reason=reason, busy=self._busy, snoozed=policy.snooze.clock
        )

    def publish(self) -> None:
        """Send the status if it changed."""
        now = self.now()
        if now != self._sent and self._connection.is_open:
            self._sent = now
            self._connection.notify(status.CHANGED, now.as_json())

    def client_activated(self, uri: str) -> None:
        """The client names the active document: from now on only its word counts."""
        self._client_names_active = True
        self.set_active(uri)

    def document_touched(self, uri: str | None) -> None:
        """A document was opened or changed: take it for the active one unless the client names that itself."""
        self.set_active(self.active_uri if self._client_names_active else uri)

    def set_active(self, uri: str | None) -> None:
        """Set the active document, or none."""
        self.active_uri = uri
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
