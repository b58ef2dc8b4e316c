"""How long automatic requests wait."""

from guiderail.lsp.debounce import Debouncer


def typed(interval: float, keys: int = 20) -> tuple[Debouncer, float]:
    debouncer, now = Debouncer(), 100.0
    for _ in range(keys):
        now += interval
        debouncer.changed(now)
    return debouncer, now


def test_a_slow_model_waits_for_the_end_of_a_burst() -> None:
    """Where answers take longer than keys, a request waits between one and two keys' time after the last key."""
    debouncer, now = typed(0.1)
    debouncer.answered(0.5)
    assert 0.1 < debouncer.delay(0.3, now) < 0.2
    assert debouncer.delay(0.05, now) == 0.05


def test_a_fast_model_does_not_wait() -> None:
    """Where answers come well before the next key, nothing waits."""
    debouncer, now = typed(0.2)
    debouncer.answered(0.03)
    assert debouncer.delay(0.3, now) == 0.0


def test_time_that_has_passed_counts() -> None:
    """A client that waited before it asked (Neovim does) waits no more."""
    debouncer, now = typed(0.1)
    debouncer.answered(0.5)
    assert debouncer.delay(0.3, now + 0.2) == 0.0


def test_pauses_do_not_slow_the_person_down() -> None:
    """A pause for thought says nothing about typing speed."""
    debouncer, now = typed(0.1)
    debouncer.changed(now + 60)
    debouncer.answered(0.5)
    assert debouncer.delay(5.0, now + 60) < 0.2


def test_no_debounce_is_no_wait() -> None:
    """With a limit of zero nothing waits."""
    assert Debouncer().delay(0.0, 0.0) == 0.0
