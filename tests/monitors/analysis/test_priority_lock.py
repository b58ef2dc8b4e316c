"""Who speaks to a server next."""

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.monitors.analysis.answers import NoAnswer
from guiderail.monitors.analysis.priority_lock import PriorityLock, Ticket


async def order_of(turns: PriorityLock, requests: list[int]) -> list[int | str]:
    """Who is served in which order, by place in `requests`, if all come while another one holds the lock."""
    served: list[int | str] = []

    async def one(place: int, request: int) -> None:
        try:
            async with turns.take(Ticket(request)):
                served.append(place)
                await asyncio.sleep(0)
        except NoAnswer as error:
            served.append(f"{place} {error}")

    async with turns.take(Ticket(0)):
        tasks = [asyncio.create_task(one(place, request)) for place, request in enumerate(requests)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return served


@given(st.lists(st.integers(0, 3), max_size=12))
def test_the_newest_request_goes_first_and_within_it_who_came_first(requests: list[int]) -> None:
    """Whatever the order in which they come."""
    wanted = sorted(range(len(requests)), key=lambda place: (-requests[place], place))
    assert asyncio.run(order_of(PriorityLock(99), requests)) == wanted


def test_of_too_many_the_oldest_request_s_first_is_sent_away() -> None:
    """It is told so at once."""
    assert asyncio.run(order_of(PriorityLock(3), [1, 0, 0, 2])) == ["1 busy", 3, 0, 2]


@pytest.mark.parametrize("given_turn", [False, True])
def test_who_is_cancelled_does_not_keep_the_lock(given_turn: bool) -> None:
    """Neither while it waits, nor at the moment at which it would get the lock."""

    async def run() -> list[int]:
        turns, served = PriorityLock(9), list[int]()

        async def one(place: int) -> None:
            async with turns.take(Ticket(1)):
                served.append(place)

        async with turns.take(Ticket(1)):
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
        turns = PriorityLock(9)
        with contextlib.suppress(ZeroDivisionError):
            async with turns.take(Ticket(1)):
                raise ZeroDivisionError
        async with turns.take(Ticket(0)):
            pass

    asyncio.run(asyncio.wait_for(run(), 5))


def test_who_is_wanted_by_a_newer_request_meanwhile_goes_with_it() -> None:
    """A ticket whose request rises is served before older ones, and is not the one that is sent away."""

    async def run() -> list[int | str]:
        turns, served = PriorityLock(2), list[int | str]()
        tickets = [Ticket(1), Ticket(1), Ticket(2)]

        async def one(place: int) -> None:
            try:
                async with turns.take(tickets[place]):
                    served.append(place)
            except NoAnswer:
                served.append(f"{place} busy")

        async with turns.take(Ticket(0)):
            tasks = [asyncio.create_task(one(place)) for place in (0, 1)]
            await asyncio.sleep(0)
            tickets[0].request = 3
            tasks.append(asyncio.create_task(one(2)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        return served

    assert asyncio.run(run()) == ["1 busy", 0, 2]


@pytest.mark.parametrize("evicted", [False, True])
def test_who_is_cancelled_waits_no_more(evicted: bool) -> None:
    """It takes no place, cannot be sent away, and, sent away at that moment, passes on no lock that it never had."""

    async def run() -> tuple[int, int]:
        turns, holders, most, served = PriorityLock(1), 0, 0, 0

        async def one() -> None:
            nonlocal holders, most, served
            async with turns.take(Ticket(1)):
                holders, served = holders + 1, served + 1
                most = max(most, holders)
                await asyncio.sleep(0)
                holders -= 1

        async with turns.take(Ticket(1)):
            first = asyncio.create_task(one())
            await asyncio.sleep(0)
            if not evicted:
                first.cancel()
                await asyncio.sleep(0)
            second = asyncio.create_task(one())
            await asyncio.sleep(0)
            first.cancel()
            third = asyncio.create_task(one())
            await asyncio.sleep(0)
            assert served == 0
        await asyncio.gather(first, second, third, return_exceptions=True)
        return most, served

    assert asyncio.run(run()) == (1, 1)
