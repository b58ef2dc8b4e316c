"""The log names the place where the event loop stands still."""

import asyncio
import logging
import threading
import time

import pytest

from guiderail.lsp import stalls
from guiderail.lsp.stalls import StallReporter

PATIENCE_S = 60.0  # on a busy machine


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(stalls, "LONG_S", 0.05)
    monkeypatch.setattr(stalls, "REST_S", 0.0)
    caplog.set_level(logging.WARNING, "guiderail.lsp.stalls")


def hold_up_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    """Hold the loop until that is noticed."""
    end = time.monotonic() + PATIENCE_S
    while not caplog.messages and time.monotonic() < end:
        time.sleep(0.01)


async def said(caplog: pytest.LogCaptureFixture, count: int) -> list[str]:
    async with asyncio.timeout(PATIENCE_S):
        while len(caplog.messages) < count:
            await asyncio.sleep(0.01)
    return caplog.messages


@pytest.mark.asyncio
async def test_the_place_is_named_while_the_loop_stands_still(caplog: pytest.LogCaptureFixture) -> None:
    StallReporter().expect()
    hold_up_the_loop(caplog)
    first, second = await said(caplog, 2)
    assert first.startswith("the event loop stands still at test_stalls.py:")
    assert first.endswith("(hold_up_the_loop)")
    assert second.startswith("the event loop went on after ")


@pytest.mark.asyncio
async def test_of_our_own_functions_the_innermost_is_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalls, "PACKAGE", __file__)
    StallReporter().expect()
    sorted([1, 2], key=lambda _: hold_up_the_loop(caplog) or 0)
    assert "(hold_up_the_loop)" in (await said(caplog, 2))[0]


@pytest.mark.asyncio
async def test_a_loop_that_takes_its_turns_is_no_news(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalls, "LONG_S", PATIENCE_S)
    reporter = StallReporter()
    for _ in range(5):
        reporter.expect()
        await asyncio.sleep(0.01)
    assert not caplog.messages


def test_a_loop_that_is_closed_ends_the_reporter() -> None:
    async def made() -> StallReporter:
        return StallReporter()

    before = threading.active_count()
    asyncio.run(made()).expect()
    end = time.monotonic() + PATIENCE_S
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= before
