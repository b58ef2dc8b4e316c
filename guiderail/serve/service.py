"""Answers queries: finds the file, waits for the model, and gives up what nobody waits for."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from guiderail.engine.request import CompletionRequest
from guiderail.errors import GuiderailError
from guiderail.model.info import ModelInfo
from guiderail.serve.answer import Answer, texts_of
from guiderail.serve.backend import Backend, Share
from guiderail.serve.disk_watch import DiskWatch
from guiderail.serve.faults import RequestFault, fault_of
from guiderail.serve.project_files import Hole, ProjectFiles
from guiderail.serve.query import Query, within
from guiderail.settings import Settings, names_path

log = logging.getLogger(__name__)

MOST_WAITING = 64  # requests that are being answered or wait, for each that can run at the same time
MOST_OF_ONE = 16  # the same from one address, where others can reach the server
LONGEST_TOKENIZED = 200_000  # characters
CHARACTERS = 3  # of code that a token stands for
BEGINNING = 256  # characters by which a text in no file is known again: its cursor and its end move
SETTLE_S = 0.3  # for which a request waits where other files changed: analysers answer from the earlier state at first
ANSWER_S = 60.0  # for an answer, the wait included


class Gone(Exception):
    """The client has gone away: nobody reads an answer."""


class CompletionService:
    """Answers the queries of all clients.

    Parameters
    ----------
    backend
        What completes.
    settings
        The settings of each root; those of `None` are for texts in no file.

    Attributes
    ----------
    waiting
        How many requests are being answered or wait, by address.
    """

    def __init__(self, backend: Backend, settings: Mapping[Path | None, Settings]) -> None:
        self.backend = backend
        self.waiting: Counter[str] = Counter()
        self._settings = settings
        self._files = ProjectFiles(self.roots, self._forget, self._saved)
        self._disk = DiskWatch(self.roots)
        self._reader = ThreadPoolExecutor(1, "guiderail-files")  # files are looked for one request at a time
        self._clients: dict[str, int] = {}
        self._count = itertools.count(1)  # 0 is whoever asks from this machine

    def warm(self) -> None:
        """Start the analyser of each root in idle time: the first to ask need not wait, or do without.

        Call it before the first request: what changes on the disk from now on is noticed.
        """
        self._disk.changed()  # before analysers read the same
        for hole in self._files.samples():
            path, settings = hole.document.path, self._settings.get(hole.root, self._settings[None])
            uri = path.as_uri() if path else ""
            self.backend.warm(
                CompletionRequest(
                    document=hole.document, offset=hole.offset, root=hole.root, settings=settings, uri=uri
                )
            )

    async def complete(self, query: Query, address: str, gone: asyncio.Future[None], *, is_local: bool) -> Answer:
        """Answer a query.

        Parameters
        ----------
        address
            Where the client is; addresses take turns.
        gone
            Done once the client has gone away.
        is_local
            Whether the address is this machine's, so that it stands for many clients.

        Raises
        ------
        RequestFault
            The query is refused, or cannot be answered in time.
        Gone
            The client has gone away.
        """
        self.check_ready()
        turn = self._client(address)
        with self._place(address, is_local):
            # Those on this machine are one person's; of others nobody is shown what another one's editor holds.
            client = 0 if is_local else turn
            find = asyncio.get_running_loop().run_in_executor(self._reader, self._hole, query, client)
            hole = await self._first(find, gone)
            if hole.refusal:
                return Answer(texts_of(hole, (), query.n, ()), hole, None, self.model)
            request = self._request(hole, query, client)
            if query.max_tokens == 0 or not (query.before or query.after):
                self.backend.prepare(request)
                return Answer(texts_of(hole, (), query.n, ()), hole, None, self.model)
            work = asyncio.ensure_future(self.backend.complete(request, turn))
            share: Share = await self._first(work, gone)
            found = texts_of(hole, share.completion.suggestions, query.n, query.stops, share.first)
            return Answer(found, hole, share.completion, self.model)

    @property
    def model(self) -> str:
        """The name of the loaded model; of one in a folder or file, its last part."""
        name = self.backend.health.model
        return Path(name).name if names_path(name) else name

    @property
    def roots(self) -> list[Path]:
        """The folders whose files are found."""
        return [root for root in self._settings if root is not None]

    @property
    def prompt_tokens(self) -> int:
        """Tokens of a prompt at most."""
        return self._settings[None].prompt_tokens

    @property
    def width(self) -> int:
        """How many requests may run at the same time."""
        return self.backend.width

    def check_ready(self) -> None:
        """Raise RequestFault unless the model is there."""
        health = self.backend.health
        if health.state == "loading":
            raise RequestFault(503, "Loading model")
        if not self.backend.has_model:
            raise RequestFault(503, health.message or "there is no model", health.remedy)

    def info(self) -> ModelInfo:
        """What is known about the loaded model; nothing is waited for."""
        self.check_ready()
        return self.backend.info

    async def tokens(self, text: str, address: str, *, is_local: bool) -> list[tuple[int, bytes]]:
        """The tokens of a text, with their bytes; arguments as of `complete`.

        Raises
        ------
        RequestFault
            The text is too long, or too many requests wait.
        """
        self.check_ready()
        if len(text) > LONGEST_TOKENIZED:
            raise RequestFault(413, f"the text is longer than {LONGEST_TOKENIZED:,} characters", "Send it in parts")
        with self._place(address, is_local):
            work = asyncio.ensure_future(self.backend.tokens(text))
            return await self._first(work, asyncio.get_running_loop().create_future())

    @contextmanager
    def _place(self, address: str, is_local: bool):
        """A place among the requests that wait; raises RequestFault where there is none."""
        if self.waiting.total() >= MOST_WAITING * self.width:
            raise RequestFault(503, "too many requests wait already", "Try again soon")
        if not is_local and self.waiting[address] >= MOST_OF_ONE:
            raise RequestFault(429, "too many of your requests wait already", "Try again soon")
        self.waiting[address] += 1
        try:
            yield
        finally:
            self.waiting[address] -= 1
            self.waiting = +self.waiting

    async def _first(self, work: asyncio.Future[Any], gone: asyncio.Future[None]) -> Any:
        """The result of some work, unless the client goes away or the time is over first."""
        try:
            await asyncio.wait([work, gone], timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not work.done():
                work.cancel()
        if gone.done():
            raise Gone
        if not work.done():
            raise RequestFault(504, f"there was no answer within {ANSWER_S:.0f} s")
        try:
            return work.result()
        except GuiderailError as error:
            raise fault_of(error) from error

    def _hole(self, query: Query, client: int) -> Hole:  # on the reader's thread
        changed = self._disk.changed()
        self._files.refresh()  # before analysers read anew: a text that was saved since counts no more
        if changed:
            self.backend.files_changed(changed)
        hole = self._files.hole(query, client)
        if hole.root is not None and any(path != hole.document.path for path in changed):
            time.sleep(SETTLE_S)
        return hole

    def _request(self, hole: Hole, query: Query, client: int) -> CompletionRequest:
        """The engine's request; in a file it is that of an editor that has the file open."""
        path, settings = hole.document.path, query.settings(self._settings.get(hole.root, self._settings[None]))
        return CompletionRequest(
            document=hole.document,
            offset=hole.offset,
            root=hole.root,
            settings=settings,
            n=query.n,
            uri=path.as_uri() if path else _untitled(query.before),
            client=client,
            snippets=None if path else within(query.snippets, CHARACTERS * settings.context_tokens * settings.context),
        )

    def _forget(self, path: Path, client: int) -> None:  # on the reader's thread
        self.backend.forget((client, path.as_uri()))

    def _saved(self, path: Path, client: int) -> None:  # on the reader's thread
        self.backend.saved((client, path.as_uri()))

    def _client(self, address: str) -> int:
        """The number of an address, for turns and for the names of documents; none is given twice."""
        if len(self._clients) > 10_000:  # addresses that were seen; numbers of those that wait are in their jobs
            self._clients.clear()
        return self._clients.get(address) or self._clients.setdefault(address, next(self._count))


def _untitled(before: str) -> str:
    """The name of a text in no file, by its beginning: its keys and values are found again at the next key."""
    return f"untitled:{blake2b(before[:BEGINNING].encode(errors='replace'), digest_size=12).hexdigest()}"
