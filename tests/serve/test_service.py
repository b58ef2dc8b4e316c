"""The laws of answering several clients with one model."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from guiderail.engine.request import CompletionRequest
from guiderail.lsp.worker import Worker
from guiderail.serve import service as service_module
from guiderail.serve.batches import Batches
from guiderail.serve.local_model import LocalModel
from guiderail.serve.service import CompletionService
from guiderail.settings import Settings
from guiderail.text.document import Document
from tests.serve.client import Client, Response
from tests.serve.engine import ToldEngine
from tests.serve.waiting import until as wait_until


def body(prompt: str, **more: Any) -> bytes:
    return json.dumps({"prompt": prompt, **more}).encode()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


def joined(service: CompletionService) -> int:
    """How many requests are in the model's queue, or being answered."""
    assert isinstance(service.backend, LocalModel)
    return sum(len(batch.members) for batch in service.backend._batches._waiting.values())


def post(client: Client, prompt: str, **more: Any) -> Coroutine[Any, Any, Response]:
    """Ask `/completion`; `gone` and `address` as of `Client.ask`."""
    transport = {key: more.pop(key) for key in ("gone", "address") if key in more}
    return client.ask("POST", "/completion", body(prompt, **more), **transport)


def test_requests_for_one_text_are_one_piece_of_work(client: Client, engine: ToldEngine) -> None:
    """What minuet asks three times at once is written three times side by side, and each request has another text."""

    async def run() -> list[Response]:
        engine.gate.clear()
        first = asyncio.ensure_future(post(client, "first = "))
        await until(lambda: engine.is_held)
        same = [asyncio.ensure_future(post(client, "x = ")) for _ in range(3)]
        other = asyncio.ensure_future(post(client, "y = "))
        await until(lambda: joined(client.service) == 5)
        engine.gate.set()
        return await asyncio.gather(*same, other, first)

    answers = asyncio.run(run())
    assert engine.asked == ["first = ", "x = ", "y = "]
    assert [one.json["content"] for one in answers[:4]] == ["hello()", "hello()1", "hello()2", "hello()"]


def test_a_client_that_goes_away_frees_its_place(client: Client, engine: ToldEngine, worker: Worker) -> None:
    """Its work ends within one step, and the next client is answered."""

    async def run() -> Response:
        engine.gate.clear()
        gone = asyncio.Event()
        leaving = asyncio.ensure_future(post(client, "x = ", gone=gone))
        await until(lambda: engine.is_held)
        gone.set()
        await leaving
        assert client.service.waiting.total() == 0
        engine.gate.set()
        return await post(client, "y = ")

    assert asyncio.run(run()).json["content"] == "hello()"
    assert engine.steps <= len("hello()") + 1


def test_one_of_a_batch_that_goes_away_leaves_the_others_their_answers(client: Client, engine: ToldEngine) -> None:
    """The work ends only once nobody waits for it."""

    async def run() -> Response:
        engine.gate.clear()
        gone = asyncio.Event()
        leaving = asyncio.ensure_future(post(client, "x = ", gone=gone))
        await until(lambda: engine.is_held)
        staying = asyncio.ensure_future(post(client, "y = "))
        other = asyncio.ensure_future(post(client, "y = ", gone=gone))
        await until(lambda: client.service.waiting.total() == 3)
        gone.set()
        await asyncio.gather(leaving, other)
        engine.gate.set()
        return await staying

    assert asyncio.run(run()).json["content"] == "hello()"


def test_a_client_that_waits_and_goes_away_costs_no_work(client: Client, engine: ToldEngine) -> None:
    """A request that never began is never begun."""

    async def run() -> None:
        engine.gate.clear()
        gone = asyncio.Event()
        first = asyncio.ensure_future(post(client, "first = "))
        await until(lambda: engine.is_held)
        others = [asyncio.ensure_future(post(client, f"x{number} = ", gone=gone)) for number in range(20)]
        await until(lambda: client.service.waiting.total() == 21)
        gone.set()
        await asyncio.gather(*others)
        engine.gate.set()
        await first

    asyncio.run(run())
    assert engine.asked == ["first = "]


def test_nobody_joins_what_was_given_up(worker: Worker, engine: ToldEngine) -> None:
    """A request for the same text right after the only one that waited went away is a new piece of work."""

    async def run() -> None:
        batches, request = Batches(worker), CompletionRequest(document=Document("x = "), offset=4)
        engine.gate.clear()
        first = batches.join(replace(request, offset=0), 0)
        await until(lambda: engine.is_held)
        batches.join(request, 0).leave()
        late = batches.join(request, 0)  # before the event loop hears of the end
        engine.gate.set()
        assert (await late.batch.done).suggestions[0].text == "hello()"
        await first.batch.done

    asyncio.run(run())


def test_the_queue_is_bounded(client: Client, engine: ToldEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes too late is told to come again, and those who wait are answered."""
    monkeypatch.setattr(service_module, "MOST_WAITING", 5)

    async def run() -> list[Response]:
        engine.gate.clear()
        waiting = [asyncio.ensure_future(post(client, f"x{number} = ")) for number in range(5)]
        await until(lambda: client.service.waiting.total() == 5)
        late = await post(client, "late = ")
        engine.gate.set()
        return [*await asyncio.gather(*waiting), late]

    *answered, late = asyncio.run(run())
    assert {one.status for one in answered} == {200}
    assert late.error["type"] == "unavailable_error"
    assert late.headers["retry-after"] == "1"


def test_one_address_cannot_take_all_places(
    service: CompletionService, engine: ToldEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses take turns: who asks a second time waits until the other was served once."""
    monkeypatch.setattr(service_module, "MOST_OF_ONE", 4)
    client = Client(service, "key", local_only=False)

    async def ask(prompt: str, address: str) -> Response:
        return await client.ask("POST", "/completion", body(prompt), {"x-api-key": "key"}, address=address)

    async def run() -> Response:
        engine.gate.clear()
        greedy = [asyncio.ensure_future(ask(f"greedy{number} = ", "10.0.0.1")) for number in range(4)]
        await until(lambda: engine.is_held and service.waiting["10.0.0.1"] == 4)
        too_much = await ask("greedy = ", "10.0.0.1")
        modest = asyncio.ensure_future(ask("modest = ", "10.0.0.2"))
        await until(lambda: joined(service) == 5)
        engine.gate.set()
        await asyncio.gather(*greedy, modest)
        return too_much

    assert asyncio.run(run()).error["type"] == "rate_limit_error"
    assert engine.asked.index("modest = ") <= 2


def test_an_answer_that_takes_too_long_is_given_up(
    client: Client, engine: ToldEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is told, and the work ends."""
    monkeypatch.setattr(service_module, "ANSWER_S", 0.2)

    async def run() -> Response:
        engine.gate.clear()
        response = await post(client, "x = ")
        engine.gate.set()
        return response

    assert asyncio.run(run()).error["type"] == "timeout_error"
    assert client.service.waiting.total() == 0


def test_the_end_of_the_worker_ends_all_requests(client: Client, engine: ToldEngine, worker: Worker) -> None:
    """They are answered, with an error."""

    async def run() -> list[Response]:
        engine.gate.clear()
        waiting = [asyncio.ensure_future(post(client, f"x{number} = ")) for number in range(3)]
        await until(lambda: engine.is_held and joined(client.service) == 3)
        ended = asyncio.get_running_loop().run_in_executor(None, worker.stop, 5)
        await until(lambda: joined(client.service) == 1)  # those that wait are given up
        engine.gate.set()
        await ended
        return list(await asyncio.gather(*waiting))

    assert [one.status for one in asyncio.run(run())][1:] == [503, 503]


def test_the_last_text_comes_again_where_there_are_too_few(client: Client, engine: ToldEngine) -> None:
    """A client that asks for three has three, though the model wrote fewer."""
    engine.most = 1
    found = asyncio.run(post(client, "x = ", n_cmpl=3)).json
    assert [each["content"] for each in found] == ["hello()"] * 3


def test_a_stream_says_that_it_lives_and_a_late_error_is_an_event(
    client: Client, engine: ToldEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status is sent by then."""
    monkeypatch.setattr("guiderail.serve.app.WAIT_S", 0.05)
    monkeypatch.setattr(service_module, "ANSWER_S", 0.4)
    engine.gate.clear()

    async def run() -> Response:
        response = await post(client, "x = ", stream=True)
        engine.gate.set()
        return response

    response = asyncio.run(run())
    assert response.status == 200
    assert response.body.startswith(b": waiting\n\n: waiting\n\n")
    assert response.events[-1]["error"]["type"] == "timeout_error"


def test_analysers_start_before_anybody_asks(service: CompletionService, engine: ToldEngine, root: Path) -> None:
    """A file of each root is read in advance; a root without code has none."""
    service.warm()
    (root / "a.py").write_text("import os\n", encoding="utf-8")
    service.warm()
    wait_until(lambda: engine.warmed == ["import os\n"])


def test_after_each_answer_in_a_file_the_next_is_prepared(client: Client, engine: ToldEngine, root: Path) -> None:
    """Only then the engine chooses the context of other files anew; of a text in no file there is none."""
    asyncio.run(post(client, "alone = "))
    for prompt in ("x = ", "yy = "):
        asyncio.run(post(client, prompt, guiderail={"file": "a.py"}))
        wait_until(lambda prompt=prompt: engine.prepared[-1:] == [prompt])
    assert "alone = " not in engine.prepared


def test_of_preparations_that_wait_the_latest_counts(client: Client, engine: ToldEngine, root: Path) -> None:
    """One file has one, however many requests it had."""

    async def run() -> None:
        engine.gate.clear()
        first = asyncio.ensure_future(post(client, "first = "))
        await until(lambda: engine.is_held)
        for number in range(5):
            await post(client, f"x{number} = ", n_predict=0, guiderail={"file": "a.py"})
        engine.gate.set()
        await first

    asyncio.run(run())
    wait_until(lambda: "x4 = " in engine.prepared)
    assert engine.prepared == ["x4 = "]


def test_the_model_is_described_while_it_works(
    client: Client, engine: ToldEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`/props` and `/v1/models` do not wait for a request that is being answered."""
    info = SimpleNamespace(context_length=4096, parameters=1, bytes_on_disk=2)
    monkeypatch.setattr(engine, "described", SimpleNamespace(info=info), raising=False)

    async def run() -> list[Response]:
        engine.gate.clear()
        held = asyncio.ensure_future(post(client, "x = "))
        await until(lambda: engine.is_held)
        async with asyncio.timeout(20):
            found = [await client.ask("GET", path, b"") for path in ("/props", "/v1/models")]
        engine.gate.set()
        await held
        return found

    props, models = asyncio.run(run())
    assert props.json["default_generation_settings"]["n_ctx"] == Settings().prompt_tokens
    assert models.json["data"][0]["meta"]["n_ctx_train"] == 4096


def test_clients_elsewhere_share_no_document(service: CompletionService, engine: ToldEngine, root: Path) -> None:
    """Two people have one file open, each with a text of their own: nobody is completed with the other one's."""
    text = "".join(f"value_{number} = {number} * scale\n" for number in range(20))
    (root / "a.py").write_text(text, encoding="utf-8")
    client = Client(service, "key", local_only=False)

    def ask(before: str, after: str, address: str) -> None:
        sent = json.dumps({"input_prefix": before, "input_suffix": after}).encode()
        asyncio.run(client.ask("POST", "/infill", sent, {"x-api-key": "key"}, address=address))

    secret = text + "secret_of_one = 1\n"
    ask(secret, "\n", "10.0.0.1")
    ask(text[: len(text) // 2], text[len(text) // 2 :], "10.0.0.2")
    one, other = engine.seen
    assert one.uri == other.uri == (root / "a.py").as_uri()
    assert one.name != other.name
    assert "secret_of_one" not in other.document.text


def test_a_text_in_no_file_is_known_again(client: Client, engine: ToldEngine) -> None:
    """By its beginning, so that its keys and values are found at the next key; another text has another name."""
    start = "# one\n" * 60
    for prompt in (start + "x", start + "xy", "# another\n"):
        asyncio.run(post(client, prompt))
    names = [one.name for one in engine.seen]
    assert names[0] == names[1] != names[2]
