"""Whatever comes, the answer is one of a client's forms, and the server goes on."""

import asyncio
import json
import random
from typing import Any

from tests.serve.client import Client
from tests.serve.test_service import joined

PATHS = ("/infill", "/completion", "/v1/completions", "/tokenize")
COUNT = 2000
NAMES = (
    "prompt", "input_prefix", "input_suffix", "input_extra", "suffix", "n", "n_cmpl", "n_predict", "max_tokens", "stop",
    "stream", "stream_options", "temperature", "top_k", "top_p", "min_p", "seed", "response_fields", "guiderail",
    "echo", "content", "with_pieces", "n_indent", "samplers", "t_max_predict_ms", "include_usage", "filename", "text",
    "file", "language",
)  # fmt: skip
SCALARS = (
    None, True, False, "", "x = ", "\n", "\r\n", "\0", "\ud800", "../x", "\x7f\u2028é🙂", 0, 1, -1, 3, 17, 10**30,
    -(10**30), 0.5, 1e308, float("nan"), float("inf"), "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>", "python",
    "[SUFFIX]a[PREFIX]b",
)  # fmt: skip


class Bodies:
    """Bodies of requests, most of which are wrong somewhere: from bytes of no meaning to one field of a wrong type."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def one(self) -> bytes:
        dice = self._random
        match dice.randrange(10):
            case 0:
                return dice.randbytes(dice.randrange(40))
            case 1:
                return json.dumps(self._value(3)).encode()
            case 2:  # a right one, cut
                return json.dumps({"prompt": "x = ", "n_predict": 5}).encode()[: dice.randrange(36)]
            case 3 | 4 | 5:
                return json.dumps({"prompt": "x = ", dice.choice(NAMES): dice.choice(SCALARS)}).encode()
        return json.dumps({dice.choice(NAMES): self._value(2) for _ in range(dice.randrange(6))}).encode()

    def _value(self, depth: int) -> Any:
        dice = self._random
        match dice.randrange(4) if depth else 3:
            case 0:
                return [self._value(depth - 1) for _ in range(dice.randrange(4))]
            case 1:
                return {dice.choice(NAMES): self._value(depth - 1) for _ in range(dice.randrange(4))}
        return dice.choice(SCALARS)


def test_two_thousand_requests(client: Client) -> None:
    """Each is answered, wrong ones as wrong, none as a failure of the server; after all of them it serves as before."""
    bodies, dice = Bodies(1), random.Random(2)

    async def run() -> list[int]:
        return [await one(dice.choice(PATHS[:3]), bodies.one()) for _ in range(COUNT)]

    async def one(path: str, body: bytes) -> int:
        response = await client.ask("POST", path, body)
        if response.status == 200:
            is_stream = response.headers["content-type"].startswith("text/event-stream")
            assert response.events if is_stream else response.json, body
        else:
            assert response.error["message"], body
            assert 400 <= response.status < 500, (body, response.error)
        return response.status

    statuses = asyncio.run(run())
    assert statuses.count(400) > COUNT // 5
    assert statuses.count(200) > COUNT // 5
    assert client.post("/completion", {"prompt": "x = "}).json["content"] == "hello()"
    assert client.service.waiting.total() == 0
    assert joined(client.service) == 0


def test_deep_and_long_bodies(client: Client) -> None:
    """What costs the parser much is refused by it, or by a bound."""
    bodies: list[Any] = [
        b"[" * 100_000, b'{"a":' * 100_000, b'{"n_predict": ' + b"9" * 100_000 + b"}", b'{"prompt": NaN}',
        b'{"temperature": 1e999, "prompt": ""}', b'{"temperature": -Infinity}', b"\xff\xfe{\x00}\x00", b"",
        json.dumps({"prompt": ["x"] * 10_000}).encode(),
        json.dumps({"n": 10**9, "n_cmpl": 10**9, "prompt": "x"}).encode(),
        json.dumps({"n_cmpl": 16, "n": 16, "prompt": ["x"] * 16}).encode(),
        b'{"guiderail": {"file": "' + b"x/" * 50_000 + b'"}}',
        b'{"guiderail": {"language": "' + b"x" * 90_000 + b'"}}',
    ]  # fmt: skip
    for body in bodies:
        for path in PATHS[:3]:
            status = client.post(path, body).status
            assert status == 400 or (path == "/infill" and status == 200), (path, body[:40])


def test_many_sentinels_cost_linear_time(client: Client) -> None:
    """A prompt of a megabyte that is full of them is taken apart like any other."""
    for text in ("<|fim_prefix|>" * 70_000, "<|fim_prefix|>" * 70_000 + "<|fim_middle|>", "[SUFFIX]" * 100_000):
        assert client.post("/completion", {"prompt": text}).status == 200
