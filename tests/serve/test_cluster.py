"""The laws of giving requests to replicas, with replicas whose fate is known."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guiderail.engine.completion import Completion
from guiderail.engine.request import CompletionRequest
from guiderail.lsp.worker import Health
from guiderail.serve import cluster
from guiderail.serve.backend import Share
from guiderail.serve.cluster import TRIES, RayModel, Replicas
from guiderail.serve.faults import RequestFault
from guiderail.settings import Settings
from guiderail.text.document import Document
from tests.serve.waiting import until

pytest.importorskip("ray.serve", reason="pip install 'guiderail[ray]'")
REQUEST = CompletionRequest(document=Document("x = "), offset=4, uri="untitled:x", client=7)


class Response:
    """A call's answer: a value, or an error; one that never comes without either."""

    def __init__(self, found: Any = None) -> None:
        self.found, self.is_cancelled = found, False

    def __await__(self):
        if self.found is None:
            yield from asyncio.sleep(60).__await__()
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def cancel(self) -> None:
        self.is_cancelled = True


class Handle:
    """A deployment that gives these answers, and remembers for which document it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.keys = [Response(one) for one in answers], list[str]()
        self._left = iter(self.answers)
        self.complete = self

    def options(self, multiplexed_model_id: str) -> Handle:
        self.keys.append(multiplexed_model_id)
        return self

    def remote(self, *arguments: Any) -> Response:
        return next(self._left)


def model_on(handle: Handle) -> RayModel:
    model = RayModel(Settings(), Replicas())
    model._handle = handle
    return model


def died() -> Exception:
    from ray.exceptions import ActorDiedError

    return ActorDiedError()


def test_a_request_whose_replica_died_is_given_to_another_one() -> None:
    """Under the name of its document, so that the new one keeps it from now on."""
    share = Share(Completion(()))
    handle = Handle(died(), died(), share)
    assert asyncio.run(model_on(handle).complete(REQUEST, 1)) is share
    assert handle.keys == ["7:untitled:x"] * 3


def test_a_request_that_kills_its_replicas_is_given_up() -> None:
    """It must not kill all of them."""
    handle = Handle(*(died() for _ in range(TRIES)), Share(Completion(())))
    with pytest.raises(RequestFault, match="replicas died") as caught:
        asyncio.run(model_on(handle).complete(REQUEST, 1))
    assert caught.value.status == 503


def test_an_error_comes_as_in_one_process() -> None:
    """With its status and remedy."""
    from guiderail.serve.replica import Failed

    handle = Handle(Failed.of(RequestFault(400, "the line is too long", "Break it")))
    with pytest.raises(RequestFault) as caught:
        asyncio.run(model_on(handle).complete(REQUEST, 1))
    assert (caught.value.status, caught.value.message, caught.value.remedy) == (400, "the line is too long", "Break it")


def test_who_goes_away_ends_the_work() -> None:
    """The replica is told."""

    async def run() -> Handle:
        handle = Handle(None)
        work = asyncio.ensure_future(model_on(handle).complete(REQUEST, 1))
        while not handle.keys:
            await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        return handle

    assert asyncio.run(run()).answers[0].is_cancelled


def test_a_model_that_comes_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its server may have been down at the start; a replica that dies meanwhile is no answer."""
    info: Any = object()
    answers = iter(((Health("error"), None), died(), (Health("loading"), None), (Health("ready"), info)))

    class Described:
        described = property(lambda self: self)

        def remote(self) -> Described:
            return self

        def result(self) -> Any:
            found = next(answers)
            if isinstance(found, Exception):
                raise found
            return found

    model = RayModel(Settings(), Replicas())
    model._handle = Described()
    monkeypatch.setattr(cluster, "AGAIN_S", 0.01)
    monkeypatch.setattr(model, "_started", model._described)
    monkeypatch.setattr(model, "_stop", lambda: None)
    told = list[Health]()
    model.start(told.append)
    until(lambda: model.has_model)
    until(lambda: model.health.state == "ready")
    model.stop(10)
    assert [one.state for one in told] == ["error"]
