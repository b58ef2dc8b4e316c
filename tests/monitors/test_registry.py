"""Which monitors there are."""

from importlib.metadata import EntryPoint

import pytest

from guiderail.errors import UsageError
from guiderail.monitors import registry
from guiderail.monitors.dereference import Dereference
from guiderail.monitors.registry import BUILT_IN, GROUP, chosen, for_language, registered


@pytest.fixture
def others(monkeypatch):
    """Register monitors of other packages."""

    def register(**places: str) -> None:
        points = [EntryPoint(name, place, GROUP) for name, place in places.items()]
        monkeypatch.setattr(registry, "entry_points", lambda group: points)
        registered.cache_clear()

    yield register
    registered.cache_clear()


def test_every_built_in_monitor_keeps_the_contract() -> None:
    """Each is named as it is registered, knows a language, and is woken by ASCII."""
    for name, monitor in zip(BUILT_IN, chosen("all"), strict=True):
        assert monitor.name == name
        assert monitor.languages
        assert monitor.endings.isascii()


def test_monitors_are_chosen_by_name() -> None:
    """Names stand between commas; a wrong one is refused with the right ones."""
    assert [monitor.name for monitor in chosen(" dereference,")] == ["dereference"]
    assert chosen("") == ()
    with pytest.raises(UsageError, match="no monitor 'dereferenc'") as caught:
        chosen("dereferenc")
    assert "dereference" in str(caught.value.remedy)


def test_other_packages_register_theirs(others) -> None:
    """A registered monitor is one of all; one that cannot be loaded, or is none, is named."""
    others(second="guiderail.monitors.dereference:Dereference")
    assert [type(monitor) for monitor in chosen("second")] == [Dereference]
    others(broken="guiderail.nowhere:Nothing")
    with pytest.raises(UsageError, match="'broken' cannot be loaded"):
        chosen("broken")
    others(odd="pathlib:Path")
    with pytest.raises(UsageError, match="'odd', has no languages"):
        chosen("odd")


def test_a_collision_names_both(others) -> None:
    """Two monitors of one name are refused."""
    others(dereference="other.package:Monitor")
    with pytest.raises(UsageError, match=r"dereference:Dereference and other\.package:Monitor"):
        chosen("all")


def test_only_those_that_know_the_language_speak() -> None:
    """A monitor is asked about its languages alone."""
    assert for_language(chosen("dereference"), "cobol") == []
    assert len(for_language(chosen("dereference"), "python")) == 1
