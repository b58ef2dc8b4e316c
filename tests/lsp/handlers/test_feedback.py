"""What the server learns from what is typed after a suggestion was shown."""

import pytest

from guiderail.lsp.feedback import Feedback
from guiderail.settings import Settings
from tests.lsp.client import Client, connected
from tests.lsp.fakes import FakeEngine

pytestmark = pytest.mark.asyncio


def engine(chance: float | None = 0.5) -> FakeEngine:
    fake = FakeEngine("hello()")
    fake.chance = chance
    return fake


def outcomes() -> list[tuple[int, bool]]:
    """How many were learned from, and whether suggestions are now taken for likelier, for each model."""
    return [(shift.outcomes, shift.odds > 0) for shift in Feedback().shifts().values()]


async def typed(client: Client, uri: str, text: str) -> None:
    """Type a text key by key after `x = `, and ask after each."""
    for at, key in enumerate(text, start=4):
        client.change(uri, 0, at, at, key)
        await client.ghost(uri, 0, at + 1)


@pytest.mark.parametrize(
    ("keys", "learned"),
    [
        ("hello()", [(1, True)]),
        ("hello()  # and more", [(1, True)]),
        ("help()", [(1, False)]),
        ("hell", []),  # who knows
    ],
)
async def test_what_is_typed_says_whether_the_suggestion_was_right(keys: str, learned: list[tuple[int, bool]]) -> None:
    async with connected(engine()) as client:
        uri = client.open("x = ")
        await client.ghost(uri, 0, 4)
        client.engine.text = ""  # nothing else is shown meanwhile
        await typed(client, uri, keys)
    assert outcomes() == learned


async def test_an_accepted_suggestion_was_right_once() -> None:
    """However often the client says so."""
    async with connected(engine()) as client:
        (item,) = await client.ghost(client.open("x = "), 0, 4)
        for _ in range(2):
            await client.command("accept", *item["command"]["arguments"])
    assert outcomes() == [(1, True)]


async def test_the_next_requests_know_what_was_learned() -> None:
    async with connected(engine()) as client:
        uri = client.open("x = ")
        await client.ghost(uri, 0, 4)
        await typed(client, uri, "zz")
        assert client.engine.odds[0] == 0
        assert client.engine.odds[-1] < 0


async def test_nothing_is_learned_where_the_text_before_changed_or_the_document_was_closed() -> None:
    async with connected(engine()) as client:
        uri = client.open("x = ")
        await client.ghost(uri, 0, 4)
        client.change(uri, 0, 0, 1, "y")
        client.engine.text = ""
        await client.ghost(uri, 0, 4)
        client.engine.text = "hello()"
        other = client.open("y = ", "untitled:2")
        await client.ghost(other, 0, 4)
        client.tell("textDocument/didClose", {"textDocument": {"uri": other}})
        await client.ghost(client.open("y = z", "untitled:2"), 0, 5)
    assert outcomes() == []


async def test_nothing_is_learned_of_texts_without_a_probability() -> None:
    async with connected(engine(None)) as client:
        uri = client.open("x = ")
        await client.ghost(uri, 0, 4)
        await typed(client, uri, "z")
    assert outcomes() == []


async def test_a_shared_server_learns_nothing() -> None:
    """Nor does it use what one person's own server learned."""
    async with connected(engine(), shared=Settings()) as client:
        uri = client.open("x = ")
        await client.ghost(uri, 0, 4)
        await typed(client, uri, "z")
        assert set(client.engine.odds) == {0.0}
    assert outcomes() == []
