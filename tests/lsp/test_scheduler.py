"""Which requests are decoded, and that every one is answered."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from guiderail.errors import GuiderailError
from guiderail.lsp.scheduler import Scheduler
from guiderail.lsp.suggestion_cache import Reply
from guiderail.lsp.worker import Worker
from guiderail.settings import Settings
from tests.lsp.fakes import FakeEngine, wish


@asynccontextmanager
async def running(engine: FakeEngine) -> AsyncIterator[Scheduler]:
    worker = Worker(engine)
    worker.start()
    worker.load(Settings(model="fake"))
    await until(lambda: worker.health.state == "ready")
    scheduler = Scheduler(worker)
    try:
        yield scheduler
    finally:
        scheduler.stop()
        engine.gate.set()
        assert worker.stop(5)


ENDS = {end for text in ("abc", "abc1", "abc2") for end in (text[1:], text[2:], text[3:]) if end}


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.001)

    await asyncio.wait_for(poll(), seconds)


def texts(reply: Reply) -> list[str]:
    return [candidate.text for candidate in reply.candidates]


async def begin(scheduler: Scheduler, *arguments, **options) -> asyncio.Task:
    task = asyncio.ensure_future(scheduler.ask(*arguments, **options))
    await asyncio.sleep(0)
    return task


@pytest.mark.asyncio
async def test_the_newest_request_wins() -> None:
    """A newer request of a document is answered; the older one gets nothing at once and ends at its next step."""
    engine = FakeEngine()
    async with running(engine) as scheduler:
        engine.gate.clear()
        old = await begin(scheduler, "inline", wish("a"))
        await until(lambda: engine.asked == ["a"])
        new = await begin(scheduler, "inline", wish("b"))
        assert texts(await asyncio.wait_for(old, 1)) == []  # though the worker is held up
        engine.gate.set()
        assert texts(await new) == ["hello()"]
        assert engine.steps <= 1 + len("hello()")


@pytest.mark.asyncio
async def test_a_cancelled_request_ends_its_work() -> None:
    """A client's cancel ends the work at its next step; the next request is not held up."""
    engine = FakeEngine()
    async with running(engine) as scheduler:
        engine.gate.clear()
        task = await begin(scheduler, "inline", wish("a"))
        await until(lambda: engine.asked == ["a"])
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        engine.gate.set()
        assert texts(await scheduler.ask("inline", wish("b"))) == ["hello()"]
        assert engine.steps <= 1 + len("hello()")


@pytest.mark.asyncio
async def test_typing_what_was_suggested_asks_no_model() -> None:
    """While a person types the suggestion, each request is answered from memory."""
    engine = FakeEngine("abc")
    async with running(engine) as scheduler:
        for typed, rest in (("", "abc"), ("a", "bc"), ("ab", "c")):
            assert texts(await scheduler.ask("inline", wish(f"x{typed}"))) == [rest]
        assert engine.asked == ["x"]
        assert scheduler.counts.remembered == 2


@pytest.mark.asyncio
async def test_typing_what_is_being_written_joins_the_work() -> None:
    """A key that the model has written already does not start it again: the newer request gets the rest."""
    engine = FakeEngine("abcd")
    engine.stop_at = 2
    async with running(engine) as scheduler:
        old = await begin(scheduler, "inline", wish("x"))
        await until(lambda: engine.is_held)
        new = await begin(scheduler, "inline", wish("xa"))
        engine.gate.set()
        assert texts(await new) == ["bcd"]
        assert texts(await old) == []
        assert engine.asked == ["x"]


@pytest.mark.asyncio
async def test_a_cancel_after_a_foreseen_key_keeps_the_work() -> None:
    """A client that cancels because its person typed what is being written gets the rest with the next request."""
    engine = FakeEngine("abcd")
    engine.stop_at = 2
    async with running(engine) as scheduler:
        task = await begin(scheduler, "inline", wish("x"))
        await until(lambda: engine.is_held)
        scheduler.document_changed("untitled:1", wish("xa"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        new = await begin(scheduler, "inline", wish("xa"))
        engine.gate.set()
        assert texts(await new) == ["bcd"]
        assert engine.asked == ["x"]


@pytest.mark.asyncio
async def test_a_burst_of_keys_asks_the_model_once() -> None:
    """Requests that another one follows while they wait are answered with nothing; the last one asks the model."""
    engine = FakeEngine()
    async with running(engine) as scheduler:
        scheduler.debouncer.delay = lambda limit, now=None: limit  # pyright: ignore[reportAttributeAccessIssue]
        tasks = []
        for key, wait in zip("abcde", (60.0, 60.0, 60.0, 60.0, 0.0), strict=True):
            scheduler.document_changed("untitled:1", None)
            tasks.append(await begin(scheduler, "inline", wish(key), debounce=wait))
        answers = await asyncio.gather(*tasks)
        assert [texts(answer) for answer in answers] == [[], [], [], [], ["hello()"]]
        assert engine.asked == ["e"]


@pytest.mark.asyncio
async def test_changes_are_encoded_ahead_and_only_the_newest() -> None:
    """A change has its prompt encoded in idle time; one that is outdated before it began is not."""
    engine = FakeEngine()
    async with running(engine) as scheduler:
        engine.gate.clear()
        task = await begin(scheduler, "inline", wish("q", uri="untitled:2"))
        await until(lambda: engine.asked == ["q"])
        for text in ("a", "ab", "abc"):
            scheduler.document_changed("untitled:1", wish(text))
        engine.gate.set()
        await task
        await until(lambda: bool(engine.prepared))
        assert engine.prepared == ["abc"]


@pytest.mark.asyncio
async def test_what_follows_an_accepted_suggestion_is_there_already() -> None:
    """The request after a suggestion is made early; when it comes it costs no model call."""
    engine = FakeEngine("abc")
    async with running(engine) as scheduler:
        await scheduler.ask("inline", wish("x"))
        scheduler.prefetch(wish("xabc"), 0.0)
        await until(lambda: engine.asked == ["x", "xabc"])
        scheduler.document_changed("untitled:1", wish("xabc"))
        assert texts(await scheduler.ask("inline", wish("xabc"))) == ["abc"]
        assert engine.asked == ["x", "xabc"]


@pytest.mark.asyncio
async def test_what_was_begun_before_answers_were_forgotten_is_not_remembered() -> None:
    """An answer that comes when all are to be forgotten goes to its request alone; other documents can be spared."""
    engine = FakeEngine("abc")
    async with running(engine) as scheduler:
        engine.gate.clear()
        task = await begin(scheduler, "inline", wish("x"))
        await until(lambda: engine.asked == ["x"])
        scheduler.forget_answers()
        engine.gate.set()
        assert texts(await task) == ["abc"]
        assert texts(await scheduler.ask("inline", wish("x"))) == ["abc"]
        assert engine.asked == ["x", "x"]
        scheduler.forget_answers(but="untitled:1")
        assert texts(await scheduler.ask("inline", wish("x"))) == ["abc"]
        assert engine.asked == ["x", "x"]


@pytest.mark.asyncio
async def test_another_key_cancels_the_prefetch() -> None:
    """Once something else is typed, the request after the suggestion is not made any more."""
    engine = FakeEngine("abc")
    async with running(engine) as scheduler:
        scheduler.prefetch(wish("xabc"), 0.01)
        scheduler.document_changed("untitled:1", wish("xz"))
        await asyncio.sleep(0.1)
        assert texts(await scheduler.ask("inline", wish("xz"))) == ["abc"]
        assert engine.asked == ["xz"]


@pytest.mark.asyncio
async def test_a_failed_prefetch_fails_no_request() -> None:
    """What went wrong in a prefetch is asked again by the request."""
    engine = FakeEngine("abc")
    async with running(engine) as scheduler:
        engine.failure = MemoryError()
        scheduler.prefetch(wish("x"), 0.0)
        await until(lambda: scheduler.worker.health.state == "error")
        assert texts(await scheduler.ask("inline", wish("x"))) == ["abc"]


@pytest.mark.asyncio
async def test_ghost_text_and_menu_do_not_replace_each_other() -> None:
    """Requests of two lanes are both answered."""
    engine = FakeEngine()
    async with running(engine) as scheduler:
        both = await asyncio.gather(scheduler.ask("inline", wish("a")), scheduler.ask("menu", wish("a")))
        assert [texts(one) for one in both] == [["hello()"], ["hello()"]]


@pytest.mark.asyncio
async def test_a_failure_is_raised_and_the_next_request_answered() -> None:
    """Memory that runs out fails one request, with a message; the next one is answered."""
    engine = FakeEngine()
    async with running(engine) as scheduler:
        engine.failure = MemoryError()
        with pytest.raises(GuiderailError, match="memory"):
            await scheduler.ask("inline", wish("a"))
        assert texts(await scheduler.ask("inline", wish("a"))) == ["hello()"]


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(6))
async def test_every_request_is_answered_once_whatever_happens(seed: int) -> None:
    """Under random keys, requests, cancels, closes and failures each request ends, and the last one is answered."""
    rng, engine = random.Random(seed), FakeEngine("abc", step=0.0003)
    async with running(engine) as scheduler:
        tasks: list[tuple[asyncio.Task, str]] = []
        texts_now = {"untitled:1": "x", "untitled:2": "y"}
        for _ in range(250):
            uri = rng.choice(list(texts_now))
            match rng.choices(("key", "ask", "cancel", "close", "fail", "wait"), (6, 6, 2, 0.3, 0.3, 3))[0]:
                case "key":
                    texts_now[uri] = (texts_now[uri] + rng.choice("abcz"))[-9:]
                    scheduler.document_changed(uri, wish(texts_now[uri], uri=uri))
                case "ask":
                    asked = wish(texts_now[uri], uri=uri, wanted=rng.choice((1, 1, 3)))
                    lane, debounce = rng.choice(("inline", "menu")), rng.choice((0.0, 0.003))
                    tasks.append((await begin(scheduler, lane, asked, debounce=debounce), asked.before))
                    if rng.random() < 0.3:
                        scheduler.prefetch(wish(asked.before + "abc", uri=uri), rng.choice((0.0, 0.002)))
                case "cancel" if tasks:
                    rng.choice(tasks)[0].cancel()
                case "close":
                    scheduler.document_closed(uri)
                case "fail":
                    engine.failure = rng.choice((MemoryError(), KeyError(), GuiderailError("no")))
                case _:
                    await asyncio.sleep(rng.random() * 0.004)
        done, pending = await asyncio.wait([task for task, _ in tasks], timeout=10)
        assert not pending
        for task in done:
            if not task.cancelled() and task.exception() is None:
                assert all(one.text and one.text in {"abc1", "abc2", "abc"} | ENDS for one in task.result().candidates)
            elif not task.cancelled():
                assert isinstance(task.exception(), GuiderailError)
        engine.failure = None
        assert texts(await scheduler.ask("inline", wish("the end"))) == ["abc"]
        assert scheduler.busy == 0


@pytest.mark.asyncio
async def test_a_document_closed_before_its_turn_is_not_read() -> None:
    """Nothing is started for a document that was opened and closed while the worker was busy."""
    engine = FakeEngine()
    async with running(engine) as scheduler:
        engine.gate.clear()
        busy = await begin(scheduler, "inline", wish("a"))
        await until(lambda: engine.is_held)
        scheduler.document_opened(wish("seen", uri="untitled:2"))
        scheduler.document_opened(wish("kept", uri="untitled:3"))
        scheduler.document_closed("untitled:2")
        engine.gate.set()
        await busy
        await until(lambda: "kept" in engine.warmed)
        assert engine.warmed == ["kept"]


@pytest.mark.asyncio
@pytest.mark.parametrize("runs_code", [True, False])
async def test_what_stood_in_for_a_method_is_no_answer_by_hand(runs_code: bool) -> None:
    """Neither remembered nor joined; the method's own answer serves all who ask for it afterwards."""
    engine = FakeEngine("abc")
    engine.runs_code = runs_code
    async with running(engine) as scheduler:
        assert texts(await scheduler.ask("inline", wish("x"))) == ["abc"]
        assert texts(await scheduler.ask("inline", wish("x", by_hand=True))) == ["abc"]
        assert engine.by_hand == ([False, True] if runs_code else [False])
        for by_hand in (True, False):
            assert texts(await scheduler.ask("inline", wish("xa", by_hand=by_hand))) == ["bc"]
        assert len(engine.asked) == (2 if runs_code else 1)
        engine.stop_at = engine.steps + 1
        old = await begin(scheduler, "inline", wish("y"))
        await until(lambda: engine.is_held)
        new = await begin(scheduler, "inline", wish("y", by_hand=True))
        engine.gate.set()
        assert (texts(await new), texts(await old)) == (["abc"], [])
        assert engine.by_hand[-1] is runs_code
