"""The server's commands, and its own requests for status and languages."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from guiderail.errors import GuiderailError
from guiderail.lsp import feedback, status, usage, why
from guiderail.lsp.buffer import Buffer, path_of
from guiderail.lsp.client import ClientState
from guiderail.lsp.configuration import camel
from guiderail.lsp.connection import Connection
from guiderail.lsp.explain import explanation, python_of
from guiderail.lsp.handlers.configuration import ConfigurationHandlers
from guiderail.lsp.policy import canonical
from guiderail.lsp.snooze import MOST_MINUTES
from guiderail.lsp.status_publisher import StatusPublisher
from guiderail.lsp.usage import UsageFile

ALARM_S = 60.0  # seconds after which the time of day is looked at again: a machine may have slept


@dataclass(eq=False)
class CommandHandlers:
    """Runs one client's commands."""

    client: ClientState
    connection: Connection
    status: StatusPublisher
    configuration: ConfigurationHandlers
    _alarm: asyncio.TimerHandle | None = field(default=None, init=False)

    def register(self) -> None:
        """Register the handlers."""
        self.connection.on_command("guiderail.toggle", self.toggle)
        self.connection.on_command("guiderail.snooze", self.snooze)
        self.connection.on_command("guiderail.why", self.why)
        self.connection.on_command("guiderail.stats", self.stats)
        self.connection.on_command("guiderail.showLog", self.show_log)
        self.connection.on_command("guiderail.explain", self.explain)
        self.connection.on_command("guiderail.restart", self.restart)
        self.connection.on(status.REQUEST, self.get_status)
        self.connection.on("guiderail/language", self.language)

    def toggle(self, *arguments: Any) -> dict[str, Any]:
        """Switch suggestions off or on again: for a language, for a file, or everywhere."""
        wanted = _object(*arguments)
        uri = wanted.get("uri") or self.status.active_uri
        buffer = self.client.buffers.get(str(uri))
        match str(wanted.get("scope", "global")):
            case "language":
                reply = self._toggle_language(wanted.get("language"), str(uri), buffer)
            case "file":
                reply = self._toggle_file(uri, buffer)
            case _:
                reply = {"scope": "global", "enabled": self.client.policy.switch()}
                self.configuration.load_model()
        self.status.document_touched(buffer.uri if buffer else self.status.active_uri)
        return reply | {"status": self.status.now().as_json()}

    def _toggle_language(self, language: Any, uri: str, buffer: Buffer | None) -> dict[str, Any]:
        policy = self.client.policy
        name = canonical(str(language or (buffer.language if buffer else None) or "plaintext"))
        policy.language_overrides[name] = not policy.is_language_enabled(name, path_of(uri))
        return {"scope": "language", "language": name, "enabled": policy.language_overrides[name]}

    def _toggle_file(self, uri: Any, buffer: Buffer | None) -> dict[str, Any]:
        enabled = bool(buffer and self.client.policy.is_document_disabled(buffer))
        if buffer:
            self.client.policy.file_overrides[buffer.uri] = enabled
        return {"scope": "file", "uri": uri, "enabled": enabled}

    def snooze(self, *arguments: Any) -> dict[str, Any]:
        """Give no suggestions for so many ``minutes``, in place of the last snooze; 0 ends it."""
        minutes = _object(*arguments).get("minutes")
        if not isinstance(minutes, int) or isinstance(minutes, bool) or not 0 <= minutes <= MOST_MINUTES:
            message = f"guiderail.snooze takes minutes, from 0 to {MOST_MINUTES}"
            raise JsonRpcException(message, code=types.ErrorCodes.InvalidParams.value)
        snooze = self.client.policy.snooze
        snooze.begin(minutes)
        self.close()
        self._set_alarm()
        return {"minutes": minutes, "until": snooze.clock, "status": self.status.now().as_json()}

    def close(self) -> None:
        """Wait for the end of no snooze any more: the client left, or there is another one."""
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None

    def _set_alarm(self) -> None:
        """Have the status sent again when the snooze ends, by the time of day."""
        left, self._alarm = self.client.policy.snooze.left_s, None
        self.status.publish()
        if left and self.connection.is_open:
            self._alarm = asyncio.get_running_loop().call_later(min(left, ALARM_S) + 0.01, self._set_alarm)

    def why(self, *_: Any) -> dict[str, str]:
        """What became of the last request, in sentences."""
        client = self.client
        lines = why.sentences_of(client.inquiry, self.status.now(), client.scheduler.counts)
        return {"text": "\n".join(lines) + "\n"}

    async def stats(self, *arguments: Any) -> dict[str, Any]:
        """How many suggestions were shown and accepted, as a table; ``reset`` forgets it all."""
        counted = self.client.process.usage
        if _object(*arguments).get("reset") is True:
            await asyncio.to_thread(self._reset, counted)
        try:
            found = counted.read()
        except GuiderailError as error:
            raise _failed(str(error)) from error
        text = usage.as_text(found) + feedback.as_text(self.client.process.feedback.shifts())
        return usage.as_json(found) | {"text": text, "path": str(counted.path)}

    def _reset(self, counted: UsageFile) -> None:
        if self.client.process.is_shared:
            raise _failed("other clients are counted too: whoever runs the server can run guiderail stats reset")
        try:
            counted.reset()
            self.client.process.feedback.reset()
        except OSError as error:
            raise _failed(f"{counted.path} cannot be deleted: {error.strerror}") from error

    def show_log(self, *_: Any) -> dict[str, str]:
        """Where the log is."""
        return {"path": str(self.client.process.log_path)}

    async def explain(self, *_: Any) -> dict[str, Any]:
        """How the last suggestion came about. The project's files are read in a thread: they may be many."""
        client, last = self.client, self.client.suggestions.last
        answer = client.inquiry.answer if client.inquiry else None
        python = await asyncio.to_thread(python_of, last.request) if last is not None else None
        return explanation(client.suggestions, last, client.scheduler.counts, python, answer)

    def restart(self, *_: Any) -> dict[str, Any]:
        """Load the model anew, unless other clients would lose it."""
        client, process = self.client, self.client.process
        client.scheduler.forget_answers()
        if process.clients - {client} and client.worker.has_model:
            raise _failed("other clients use the model too: whoever runs the server can restart it")
        if process.is_shared or client.policy.enabled:
            client.worker.load(process.settings or client.policy.preferences.settings, again=True)
        return self.status.now().as_json()

    def get_status(self, params: Any = None) -> dict[str, Any]:
        """The status; of one document if the request names its ``uri``, which is the active one from then on."""
        uri = _object(params).get("uri")
        if isinstance(uri, str):
            self.status.client_activated(uri)
        return self.status.now().as_json()

    def language(self, params: Any = None) -> dict[str, Any]:
        """Whether the settings give a language suggestions, and what its editor must set to change that."""
        policy, given = self.client.policy, _object(params)
        uri = str(given.get("uri") or "")
        language, path = canonical(str(given.get("language") or "plaintext")), path_of(uri)
        wanted = {camel(key): names for key, names in policy.settings_to_toggle(language, path).items()}
        buffer = self.client.buffers.get(uri)
        file = {} if buffer is None else {"file": not policy.is_document_disabled(buffer)}
        return {
            "language": language,
            "enabled": policy.is_language_enabled_in_settings(language, path),
            "turned": wanted,
        } | file


def _failed(message: str) -> JsonRpcException:
    return JsonRpcException(message, code=types.LSPErrorCodes.RequestFailed.value)


def _object(*arguments: Any) -> dict[str, Any]:
    """The first argument if it is an object, else an empty one."""
    return arguments[0] if arguments and isinstance(arguments[0], dict) else {}
