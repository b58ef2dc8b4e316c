"""Records of frameworks, shipped and registered."""

from importlib.metadata import EntryPoint

import pytest

from guiderail.monitors.runtime import frameworks
from guiderail.monitors.runtime.frameworks import BUILT_IN, GROUP, Framework

RECORD = Framework(name="own", makes_up=frozenset({"own.Model"}))


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch):
    """Nothing is kept from test to test."""
    frameworks.frameworks.cache_clear()
    frameworks.merged.cache_clear()
    yield
    frameworks.frameworks.cache_clear()
    frameworks.merged.cache_clear()


def registered(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    point = EntryPoint("own", value, GROUP)
    monkeypatch.setattr(frameworks, "entry_points", lambda group: [point] if group == GROUP else [])


def test_a_package_adds_a_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch, f"{__name__}:RECORD")
    assert RECORD in frameworks.frameworks()
    assert "own.Model" in frameworks.merged("makes_up")


@pytest.mark.parametrize("value", ["os:sep", "os:nothing", "nowhere.at.all:RECORD"])
def test_what_is_no_record_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    """It is named once, and the monitors go on with the other records."""
    registered(monkeypatch, value)
    assert frameworks.frameworks() == frameworks.frameworks() == BUILT_IN
    assert "django.db.models.Model" in frameworks.merged("makes_up")
    assert caplog.text.count("'own' is left out") == 1


def test_a_record_adds_members_to_a_class() -> None:
    """Flask's proxies are said to be what they stand for."""
    assert frameworks.added_to("flask.app.Flask") == {"_get_current_object"}
    assert frameworks.added_to("flask.app.Blueprint") == set()


def test_each_framework_has_one_record() -> None:
    names = [record.name for record in BUILT_IN]
    assert len(set(names)) == len(names)
