"""Offers a better model, once, to a person who uses the embedded one; nothing is fetched without consent.

In idle time this machine is measured, in a process of its own at the lowest priority. If a published model suits it,
the client is asked to show one question with three answers. *Take it* runs the command that `guiderail models
recommend` prints, and the model is switched; *Never* is remembered for good. *Not now*, or no answer, counts on this
machine for as long as guiderail knows the same published models.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import math
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsprotocol import types

from guiderail import private, projectfile
from guiderail.errors import GuiderailError
from guiderail.lsp import subcommand
from guiderail.lsp.client import ClientState
from guiderail.lsp.connection import Connection
from guiderail.lsp.progress import ProgressBar
from guiderail.model import catalogue
from guiderail.model.store import EMBEDDED
from guiderail.projectfile import ProjectFileError
from guiderail.resolution import resolve
from guiderail.settings import user_file

log = logging.getLogger(__name__)

TAKE, LATER, NEVER = "Take it", "Not now", "Never"
IDLE_S = 30.0  # seconds without a key or a request before anything is measured or asked
POLL_S = 1.0  # seconds between two checks
MACHINES = 50  # of a person whose folders are on several, that are remembered
MEASURE = ("models", "recommend", "--idle", "--json", "-")


@dataclass(frozen=True)
class Recommendation:
    """A model that suits this machine, as `guiderail models recommend --json` prints it.

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


def recommended(output: str) -> Recommendation | None:
    """The marked row of what `guiderail models recommend --json -` printed, if there is one."""
    rows = json.loads(output)["rows"]
    best = next((row for row in rows if row["best"]), None)
    if best is None:
        return None
    return Recommendation(
        best["name"], best["licence"], best["bytes"], best["first_token_after_edit_s"], best["tokens_per_s"],
        best["command"],
    )  # fmt: skip


class ModelOffer:
    """Offers one client a better model, once in a session.

    Parameters
    ----------
    client, connection
        The client's state, and the way to ask it.
    reload_settings
        Called when the person's settings file names another model.
    """

    def __init__(self, client: ClientState, connection: Connection, reload_settings: Callable[[], None]) -> None:
        self._client = client
        self._connection = connection
        self._reload_settings = reload_settings
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Wait for idle time, once in a session, if this client and this person may be asked at all."""
        if self._task is None and self._client_asks() and not is_unattended(os.environ):
            self._task = asyncio.get_running_loop().create_task(self._guarded())

    def stop(self) -> None:
        """Cancel what goes on; a transfer that is broken off resumes another time."""
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
        found = recommended(await subcommand.run(*self._measure()))
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

    def _measure(self) -> tuple[str, ...]:
        """The command that measures this machine: with the device and threads that the editor names too."""
        settings = self._client.policy.preferences.settings
        return (*MEASURE, "--device", settings.device, "--threads", str(settings.threads))

    async def _ask(self, found: Recommendation) -> str | None:
        actions = [types.MessageActionItem(title) for title in (TAKE, LATER, NEVER)]
        params = types.ShowMessageRequestParams(types.MessageType.Info, found.question(), actions)
        answer = await self._connection.ask(types.WINDOW_SHOW_MESSAGE_REQUEST, params)
        return getattr(answer, "title", None)

    async def _take(self, found: Recommendation) -> None:
        """Fetch the model, and have it loaded in place of the embedded one."""
        bar = ProgressBar(self._connection)
        await bar.begin(f"fetching {found.name}", cancellable=True)
        on_line = lambda line: _report(bar, line)  # noqa: E731
        transfer = asyncio.ensure_future(subcommand.run(*found.words, "--report", on_line=on_line))
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
        self._reload_settings()
        await self._loaded(found)

    async def _loaded(self, found: Recommendation) -> None:
        """Show the person whether the new model could be loaded."""
        worker = self._client.worker
        while worker.health.state == "loading":
            await asyncio.sleep(POLL_S)
        if worker.health.state == "error":
            health = worker.health
            back = f"guiderail models use {EMBEDDED} --dtype auto"
            words = f"{found.name} cannot be loaded: {health.message}. To go back: {back}"
            self._tell(types.MessageType.Error, words)
        elif worker.health.model != EMBEDDED:
            self._tell(types.MessageType.Info, f"{found.name} is your model now")

    def _tell(self, kind: types.MessageType, text: str) -> None:
        if self._connection.is_open:
            self._connection.show_message(kind, f"guiderail: {' '.join(text.split())}")

    async def _idle(self) -> None:
        """Wait until the model is loaded and has had nothing to do for `IDLE_S`."""
        quiet = 0.0
        while quiet < IDLE_S:
            await asyncio.sleep(min(POLL_S, IDLE_S))
            scheduler = self._client.scheduler
            is_busy = scheduler.busy or self._client.worker.health.state == "loading"
            quiet = 0.0 if is_busy else min(quiet + POLL_S, scheduler.debouncer.since_change())

    def _client_asks(self) -> bool:
        """Whether the client says that it can show a question."""
        window = self._connection.client_capabilities.window
        return not self._client.process.is_shared and window is not None and window.show_message is not None

    def _is_wanted(self) -> bool:
        """Whether the person still has the embedded model, chose none, and has not said no."""
        client = self._client
        preferences, health = client.policy.preferences, client.worker.health
        return (
            self._connection.is_open
            and client.policy.enabled
            and health.state == "ready"
            and health.model == EMBEDDED
            and "model" not in preferences.chosen
            and _chose_no_model(client.process.flags)
            and preferences.settings.offer_models
            and may_ask()
        )


def _report(bar: ProgressBar, line: str) -> None:
    """Show a line that `models pull --report` printed."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        progress = json.loads(line)
        percent = math.floor(100 * progress["done"] / progress["total"])
        bar.report(f"{percent} %", min(100, max(0, percent)))


def is_unattended(env: Mapping[str, str]) -> bool:
    """Whether this is continuous integration, where no person can be asked."""
    return env.get("CI", "").lower() not in {"", "0", "false"}


def _chose_no_model(flags: Mapping[str, object]) -> bool:
    """Whether no flag, variable or settings file of the person says which model to use."""
    return resolve(flags, os.environ, None, user_file()).source("model").kind == "default"


def may_ask() -> bool:
    """Whether the person's answers allow the question; a damaged file does."""
    answer = _answers()
    return answer.get("answer") != NEVER and answer["asked"].get(platform.node()) != _table()


def remember(answer: str) -> None:
    """Keep an answer; where that cannot be written, the question comes again in the next session."""
    asked = {**_answers()["asked"], platform.node(): _table()}
    kept = dict([*asked.items()][-MACHINES:])
    with contextlib.suppress(OSError):
        private.write_text(_answer_file(), json.dumps({"answer": answer, "asked": kept}) + "\n")


def _answers() -> dict[str, Any]:
    """The last answer, and by machine the published models of which it was asked."""
    try:
        held = projectfile.read_json(_answer_file())
    except ProjectFileError:
        held = None
    held = held if isinstance(held, dict) else {}
    asked = held.get("asked")
    return {"answer": held.get("answer"), "asked": asked if isinstance(asked, dict) else {}}


def _table() -> str:
    """The version of the table of published models."""
    return hashlib.sha256(catalogue.FILE.read_bytes()).hexdigest()[:16]


def _answer_file() -> Path:
    import platformdirs

    return platformdirs.user_state_path("guiderail") / "offer.json"
