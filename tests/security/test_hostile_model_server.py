"""Attacks by a model server: whatever it answers, one error in words comes, in bounded time and memory."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from guiderail.decoding.method import DecodeRequest, FinishedEvent
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.stops import NeverStop
from guiderail.prompt.prompt import Prompt
from guiderail.remote import connection as connection_module
from guiderail.remote.byte_walk import ByteWalk
from guiderail.remote.decoder import MOST_BYTES, RemoteDecoder
from guiderail.remote.errors import RemoteError
from guiderail.remote.find import find_server
from guiderail.remote.language import both, tree
from guiderail.remote.server import Query
from guiderail.remote.typed_first import TypedFirst
from tests.helpers.http_server import EVENTS, Answer, Server, as_events, as_json, serving

DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
TOKEN = {"bytes": [97], "id": 1, "logprob": 0.0, "top_logprobs": []}
PROMPT = Prompt((), "prefix")


@pytest.fixture
def server() -> Iterator[Server]:
    """A llama.cpp server with one model."""
    with serving() as found:
        found.answers["/props"] = as_json({"default_generation_settings": {"n_ctx": 4096}})
        found.answers["/v1/models"] = as_json({"data": [{"id": "m"}]})
        yield found


def event(data: bytes, kind: str = EVENTS, **headers: str) -> Answer:
    return Answer([b"data: " + data + b"\n\n"], headers={"Content-Type": kind, **headers})


def written(server: Server, answer: Answer) -> list[Any]:
    server.answers["/completion"] = answer
    return list(find_server(server.url).write(Query(PROMPT, [], 10, Sampling()), lambda: False))


@pytest.mark.parametrize("path", ["/props", "/v1/models", "/tokenize"])
def test_deep_json_about_the_server(server: Server, path: str) -> None:
    """An answer of 100,000 levels is one that cannot be read."""
    server.answers[path] = Answer([DEEP])
    with pytest.raises(RemoteError, match="cannot be read"):
        find_server(server.url)


def test_deep_json_of_an_error(server: Server) -> None:
    """An error of 100,000 levels is told without its text."""
    with pytest.raises(RemoteError, match="answers 500"):
        written(server, Answer([DEEP], 500))


@pytest.mark.parametrize(
    "data",
    [
        DEEP,
        b'{"completion_probabilities": [{"bytes": [97], "id": 1e999, "logprob": 0, "top_logprobs": []}]}',
        json.dumps({"completion_probabilities": [TOKEN | {"logprob": 10**4000}]}).encode(),
        json.dumps({"completion_probabilities": [TOKEN | {"bytes": 10**8}]}).encode(),
        json.dumps({"completion_probabilities": [TOKEN | {"bytes": 10**15}]}).encode(),
        json.dumps({"completion_probabilities": [TOKEN | {"bytes": [97] * 100_000}]}).encode(),
        b'{"stop": true, "timings": {"cache_n": 1e999}}',
    ],
    ids=["deep", "id", "logprob", "zeros", "memory", "long", "count"],
)  # fmt: skip
def test_numbers_and_levels_in_a_stream(server: Server, data: bytes) -> None:
    """Infinite ids, a number in place of bytes, which would be as many zeros, and the like cannot be read."""
    with pytest.raises(RemoteError, match="cannot be read"):
        written(server, event(data))


@pytest.mark.parametrize("charset", ["punycode", "idna", "zlib", "hex", "rot13", "undefined"])
def test_a_stream_is_utf_8_whatever_it_says(server: Server, charset: str) -> None:
    """No codec of the server's choice reads its events: some take quadratic time, others fail in ways of their own."""
    found = written(server, event(b'{"stop": true}', f"{EVENTS}; charset={charset}"))
    assert [part.reason for part in found] == ["eos"]


def test_a_compressed_stream_is_refused(server: Server) -> None:
    """Nobody asked for compression: what comes would be many times what was sent."""
    packed = gzip.compress(b'data: {"stop": true}\n\n')
    headers = {"Content-Type": EVENTS, "Content-Encoding": "gzip"}
    with pytest.raises(RemoteError, match="cannot be read"):
        written(server, Answer([packed], headers=headers))


def test_a_stream_has_a_bound(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are not gathered for ever, whoever reads them and however slowly."""
    monkeypatch.setattr(connection_module, "MOST_BYTES", 100_000)
    with pytest.raises(RemoteError, match="cannot be read"):
        written(server, as_events(*[{"completion_probabilities": [TOKEN]}] * 5000, {"stop": True}))


@pytest.mark.parametrize("listed", [5, True, "ab", {"a": 1}])
def test_a_list_of_models_that_is_none(server: Server, listed: Any) -> None:
    """It counts as empty."""
    del server.answers["/props"]
    server.answers["/v1/models"] = as_json({"data": listed})
    with pytest.raises(RemoteError, match="no model server"):
        find_server(server.url)


@pytest.mark.parametrize("name", ["\x1b]0;x\x07", "x" * 100_000, "\ud800", ""])
def test_a_model_with_no_name_to_show(server: Server, name: str) -> None:
    """A model whose id a terminal would obey, or that fills it, is none."""
    server.answers["/v1/models"] = as_json({"data": [{"id": name}, {"id": "one"}, {"id": "other"}]})
    with pytest.raises(RemoteError, match="has 2 models") as error:
        find_server(server.url)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("length", [-5, 0, 10**100])
def test_a_context_of_no_size(server: Server, length: int) -> None:
    """A length that cannot be is not believed."""
    server.answers["/props"] = as_json({"default_generation_settings": {"n_ctx": length}})
    assert find_server(server.url).context_length == 8192


def test_a_token_of_a_megabyte(server: Server) -> None:
    """What is more than any suggestion can be is not followed byte by byte."""
    del server.answers["/props"]
    choice = {"text": "a" * 500_000, "finish_reason": None}
    server.answers["/v1/completions"] = as_events(*[{"choices": [choice]}] * 8)
    request = DecodeRequest(max_tokens=4096, token_bytes=[], stop=NeverStop(), end_loops=False, cancelled=lambda: False)
    start = time.monotonic()
    decoder = RemoteDecoder(find_server(server.url), PROMPT, request, Sampling(), ByteWalk())
    *_, last = decoder.events()
    assert isinstance(last, FinishedEvent)
    assert len(last.text) <= MOST_BYTES
    assert time.monotonic() - start < 10


def test_a_name_of_thousands_of_letters() -> None:
    """Of a project's long names, refused twice in one place, a tree is made all the same."""
    name = TypedFirst(b"a" * 2500, may_indent=True)
    one, other = tree(((name, b""),)), tree(((name, b""),))
    joined = both(one, other)
    assert list(joined.edges) == ["a"]
