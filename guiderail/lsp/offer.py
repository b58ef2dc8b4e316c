"""The offer of a better model, made once to a person who still has the embedded one; nothing is fetched without a yes.

In idle time this machine is measured, in a process of its own at the lowest priority. If a published model suits it,
the client is asked to show one question with three answers. *Take it* runs the command that `guiderail models
recommend` prints, and the model is switched; *Never* is remembered for good, *Not now*, or no answer, for `PAUSE`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import os
import uuid
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from guiderail import private, projectfile
from guiderail.errors import GuiderailError
from guiderail.lsp import errand
from guiderail.model.store import EMBEDDED
from guiderail.projectfile import ProjectFileError
from guiderail.settings import resolve, user_file

if TYPE_CHECKING:
    from guiderail.lsp.server import Server

log = logging.getLogger(__name__)

TAKE, LATER, NEVER = "Take it", "Not now", "Never"
IDLE_S = 30.0  # seconds without a key or a request before anything is measured or asked
LOOK_S = 1.0  # seconds between two looks
PAUSE = timedelta(days=7)
MEASURE = ("models", "recommend", "--idle", "--json", "-")
CREATE_S = 2.0  # seconds that the client gets to make room for a progress bar


@dataclass(frozen=True)
class Suited:
    """A model that suits this machine, as `guiderail models recommend --json` says it.

    Parameters
    ----------
    name, licence
        Of the model.
    size
        Bytes to fetch.
    edit_s, tokens_per_s
        What to expect.
    command
        What takes it.
    """

    name: str
    licence: str
    size: int
    edit_s: float
    tokens_per_s: float
    command: str

    @property
    def words(self) -> list[str]:
        """The command without its first word."""
        return self.command.split()[1:]

    def question(self) -> str:
        """What the person is asked, in one line."""
        from guiderail.model.memory import readable

        return (
            f"guiderail: {self.name} suits this machine better than the embedded model: about {self.edit_s:.1f} s to a "
            f"suggestion after an edit, {self.tokens_per_s:.0f} tokens/s. Fetch {readable(self.size)} from the hub "
            f"(licence {self.licence})?"
        )


def suited(output: str) -> Suited | None:
    """The marked row of what `guiderail models recommend --json -` printed, if there is one."""
    rows = json.loads(output)["rows"]
    best = next((row for row in rows if row["best"]), None)
    if best is None:
        return None
    return Suited(
        best["name"], best["licence"], best["bytes"], best["first_token_after_edit_s"], best["tokens_per_s"],
        best["command"],
    )  # fmt: skip


class ModelOffer:
    """The offer to one client.

    Parameters
    ----------
    server
        Of the client.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Wait for idle time, once in a session, if this client and this person may be asked at all."""
        if self._task is None and self._client_asks() and not is_unattended(os.environ):
            self._task = asyncio.get_running_loop().create_task(self._guarded())

    def stop(self) -> None:
        """Give up whatever goes on; a transfer that is broken off goes on where it stopped another time."""
        if self._task is not None:
            self._task.cancel()

    async def _guarded(self) -> None:
        try:
            await self._run()
        except GuiderailError as error:  # before the person was asked: nobody needs to know
            log.info("no model is offered: %s", error)
        except Exception as error:
            log.error("failed to offer a model: %s", type(error).__name__, exc_info=log.isEnabledFor(logging.DEBUG))

    async def _run(self) -> None:
        await self._idle()
        if not self._is_wanted():
            return
        found = suited(await errand.run(*MEASURE))
        if found is None:
            log.info("no published model suits this machine better than the embedded one")
            return
        await self._idle()
        if not self._is_wanted():
            return
        remember(LATER)  # whatever becomes of the question, other windows do not ask it too
        answer = await self._ask(found)
        if answer == NEVER:
            remember(NEVER)
        elif answer == TAKE:
            await self._take(found)

    async def _ask(self, found: Suited) -> str | None:
        actions = [types.MessageActionItem(title) for title in (TAKE, LATER, NEVER)]
        params = types.ShowMessageRequestParams(types.MessageType.Info, found.question(), actions)
        answer = await self._server.ask_client(types.WINDOW_SHOW_MESSAGE_REQUEST, params)
        return getattr(answer, "title", None)

    async def _take(self, found: Suited) -> None:
        """Fetch the model, and have it loaded in place of the embedded one."""
        bar = _Bar(self._server)
        await bar.begin(f"fetching {found.name}")
        transfer = asyncio.ensure_future(errand.run(*found.words, "--report", heard=bar.heard))
        bar.on_cancel(transfer)
        try:
            await transfer
        except GuiderailError as error:
            bar.end("failed")
            self._tell(
                types.MessageType.Error, f"{found.name} could not be taken: {error}. To try again: {found.command}"
            )
            return
        except asyncio.CancelledError:
            transfer.cancel()
            bar.end("given up")
            if bar.is_cancelled:
                self._tell(types.MessageType.Info, f"{found.name} was not taken. To go on: {found.command}")
                return
            raise
        bar.end("done")
        self._server.settings_changed()
        await self._loaded(found)

    async def _loaded(self, found: Suited) -> None:
        """Say how it went once the new model is there, or cannot be."""
        worker = self._server.worker
        while worker.health.state == "loading":
            await asyncio.sleep(LOOK_S)
        if worker.health.state == "error":
            health = worker.health
            back = f"guiderail models use {EMBEDDED} --dtype auto"
            words = f"{found.name} cannot be loaded: {health.message}. To go back: {back}"
            self._tell(types.MessageType.Error, words)
        elif worker.health.model != EMBEDDED:
            self._tell(types.MessageType.Info, f"{found.name} is your model now")

    def _tell(self, kind: types.MessageType, text: str) -> None:
        if self._server.protocol.is_open:
            line = " ".join(text.split())
            self._server.window_show_message(types.ShowMessageParams(kind, f"guiderail: {line}"))

    async def _idle(self) -> None:
        """Return when the model is there and nobody has wanted anything of it for a while."""
        quiet = 0.0
        while quiet < IDLE_S:
            await asyncio.sleep(min(LOOK_S, IDLE_S))
            server = self._server
            is_busy = server.scheduler.busy or server.worker.health.state == "loading"
            quiet = 0.0 if is_busy else min(quiet + LOOK_S, server.scheduler.pace.since_change())

    def _client_asks(self) -> bool:
        """Whether the client says that it can show a question."""
        window = self._server.client_capabilities.window
        return not self._server.host.is_shared and window is not None and window.show_message is not None

    def _is_wanted(self) -> bool:
        """Whether the person still has the embedded model, chose none, and has not said no."""
        server = self._server
        preferences, health = server.policy.preferences, server.worker.health
        return (
            server.protocol.is_open
            and server.policy.enabled
            and health.state == "ready"
            and health.model == EMBEDDED
            and "model" not in preferences.chosen
            and _chose_no_model(server.host.flags)
            and preferences.settings.offer_models
            and may_ask(datetime.now(UTC))
        )


class _Bar:
    """The client's progress bar of a transfer, if it has one."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._token = ""

    @property
    def is_cancelled(self) -> bool:
        """Whether the person gave the transfer up."""
        future = self._tokens.get(self._token)
        return future is not None and future.cancelled()

    @property
    def _tokens(self) -> dict[Any, Future[Any]]:
        return self._server.protocol.progress.tokens  # pygls cancels the future of a bar that is given up

    async def begin(self, message: str) -> None:
        """Have one made."""
        window = self._server.client_capabilities.window
        if window is None or not window.work_done_progress:
            return
        token = str(uuid.uuid4())
        create = types.WorkDoneProgressCreateParams(token)
        made = self._server.protocol.send_request_async(types.WINDOW_WORK_DONE_PROGRESS_CREATE, create)
        done, _ = await asyncio.wait([made], timeout=CREATE_S)
        if not done or made.cancelled() or made.exception() is not None:
            return
        self._token = token
        self._tokens[token] = Future()
        self._send(types.WorkDoneProgressBegin("guiderail", cancellable=True, message=message, percentage=0))

    def on_cancel(self, transfer: asyncio.Future[Any]) -> None:
        """End the transfer when the person gives up its bar."""
        future = self._tokens.get(self._token)
        if future is not None:
            future.add_done_callback(lambda done: transfer.cancel() if done.cancelled() else None)

    def heard(self, line: str) -> None:
        """A line that `models pull --report` printed."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            told = json.loads(line)
            percent = math.floor(100 * told["done"] / told["total"])
            if self._token and not self.is_cancelled:
                self._send(types.WorkDoneProgressReport(message=f"{percent} %", percentage=min(100, max(0, percent))))

    def end(self, message: str) -> None:
        """Take it away."""
        if self._token and self._server.protocol.is_open:
            self._send(types.WorkDoneProgressEnd(message=message))

    def _send(self, value: Any) -> None:
        self._server.protocol.notify(types.PROGRESS, types.ProgressParams(self._token, value))


def is_unattended(env: Mapping[str, str]) -> bool:
    """Whether nobody is there to be asked, as continuous integration says of itself."""
    return env.get("CI", "").lower() not in {"", "0", "false"}


def _chose_no_model(flags: Mapping[str, object]) -> bool:
    """Whether no flag, variable or settings file of the person says which model to use."""
    return resolve(flags, os.environ, None, user_file()).source("model").kind == "default"


def may_ask(now: datetime) -> bool:
    """Whether what the person answered before allows the question; a damaged file does."""
    try:
        said = projectfile.read_json(_file()) or {}
        if said["answer"] == NEVER:
            return False
        age = now - datetime.fromisoformat(said["at"])
    except (ProjectFileError, KeyError, TypeError, ValueError):
        return True
    return not timedelta(0) <= age < PAUSE


def remember(answer: str) -> None:
    """Keep an answer; where that cannot be written, the question comes again in the next session."""
    with contextlib.suppress(OSError):
        private.write_text(_file(), json.dumps({"answer": answer, "at": datetime.now(UTC).isoformat()}) + "\n")


def _file() -> Path:
    import platformdirs

    return platformdirs.user_state_path("guiderail") / "offer.json"
