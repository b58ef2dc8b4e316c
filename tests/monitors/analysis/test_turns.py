"""Who speaks to a server next."""

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.monitors.analysis.answers import NoAnswer
from guiderail.monitors.analysis.turns import Turns


async def order_of(turns: Turns, requests: list[int]) -> list[int | str]:
    """Who is served in which order, by place in `requests`, if all come while another one holds the lock."""
    served: list[int | str] = []

    async def one(place: int, request: int) -> None:
        try:
            async with turns.take(request):
                served.append(place)
                await asyncio.sleep(0)
        except NoAnswer as error:
            served.append(f"{place} {error}")

    async with turns.take(0):
        tasks = [asyncio.create_task(one(place, request)) for place, request in enumerate(requests)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return served


@given(st.lists(st.integers(0, 3), max_size=12))
def test_the_newest_request_goes_first_and_within_it_who_came_first(requests: list[int]) -> None:
    """Whatever the order in which they come."""
    wanted = sorted(range(len(requests)), key=lambda place: (-requests[place], place))
    assert asyncio.run(order_of(Turns(99), requests)) == wanted


def test_of_too_many_the_oldest_request_s_first_is_sent_away() -> None:
    """It is told so at once."""
    assert asyncio.run(order_of(Turns(3), [1, 0, 0, 2])) == ["1 busy", 3, 0, 2]


@pytest.mark.parametrize("given_turn", [False, True])
def test_who_is_cancelled_does_not_keep_the_lock(given_turn: bool) -> None:
    """Neither while it waits, nor at the moment at which it would get the lock."""

    async def run() -> list[int]:
        turns, served = Turns(9), list[int]()

        async def one(place: int) -> None:
            async with turns.take(1):
                served.append(place)

        async with turns.take(1):
            first, second = asyncio.create_task(one(1)), asyncio.create_task(one(2))
            await asyncio.sleep(0)
            if not given_turn:
                first.cancel()
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        await second
        return served

    assert asyncio.run(run()) == [2]


def test_who_fails_does_not_keep_the_lock() -> None:
    """The next one gets it."""

    async def run() -> None:
        turns = Turns(9)
        with contextlib.suppress(ZeroDivisionError):
            async with turns.take(1):
                raise ZeroDivisionError
        async with turns.take(0):
            pass

    asyncio.run(asyncio.wait_for(run(), 5))
