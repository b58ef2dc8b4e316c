"""Attacks on `guiderail serve`: by names of this machine that are none, and by requests that cost much."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest
import torch
from starlette.requests import Request

from guiderail.decoding.sampling import Sampler, Sampling
from guiderail.lsp.worker import Job, Priority, Worker
from guiderail.serve import app
from guiderail.serve.app import Bodies
from guiderail.serve.fields import Fields
from guiderail.serve.local_model import MOST_PREPARED
from guiderail.serve.query import sampling_of
from guiderail.serve.service import LONGEST_TOKENIZED
from tests.serve.client import Client
from tests.serve.conftest import client, engine, no_settings, root, service, worker

__all__ = ["client", "engine", "no_settings", "root", "service", "worker"]  # fixtures


@pytest.mark.parametrize("host", ["[::1]evil.com", "[::1", "::1", "[::1%25lo]", "localhost:80@evil.com", "localhost:x"])
def test_a_name_that_only_begins_with_this_machine_s(client: Client, host: str) -> None:
    """What comes after the brackets or the port counts too, of a host and of an origin."""
    assert client.post("/completion", {"prompt": "x"}, host=host).status == 403
    assert client.post("/completion", {"prompt": "x"}, origin=f"http://{host}").status == 403


@pytest.mark.parametrize("host", ["[::1]", "[::1]:8012", "LOCALHOST.:80", "127.0.0.1:", "127.3.2.1"])
def test_names_of_this_machine(client: Client, host: str) -> None:
    """These name it."""
    assert client.post("/completion", {"prompt": "x"}, host=host).status == 200


def test_a_second_origin(client: Client) -> None:
    """All origins of a request count, not the first alone."""

    async def status() -> list[int]:
        found, parts = list[int](), [b'{"prompt": "x"}']

        async def send(message: Any) -> None:
            found.extend([message["status"]] if "status" in message else [])

        async def receive() -> dict[str, Any]:
            if not parts:  # a client that stays
                await asyncio.sleep(60)
            return {"type": "http.request", "body": parts.pop(), "more_body": False}

        origins = [(b"origin", b"http://localhost"), (b"origin", b"http://evil.example")]
        scope = {
            "type": "http", "http_version": "1.1", "method": "POST", "path": "/completion", "raw_path": b"/completion",
            "query_string": b"", "root_path": "", "scheme": "http", "headers": [(b"host", b"localhost"), *origins],
            "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 8012),
        }  # fmt: skip
        await client._app(scope, receive, send)
        return found

    assert asyncio.run(status()) == [403]


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-40, 1e-39])
def test_a_temperature_by_which_nothing_can_be_divided(temperature: float) -> None:
    """It means 0: the scores would be infinite, and the draw would fail the model."""
    assert sampling_of(Fields({"temperature": temperature})) == {"temperature": 0.0}
    assert Sampler(Sampling(temperature=temperature))(torch.tensor([1.0, 3.0, -2.0])) == 1


def test_a_text_too_long_to_tokenize(client: Client) -> None:
    """Its tokens would be hundreds of megabytes, made while nobody else is answered."""
    response = client.post("/tokenize", {"content": "a" * (LONGEST_TOKENIZED + 1)})
    assert (response.status, response.error["code"]) == (413, 413)


def test_tokenizing_takes_a_place(client: Client, worker: Worker) -> None:
    """As completions do: more requests than there are places do not wait for the model."""
    held, service = threading.Event(), client.service
    worker.submit(Job(Priority.REQUEST, lambda engine, cancelled: held.wait(20)))

    async def statuses() -> list[int]:
        asked = [asyncio.ensure_future(client.ask("POST", "/tokenize", b'{"content": "a"}')) for _ in range(80)]
        while service.waiting.total() < 64:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        held.set()
        return [(await one).status for one in asked]

    assert asyncio.run(asyncio.wait_for(statuses(), 30)).count(503) == 16
    assert service.waiting.total() == 0


def test_texts_that_wait_for_idle_time(client: Client, worker: Worker) -> None:
    """While the model is busy, requests that only prepare are answered at once: their texts do not pile up."""
    held = threading.Event()
    worker.submit(Job(Priority.REQUEST, lambda engine, cancelled: held.wait(20)))
    try:
        for number in range(2 * MOST_PREPARED):
            query = {"input_prefix": "x = ", "n_predict": 0, "guiderail": {"file": f"f{number}.py"}}
            assert client.post("/infill", query).status == 200
        waiting = [job for job in worker._jobs if job.priority == Priority.PREPARE and not job.cancelled]
        assert len(waiting) == MOST_PREPARED
    finally:
        held.set()


def test_bodies_that_all_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies that are on their way have a bound together; what was given up no longer counts."""
    monkeypatch.setattr(app, "BODIES_LIMIT", 1000)
    monkeypatch.setattr(app, "BODY_S", 1.0)
    bodies = Bodies()

    async def statuses() -> list[Any]:
        slow = [asyncio.ensure_future(bodies.read(cast(Request, Coming(b"x" * 90)))) for _ in range(20)]
        found = await asyncio.gather(*slow, return_exceptions=True)
        assert await bodies.read(cast(Request, Coming(b"x" * 900, is_whole=True))) == b"x" * 900
        return [getattr(one, "status", 200) for one in found]

    found = asyncio.run(statuses())
    assert sorted(set(found)) == [408, 503]
    assert found.count(408) == 11


class Coming:
    """A request of which one piece has come, and more is said to come."""

    def __init__(self, data: bytes, *, is_whole: bool = False) -> None:
        self.headers: dict[str, str] = {}
        self._data, self._is_whole = data, is_whole

    async def stream(self) -> Any:
        yield self._data
        if not self._is_whole:
            await asyncio.sleep(20)
