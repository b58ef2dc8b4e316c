"""The endpoints."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from guiderail.lsp.logfile import location_of
from guiderail.serve import llama_cpp, openai
from guiderail.serve.answer import Answer
from guiderail.serve.faults import RequestFault
from guiderail.serve.fields import Fields
from guiderail.serve.guard import Guard
from guiderail.serve.query import MOST_TEXTS, Query
from guiderail.serve.replies import DONE, WAITING, error_reply, event, pieces, stream_reply
from guiderail.serve.service import CompletionService, Gone

log = logging.getLogger(__name__)

BODY_LIMIT = 2_000_000  # bytes
BODIES_LIMIT = 64_000_000  # bytes of all bodies that are on their way
BODY_S = 10.0  # in which a body must have come
WAIT_S = 2.0  # after which a stream that has nothing yet says that it lives

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_Render = Callable[[Sequence[Answer]], AsyncIterator[str]]


def application(service: CompletionService, key: str = "", *, local_only: bool = True) -> Guard:
    """The ASGI application.

    Parameters
    ----------
    service
        What answers.
    key
        What clients must show; "" for none.
    local_only
        Whether it listens on a loopback address.
    """
    endpoints = Endpoints(service, local_only)
    posts = {
        "/infill": endpoints.infill, "/completion": endpoints.completion, "/completions": endpoints.completion,
        "/v1/completions": endpoints.openai_completion, "/tokenize": endpoints.tokenize,
    }  # fmt: skip
    gets = {
        "/health": endpoints.health, "/v1/health": endpoints.health, "/props": endpoints.props,
        "/models": endpoints.models, "/v1/models": endpoints.models,
    }  # fmt: skip
    routes = [
        *(Route(path, _guarded(handler), methods=["POST"]) for path, handler in posts.items()),
        *(Route(path, _guarded(handler), methods=["GET"]) for path, handler in gets.items()),
    ]
    return Guard(Starlette(routes=routes, exception_handlers={HTTPException: _refused}), key, local_only)


class Bodies:
    """Reads the bodies of requests, all of which together have a bound."""

    def __init__(self) -> None:
        self._held = 0  # bytes of those that have not come whole

    async def read(self, request: Request) -> bytes:
        """A body; raises RequestFault where it is too long, comes too slowly, or too many come at once."""
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and (len(announced) > len(str(BODY_LIMIT)) or int(announced) > BODY_LIMIT):
            raise _too_long()
        data = bytearray()
        try:
            async with asyncio.timeout(BODY_S):
                await self._read(request, data)
        except TimeoutError:
            raise RequestFault(408, f"the body did not come within {BODY_S:.0f} s") from None
        finally:
            self._held -= len(data)
        return bytes(data)

    async def _read(self, request: Request, data: bytearray) -> None:
        async for piece in request.stream():
            data += piece
            self._held += len(piece)
            if len(data) > BODY_LIMIT:
                raise _too_long()
            if self._held > BODIES_LIMIT:
                raise RequestFault(503, "too many requests come at once", "Try again soon")


class Endpoints:
    """The handlers, one for each endpoint.

    Parameters
    ----------
    service
        What answers.
    local_only
        Whether all clients are on this machine.
    """

    def __init__(self, service: CompletionService, local_only: bool) -> None:
        self._service = service
        self._local_only = local_only
        self._bodies = Bodies()

    async def health(self, request: Request) -> Response:
        """Whether the model is loaded."""
        self._service.check_ready()
        return JSONResponse({"status": "ok"})

    async def props(self, request: Request) -> Response:
        """What llama.cpp's clients want to know of the model."""
        info = self._service.info()
        context = min(info.context_length, self._service.prompt_tokens)
        return JSONResponse(llama_cpp.props(self._service.model, context, self._service.width))

    async def models(self, request: Request) -> Response:
        """The one model."""
        return JSONResponse(openai.models(self._service.model, self._service.info()))

    async def tokenize(self, request: Request) -> Response:
        """The tokens of a text."""
        fields = Fields.of_body(await self._bodies.read(request))
        found = await self._service.tokens(fields.text("content"), _address(request), is_local=self._local_only)
        return JSONResponse(llama_cpp.tokens(found, fields.flag("with_pieces")))

    async def infill(self, request: Request) -> Response:
        """llama.cpp's endpoint for holes."""
        fields = Fields.of_body(await self._bodies.read(request))
        return await self._llama_cpp(request, fields, [llama_cpp.infill(fields)])

    async def completion(self, request: Request) -> Response:
        """llama.cpp's endpoint for prompts."""
        fields = Fields.of_body(await self._bodies.read(request))
        return await self._llama_cpp(request, fields, llama_cpp.completion(fields))

    async def openai_completion(self, request: Request) -> Response:
        """OpenAI's endpoint for prompts and holes."""
        fields = Fields.of_body(await self._bodies.read(request))
        queries = openai.completion(fields)
        is_counted = fields.object("stream_options").flag("include_usage")
        response = openai.Response(self._service.model)

        async def events(answers: Sequence[Answer]) -> AsyncIterator[str]:
            for index, (answer, text) in enumerate(_texts(answers)):
                for piece in pieces(text.text):
                    yield event(response.chunk(index, piece))
                yield event(response.last(index, answer, text))
            if is_counted:
                yield event(response.counts(answers))
            yield DONE

        if fields.flag("stream"):
            return await self._streamed(request, queries, events)
        return JSONResponse(response.whole(await self._answers(request, queries)))

    async def _llama_cpp(self, request: Request, fields: Fields, queries: list[Query]) -> Response:
        """Answer in llama.cpp's form: one object, or a list where several texts were asked for."""
        wanted = fields.texts("response_fields")

        async def events(answers: Sequence[Answer]) -> AsyncIterator[str]:
            for index, (answer, text) in enumerate(_texts(answers)):
                for piece in pieces(text.text):
                    yield event(llama_cpp.chunk(piece, index))
                yield event({**llama_cpp.result(answer, text, index), "content": ""})

        if fields.flag("stream"):
            return await self._streamed(request, queries, events)
        answers = await self._answers(request, queries)
        found = [llama_cpp.result(answer, text, index, wanted) for index, (answer, text) in enumerate(_texts(answers))]
        return JSONResponse(found[0] if len(found) == 1 else found)

    async def _answers(self, request: Request, queries: list[Query]) -> list[Answer]:
        """Answer all queries of a request, one after the other, until its client goes away."""
        if sum(query.n for query in queries) > MOST_TEXTS:
            raise RequestFault(400, f"a request may ask for {MOST_TEXTS} texts at most")
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            return [await self._complete(request, query, gone) for query in queries]
        finally:
            gone.cancel()

    async def _complete(self, request: Request, query: Query, gone: asyncio.Future[None]) -> Answer:
        return await self._service.complete(query, _address(request), gone, is_local=self._local_only)

    async def _streamed(self, request: Request, queries: list[Query], render: _Render) -> Response:
        """Answer as a stream; an error that comes soon enough still has its status."""
        work = asyncio.ensure_future(self._answers(request, queries))
        try:
            await asyncio.wait([work], timeout=WAIT_S)
        except asyncio.CancelledError:
            work.cancel()
            raise
        if work.done():
            work.result()
        return stream_reply(_events(work, render))


async def _events(work: asyncio.Future[list[Answer]], render: _Render) -> AsyncIterator[str]:
    """The events of a stream, with signs of life until there are some."""
    try:
        while not work.done():
            yield WAITING
            await asyncio.wait([work], timeout=WAIT_S)
        async for one in render(work.result()):
            yield one
    except Gone:
        return
    except Exception as error:
        yield event(_fault_of(error).body())
    finally:
        work.cancel()


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _texts(answers: Sequence[Answer]):
    return [(answer, text) for answer in answers for text in answer.texts]


async def _disconnected(request: Request) -> None:
    """Return once the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _too_long() -> RequestFault:
    return RequestFault(413, f"the body is longer than {BODY_LIMIT:,} bytes", "Send less text around the cursor")


def _guarded(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A handler whose failures are answered; what goes wrong is logged without the words of the error."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except (Gone, ClientDisconnect):
            return Response(status_code=499)  # nobody reads it
        except Exception as error:
            return error_reply(_fault_of(error))

    return handle


def _fault_of(error: Exception) -> RequestFault:
    if isinstance(error, RequestFault):
        return error
    log.error("a request failed: %s at %s", type(error).__name__, location_of(error))
    return RequestFault(500, f"internal error: {type(error).__name__}")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        chat = (
            "guiderail completes code and does not chat" if "chat" in request.url.path else "there is no such endpoint"
        )
        return error_reply(RequestFault(404, chat, "See docs/serve.md"))
    return error_reply(RequestFault(error.status_code, str(error.detail)))
