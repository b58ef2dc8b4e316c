"""Trigger kinds of old and new clients."""

from guiderail.lsp.trigger import TriggerKinds


def test_new_clients_count_one_and_two() -> None:
    """A client that ever sent a 2 means by hand with 1."""
    numbering = TriggerKinds()
    assert not numbering.is_by_hand(2, 0.01)
    assert numbering.is_by_hand(1, 0.01)
    assert not numbering.is_by_hand(2, 10.0)


def test_old_clients_count_zero_and_one() -> None:
    """A client that sent a 0 means by hand with it, and with 1 that it typed."""
    numbering = TriggerKinds()
    assert numbering.is_by_hand(0, 10.0)
    assert not numbering.is_by_hand(1, 10.0)


def test_an_unknown_one_is_told_by_typing() -> None:
    """As long as a client sent only 1, it is by hand unless a key was typed just now."""
    numbering = TriggerKinds()
    assert not numbering.is_by_hand(1, 0.05)
    assert numbering.is_by_hand(1, 5.0)


def test_only_what_is_beyond_doubt_is_certain() -> None:
    """A guess by the clock is not enough."""
    unknown, old, new = TriggerKinds(), TriggerKinds(), TriggerKinds()
    assert unknown.is_by_hand(1, 5.0)
    assert not unknown.is_certain(1)
    old.is_by_hand(0, 5.0)
    assert (old.is_certain(0), old.is_certain(1)) == (True, False)
    new.is_by_hand(2, 5.0)
    assert (new.is_certain(1), new.is_certain(2)) == (True, False)
