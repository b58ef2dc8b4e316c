"""How many threads a pass takes."""

import threading
from collections.abc import Iterator

import pytest
import torch

from guiderail.decoding.session import Session
from guiderail.model import threads
from guiderail.model.model import Model
from tests.helpers.models import tiny_model


@pytest.fixture(autouse=True)
def number() -> Iterator[None]:
    """Whatever a test allows is put back."""
    before = threads.allowed()
    yield
    threads.allow(before)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """torch's number of threads in each forward pass."""
    found: list[int] = []
    run = Model._run

    def watched(self: Model, *given: object, **named: object) -> torch.Tensor:
        found.append(torch.get_num_threads())
        return run(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Model, "_run", watched)
    return found


@pytest.mark.parametrize(("allowed", "narrow"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 8)])
def test_a_narrow_pass_takes_half_of_the_threads_and_a_wide_one_all(seen: list[int], allowed: int, narrow: int) -> None:
    """Passes of fewer than 32 tokens wait for memory, and leave cores to others."""
    threads.allow(allowed)
    session = Session(tiny_model("qwen3"))
    for width in (threads.WIDE - 1, threads.WIDE, 1):
        session.feed([1] * width)
    assert seen == [narrow, allowed, narrow]
    assert torch.get_num_threads() == narrow


@pytest.mark.parametrize(("tokens", "weights", "taken"), [(1, 500_000_000, 4), (1, 11_000_000, 2), (4, 100_000_000, 4)])
def test_one_token_of_a_large_model_takes_all_threads(tokens: int, weights: int, taken: int) -> None:
    """It is as much work as a wide pass of a small one."""
    threads.allow(4)
    with threads.taken_by(tokens, weights):
        assert torch.get_num_threads() == taken
    assert torch.get_num_threads() == 2


def test_it_holds_in_every_thread_of_ours(seen: list[int]) -> None:
    """torch keeps a number for each thread, and one that was running before has another."""
    threads.allow(4)
    session, ready, go = Session(tiny_model("qwen3")), threading.Event(), threading.Event()

    def work() -> None:
        torch.set_num_threads(3)
        ready.set()
        go.wait(20)
        session.feed([1])

    other = threading.Thread(target=work)
    other.start()
    assert ready.wait(20)
    go.set()
    other.join()
    assert seen == [2]


def test_a_failed_pass_leaves_the_number_of_a_narrow_one() -> None:
    """What runs between passes never takes all threads."""
    threads.allow(4)
    with pytest.raises(ValueError, match="boom"), threads.taken_by(threads.WIDE, 0):
        raise ValueError("boom")
    assert torch.get_num_threads() == 2
