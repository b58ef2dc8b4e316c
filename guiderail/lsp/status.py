"""The status that the editor shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from guiderail import __version__
from guiderail.lsp.worker import Health

REQUEST = "guiderail/status"
CHANGED = "guiderail/didChangeStatus"
_REMEDIES = {  # by what a reason says
    "snoozed": "End the snooze, or wait",
    "switched": "Run the command guiderail.toggle",
    "this folder": "Set guiderail.enable for the folder",
    "could not be read": "Close the file and open it again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The server's status, as the editor shows it.

    Parameters
    ----------
    state
        ``disabled`` when there are no suggestions at all, or none for the document asked about.
    message, remedy
        Why, and what to do about it.
    model, device
        What is loaded, or being loaded.
    enabled
        Whether suggestions are switched on.
    snoozed
        Until what time of the day they are snoozed; empty when they are not.
    """

    state: Literal["loading", "ready", "working", "disabled", "error"]
    message: str
    remedy: str
    model: str
    device: str
    enabled: bool
    snoozed: str = ""
    version: str = __version__

    def as_json(self) -> dict[str, Any]:
        """The object that is sent; `snoozed` is in it while they are."""
        return {key: value for key, value in asdict(self).items() if key != "snoozed" or value}


def status_of(health: Health, *, enabled: bool, reason: str, busy: bool, snoozed: str = "") -> Status:
    """The status that follows from the model's state and the settings.

    Parameters
    ----------
    health
        The model's.
    enabled
        Whether suggestions are switched on.
    reason
        Why the document in question gets none, if so.
    busy
        Whether a request is being decoded.
    snoozed
        Until what time suggestions are snoozed, if so.
    """
    message, remedy = health.message, health.remedy
    if health.state == "error" and enabled:
        state = "error"
    elif reason or not enabled:
        state, message = "disabled", reason or "suggestions are switched off"
        remedy = next((remedy for words, remedy in _REMEDIES.items() if words in message), "")
    elif health.state == "ready":
        state = "working" if busy else "ready"
    else:
        state, message = "loading", message or "the model will be loaded"
    return Status(
        state=state,
        message=message,
        remedy=remedy,
        model=health.model,
        device=health.device,
        enabled=enabled,
        snoozed=snoozed,
    )
