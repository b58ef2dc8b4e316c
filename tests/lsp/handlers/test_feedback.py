"""What the server learns from what is typed after a suggestion was shown."""

import pytest

from guiderail.lsp.feedback import Feedback
from guiderail.settings import Settings
from tests.lsp.client import Client, at, connected
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
    for column, key in enumerate(text, start=4):
        client.change(uri, 0, column, column, key)
        await client.ghost(uri, 0, column + 1)


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


async def test_a_longer_word_is_another_one() -> None:
    fake = engine()
    fake.text = "self"
    async with connected(fake) as client:
        uri = client.open("x = ")
        await client.ghost(uri, 0, 4)
        client.engine.text = ""
        await typed(client, uri, "selfish")
    assert outcomes() == [(1, False)]


@pytest.mark.parametrize(("line", "column"), [(1, 4), (2, 0), (1, 0)])
async def test_who_moves_the_cursor_has_typed_nothing(line: int, column: int) -> None:
    """Onto text that was there, or elsewhere."""
    async with connected(engine()) as client:
        uri = client.open("a = 1\nx = y\nz = 2\n")
        await client.ghost(uri, 1, 4)
        client.engine.text = ""
        for place in ((line, column), (1, 5), (0, 5)):
            await client.ghost(uri, *place)
    assert outcomes() == []


async def test_an_item_that_a_menu_selects_by_itself_was_not_typed() -> None:
    async with connected(engine()) as client:
        uri = client.open("x = \n")
        await client.ghost(uri, 0, 4)
        selected = {
            "range": {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 4}},
            "text": "zebra",
        }
        context = {"triggerKind": 2, "selectedCompletionInfo": selected}
        await client.ask("textDocument/inlineCompletion", at(uri, 0, 4) | {"context": context})
    assert outcomes() == []
