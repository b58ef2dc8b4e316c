"""Answers queries: finds the file, waits for the model's thread, and gives up what nobody waits for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from guiderail.engine.engine import Engine
from guiderail.engine.errors import ElsewhereError
from guiderail.engine.request import CompletionRequest
from guiderail.errors import GuiderailError, UnavailableError
from guiderail.lsp.worker import CompletionEngine, FailedJobError, Job, Priority, Worker
from guiderail.model.info import ModelInfo
from guiderail.serve.answer import Answer, texts_of
from guiderail.serve.batches import Batches
from guiderail.serve.disk_watch import DiskWatch
from guiderail.serve.faults import RequestFault
from guiderail.serve.project_files import Hole, ProjectFiles
from guiderail.serve.query import Query, within
from guiderail.settings import Settings, names_path

log = logging.getLogger(__name__)

MOST_WAITING = 64  # requests that are being answered or wait
MOST_OF_ONE = 16  # the same from one address, where others can reach the server
MOST_PREPARED = 32  # jobs that wait for idle time
LONGEST_TOKENIZED = 200_000  # characters
CHARACTERS = 3  # of code that a token stands for
SETTLE_S = 0.3  # for which a request waits where other files changed: analysers answer from the earlier state at first
ANSWER_S = 60.0  # for an answer, the wait included


class Gone(Exception):
    """The client has gone away: nobody reads an answer."""


class CompletionService:
    """Answers the queries of all clients with one model.

    Parameters
    ----------
    worker
        The thread that runs the model.
    settings
        The settings of each root; those of `None` are for texts in no file.

    Attributes
    ----------
    waiting
        How many requests are being answered or wait, by address.
    """

    def __init__(self, worker: Worker, settings: Mapping[Path | None, Settings]) -> None:
        self.worker = worker
        self.waiting: Counter[str] = Counter()
        self._settings = settings
        self._files = ProjectFiles(self.roots, self._forget, self._saved)
        self._disk = DiskWatch(self.roots)
        self._reader = ThreadPoolExecutor(1, "guiderail-files")  # files are looked for one request at a time
        self._batches = Batches(worker)
        self._known: set[Path] = set()
        self._prepared: list[Job] = []  # that wait for idle time
        self._clients: dict[str, int] = {}
        self._preparing: dict[str, Job] = {}  # by URI

    def warm(self) -> None:
        """Start the analyser of each root in idle time: the first to ask need not wait, or do without.

        Call it before the first request: what changes on the disk from now on is noticed.
        """
        self._disk.changed()  # before analysers read the same
        for hole in self._files.samples():
            path, settings = hole.document.path, self._settings.get(hole.root, self._settings[None])
            uri = path.as_uri() if path else ""
            request = CompletionRequest(
                document=hole.document, offset=hole.offset, root=hole.root, settings=settings, uri=uri
            )
            self._in_idle_time(lambda engine, cancelled, request=request: engine.warm(request, cancelled))

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
        with self._place(address, is_local):
            hole = await self._first(asyncio.get_running_loop().run_in_executor(self._reader, self._hole, query), gone)
            if hole.refusal:
                return Answer(texts_of(hole, (), query.n, ()), hole, None, self.model)
            request = self._request(hole, query)
            if query.max_tokens == 0 or not (query.before or query.after):
                self._prepare(request)
                return Answer(texts_of(hole, (), query.n, ()), hole, None, self.model)
            return await self._answer(hole, query, request, address, gone)

    @property
    def model(self) -> str:
        """The name of the loaded model; of one in a folder or file, its last part."""
        name = self.worker.health.model
        return Path(name).name if names_path(name) else name

    @property
    def roots(self) -> list[Path]:
        """The folders whose files are found."""
        return [root for root in self._settings if root is not None]

    @property
    def prompt_tokens(self) -> int:
        """Tokens of a prompt at most."""
        return self._settings[None].prompt_tokens

    def check_ready(self) -> None:
        """Raise RequestFault unless the model is there."""
        self.worker.retry()
        health = self.worker.health
        if health.state == "loading":
            raise RequestFault(503, "Loading model")
        if not self.worker.has_model:
            raise RequestFault(503, health.message or "there is no model", health.remedy)

    async def info(self) -> ModelInfo:
        """What is known about the loaded model."""
        self.check_ready()
        return await self._asked(lambda engine: engine.described.info)

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

        def work(engine: Engine) -> list[tuple[int, bytes]]:
            tokenizer = engine.model.tokenizer
            return [(token, tokenizer.token_bytes[token]) for token in tokenizer.encode(text)]

        with self._place(address, is_local):
            return await self._asked(work)

    async def _asked(self, work: Callable[[Engine], Any]) -> Any:
        """What a short piece of work on the model's thread returns."""
        job = Job(Priority.CONTROL, lambda engine, _: work(cast(Engine, engine)))
        future = asyncio.wrap_future(self.worker.submit(job).future)
        return await self._first(future, asyncio.get_running_loop().create_future())

    async def _answer(
        self, hole: Hole, query: Query, request: CompletionRequest, address: str, gone: asyncio.Future[None]
    ) -> Answer:
        member = self._batches.join(request, self._client(address))
        try:
            completion = await self._first(asyncio.shield(member.batch.done), gone)
        except asyncio.CancelledError:
            if member.batch.job.cancelled:
                raise RequestFault(503, "the server is ending") from None
            raise
        finally:
            member.leave()
        self._prepare(request)  # context of other files, chosen anew where the cursor went or files changed
        found = texts_of(hole, completion.suggestions, query.n, query.stops, member.first)
        return Answer(found, hole, completion, self.model)

    @contextmanager
    def _place(self, address: str, is_local: bool):
        """A place among the requests that wait; raises RequestFault where there is none."""
        if self.waiting.total() >= MOST_WAITING:
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
        await asyncio.wait([work, gone], timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            work.cancel()
            raise Gone
        if not work.done():
            work.cancel()
            raise RequestFault(504, f"there was no answer within {ANSWER_S:.0f} s")
        try:
            return work.result()
        except FailedJobError as error:
            raise RequestFault(500, error.message, error.remedy) from error
        except RequestFault:
            raise
        except UnavailableError as error:
            raise RequestFault(503, error.message, error.remedy) from error
        except ElsewhereError as error:
            raise RequestFault(501, error.message, error.remedy) from error
        except GuiderailError as error:
            raise RequestFault(400, error.message, error.remedy) from error

    def _hole(self, query: Query) -> Hole:  # on the reader's thread
        changed = self._disk.changed()
        self._files.refresh()  # before analysers read anew: a text that was saved since counts no more
        if changed:
            self.worker.engine.files_changed(*changed)
        hole = self._files.hole(query)
        if hole.root is not None and any(path != hole.document.path for path in changed):
            time.sleep(SETTLE_S)
        return hole

    def _request(self, hole: Hole, query: Query) -> CompletionRequest:
        """The engine's request; in a file it is that of an editor that has the file open."""
        path, settings = hole.document.path, query.settings(self._settings.get(hole.root, self._settings[None]))
        request = CompletionRequest(
            document=hole.document,
            offset=hole.offset,
            root=hole.root,
            settings=settings,
            n=query.n,
            uri=path.as_uri() if path else "",
            snippets=None if path else within(query.snippets, CHARACTERS * settings.context_tokens * settings.context),
        )
        if path is not None:
            self.worker.engine.edited((request.client, request.uri), hole.document)
            if path not in self._known:
                self._known.add(path)
                self._in_idle_time(lambda engine, cancelled: engine.warm(request, cancelled))
        return request

    def _prepare(self, request: CompletionRequest) -> None:
        """Prepare the next request in a file in idle time; only the latest cursor counts."""
        if not request.uri:
            return
        if earlier := self._preparing.get(request.uri):
            earlier.cancel()
        work = self._in_idle_time(lambda engine, cancelled: engine.prepare(replace(request, n=1), cancelled))
        self._preparing[request.uri] = work

    def _in_idle_time(self, work: Callable[[CompletionEngine, Callable[[], bool]], Any]) -> Job:
        """Do something once nobody waits; of what waits itself, and holds its text, only the latest is kept."""
        self._prepared = [job for job in self._prepared if not job.future.done()]
        if len(self._prepared) == MOST_PREPARED:
            self._prepared.pop(0).cancel()
        self._prepared.append(self.worker.submit(Job(Priority.PREPARE, work)))
        return self._prepared[-1]

    def _forget(self, path: Path) -> None:  # on the reader's thread
        self._known.discard(path)
        self._preparing.pop(path.as_uri(), None)
        name = (0, path.as_uri())
        self.worker.engine.edited(name, None)
        self.worker.submit(Job(Priority.CONTROL, lambda engine, _: engine.forget(name)))

    def _saved(self, path: Path) -> None:  # on the reader's thread
        self.worker.engine.edited((0, path.as_uri()), None)

    def _client(self, address: str) -> int:
        """The number of an address, for the worker's turns."""
        if len(self._clients) > 10_000:  # addresses that were seen; numbers of those that wait are in their jobs
            self._clients.clear()
        return self._clients.setdefault(address, len(self._clients))
