"""The thread that runs the model."""

import threading
import time
from collections.abc import Iterator

import pytest

from guiderail.errors import GuiderailError, UnavailableError, UsageError
from guiderail.lsp.worker import Health, Job, Priority, Worker
from guiderail.settings import Settings
from tests.lsp.fakes import FakeEngine


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker(FakeEngine())
    made.start()
    yield made
    assert made.stop(5)


def wait_for(condition, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_jobs_run_by_rank_then_in_order(worker: Worker) -> None:
    """Waiting requests go before prefetching, and that before preparation, each in the order it came."""
    gate, done = threading.Event(), []
    worker.submit(Job(Priority.REQUEST, lambda *_: gate.wait(5)))
    ranks = (Priority.PREPARE, Priority.PREFETCH, Priority.REQUEST, Priority.REQUEST, Priority.CONTROL)
    jobs = [worker.submit(Job(one[1], lambda *_, one=one: done.append(one))) for one in enumerate(ranks)]
    gate.set()
    for job in jobs:
        job.future.result(5)
    assert done == sorted(enumerate(ranks), key=lambda one: (one[1], one[0]))


def test_idle_work_makes_way_for_a_request_and_a_request_for_nothing(worker: Worker) -> None:
    """A waiting request stops preparation at its next step; a running request is only stopped by its own cancel."""
    began, stopped = threading.Event(), threading.Event()

    def idle(_, should_stop) -> None:
        began.set()
        while not should_stop():
            time.sleep(0.001)
        stopped.set()

    worker.submit(Job(Priority.PREPARE, idle))
    assert began.wait(5)
    request = worker.submit(Job(Priority.REQUEST, lambda _, should_stop: (stopped.is_set(), should_stop())))
    assert request.future.result(5) == (True, False)


def test_a_failing_job_fails_alone(worker: Worker) -> None:
    """Whatever a job raises, the next one runs; unforeseen failures set the engine up anew and show as an error."""
    health: list[Health] = []
    worker.watchers.append(health.append)

    def fail(error: BaseException):
        def work(*_):
            raise error

        return worker.submit(Job(Priority.REQUEST, work)).future

    with pytest.raises(UsageError):
        fail(UsageError("too long")).result(5)
    assert health == []
    for error, message in (
        (MemoryError(), "memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory"),
        (KeyError("x"), "KeyError"),
        (SystemExit(3), "SystemExit"),
    ):
        with pytest.raises(GuiderailError, match=message):
            fail(error).result(5)
        assert (health[-1].state, message in health[-1].message) == ("error", True)
        assert health[-1].remedy
    assert worker.submit(Job(Priority.REQUEST, lambda *_: 7)).future.result(5) == 7
    assert worker.engine.recovered == 4  # pyright: ignore[reportAttributeAccessIssue]
    wait_for(lambda: worker.health.state == "ready")


def test_a_model_is_loaded_once_unless_asked_again(worker: Worker) -> None:
    """The same settings load once; others, or a restart, load anew; a model that cannot be loaded is an error."""
    loads: list[str] = []
    worker.engine.load = lambda settings: loads.append(settings.model)  # pyright: ignore[reportAttributeAccessIssue]
    for _ in range(2):
        worker.load(Settings(model="a"))
    worker.load(Settings(model="a", max_tokens=3))
    wait_for(lambda: worker.health.state == "ready")
    assert loads == ["a"]
    worker.load(Settings(model="a"), again=True)
    worker.load(Settings(model="b"))
    wait_for(lambda: worker.health.state == "ready" and loads[-1] == "b")

    def fail(_) -> None:
        raise GuiderailError("There is no model x", "Name another")

    worker.engine.load = fail  # pyright: ignore[reportAttributeAccessIssue]
    worker.load(Settings(model="x"))
    wait_for(lambda: worker.health.state == "error")
    assert worker.health.remedy == "Name another"


def test_what_was_refused_is_tried_again_with_other_settings_alone(worker: Worker) -> None:
    """A method that does not suit the model keeps it from loading: another method may do, the same one will not."""
    tried: list[str] = []

    def load(settings: Settings) -> None:
        tried.append(settings.method)
        if settings.method == "adadec":
            raise GuiderailError("There is no calibration", "Run guiderail calibrate")

    worker.engine.load = load  # pyright: ignore[reportAttributeAccessIssue]
    worker.load(Settings(method="adadec"))
    wait_for(lambda: worker.health.state == "error")
    worker.load(Settings(method="adadec"))
    worker.load(Settings())
    wait_for(lambda: worker.health.state == "ready")
    assert tried == ["adadec", "plain"]


def test_settings_that_come_while_a_load_fails_are_tried(worker: Worker) -> None:
    """Nothing says them a second time."""
    tried: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def load(settings: Settings) -> None:
        tried.append(settings.method)
        begun.set()
        if settings.method == "adadec":
            assert go_on.wait(5)
            raise GuiderailError("There is no calibration", "Run guiderail calibrate")

    worker.engine.load = load  # pyright: ignore[reportAttributeAccessIssue]
    worker.load(Settings(method="adadec"))
    assert begun.wait(5)
    worker.load(Settings())
    go_on.set()
    wait_for(lambda: worker.health.state == "ready")
    assert tried == ["adadec", "plain"]
    worker.load(Settings(max_tokens=3))
    assert worker.health.state == "ready"


def test_a_model_that_is_not_wanted_any_more_is_not_ready(worker: Worker) -> None:
    """Unloaded, or replaced, while it is being loaded, a model is never said to be ready."""
    gate, began, said = threading.Event(), threading.Event(), []

    def load(settings: Settings) -> None:
        worker.engine.name = settings.model
        began.set()
        gate.wait(10)

    worker.engine.load = load  # pyright: ignore[reportAttributeAccessIssue]
    worker.watchers.append(lambda health: said.append((health.state, health.model)))
    worker.load(Settings(model="a"))
    assert began.wait(5)
    worker.load(Settings(model="b"))
    gate.set()
    wait_for(lambda: worker.health.state == "ready")
    began.clear()
    gate.clear()
    worker.load(Settings(model="c"))
    assert began.wait(5)
    worker.unload()
    gate.set()
    worker.submit(Job(Priority.PREPARE, lambda *_: None)).future.result(5)
    assert said == [("loading", "a"), ("loading", "b"), ("ready", "b"), ("loading", "c"), ("off", "")]


def test_what_is_asked_for_while_a_model_loads_loads_it_no_second_time(worker: Worker) -> None:
    """Restarts, another model and back, off and on again: one load serves them all; afterwards a restart loads anew."""
    gate, began, loads, unloads = threading.Event(), threading.Event(), list[str](), list[bool]()

    def load(settings: Settings) -> None:
        began.set()
        assert gate.wait(10)
        loads.append(settings.model)

    worker.engine.load = load  # pyright: ignore[reportAttributeAccessIssue]
    worker.engine.unload = lambda: unloads.append(True)  # pyright: ignore[reportAttributeAccessIssue]
    worker.load(Settings(model="a"))
    assert began.wait(5)
    for _ in range(2):
        worker.load(Settings(model="a"), again=True)
    worker.load(Settings(model="b"))
    worker.load(Settings(model="a"))
    worker.unload()
    worker.load(Settings(model="a"))
    gate.set()
    worker.submit(Job(Priority.PREPARE, lambda *_: None)).future.result(5)
    assert (loads, unloads, worker.health.state) == (["a"], [], "ready")
    worker.load(Settings(model="a"), again=True)
    worker.submit(Job(Priority.PREPARE, lambda *_: None)).future.result(5)
    assert loads == ["a", "a"]


def test_what_was_given_up_does_not_wait(worker: Worker) -> None:
    """After a long job the queue holds only what is still wanted, however much was asked for meanwhile."""
    gate = threading.Event()
    worker.submit(Job(Priority.CONTROL, lambda *_: gate.wait(10)))
    for _ in range(100):
        worker.submit(Job(Priority.REQUEST, lambda *_: None)).cancel()
    last = worker.submit(Job(Priority.REQUEST, lambda *_: 7))
    assert len(worker._jobs) <= 2
    gate.set()
    assert last.future.result(5) == 7


def test_stopping_ends_all_work() -> None:
    """A stop ends the running job at its next step and cancels those that wait."""
    worker = Worker(FakeEngine())
    worker.start()
    began = threading.Event()

    def endless(_, should_stop) -> None:
        began.set()
        while not should_stop():
            time.sleep(0.001)

    worker.submit(Job(Priority.REQUEST, endless))
    waiting = worker.submit(Job(Priority.REQUEST, lambda *_: None))
    assert began.wait(5)
    assert worker.stop(5)
    assert waiting.future.cancelled()
    assert worker.submit(Job(Priority.REQUEST, lambda *_: None)).future.cancelled()


def test_a_model_server_that_fails_is_the_state_until_it_answers(worker: Worker) -> None:
    """What a server elsewhere refuses is told as the model's state, with its remedy; its next answer ends that."""

    def refuse(*_: object) -> None:
        raise UnavailableError("the model server has too many requests", "Wait a little")

    worker.load(Settings(model="a"))
    wait_for(lambda: worker.health.state == "ready")
    failed = worker.submit(Job(Priority.REQUEST, refuse))
    with pytest.raises(UnavailableError):
        failed.future.result(10)
    assert (worker.health.state, worker.health.remedy) == ("error", "Wait a little")
    worker.submit(Job(Priority.REQUEST, lambda *_: None)).future.result(10)
    wait_for(lambda: worker.health.state == "ready")


def test_a_model_server_that_was_not_there_is_tried_again(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody asks, and not at every key; what else is wrong with a model stays."""
    engine = worker.engine
    assert isinstance(engine, FakeEngine)
    engine.load_failure = UnavailableError("the model server cannot be reached", "Start it")
    worker.load(Settings(model="http://localhost:1"))
    wait_for(lambda: worker.health.state == "error")
    worker.retry()
    assert worker.health.state == "error"
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 60)
    worker.retry()
    wait_for(lambda: worker.health.state == "ready")
    engine.load_failure = GuiderailError("there is no such model")
    worker.load(Settings(model="./nothing"))
    wait_for(lambda: worker.health.state == "error")
    worker.retry()
    assert worker.health.state == "error"
