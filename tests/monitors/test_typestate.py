"""Calls checked against the protocols that a project declares."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.protocols import FILE, Protocol, ProtocolError, protocols
from guiderail.monitors.typestate import Typestate, possible_states
from tests.monitors.snapshots import PYREFLY, project, restriction_of, snapshot

DECLARED = """
[[protocol]]
type = "Connection"
made_by = ["connect"]
first = "closed"
[protocol.states.closed]
open = "open"
[protocol.states.open]
send = "open"
close = "closed"
"""
MODULE = "class Connection:\n"
MODULE += "".join(f"    def {name}(self): ...\n" for name in ("open", "send", "close", "name"))
MODULE += "def connect() -> Connection: ...\n"
KIND = Protocol(
    "Connection",
    "closed",
    {"closed": {"open": "open"}, "open": {"send": "open", "close": "closed"}},
    frozenset({"Connection", "connect"}),
)
OPEN, CLOSED, ANY = frozenset({"open"}), frozenset({"closed"}), frozenset({"open", "closed"})


@pytest.fixture(scope="module")
def analyser(tmp_path_factory) -> Iterator[ServerAnalyser]:
    """pyrefly on a project that declares a protocol."""
    files = {FILE.as_posix(): DECLARED, "net.py": MODULE}
    with project(tmp_path_factory.mktemp("typestate"), files, PYREFLY) as started:
        yield started


@pytest.mark.parametrize(
    ("body", "legal"),
    [
        ("    c = connect()\n    c.", {"open", "name"}),
        ("    c = connect()\n    c.open()\n    c.", {"send", "close", "name"}),
        ("    c = connect()\n    c.open()\n    c.close()\n    c.", {"open", "name"}),
    ],
)
def test_a_call_is_legal_in_its_state(analyser, body: str, legal: set[str]) -> None:
    """Calls move the object from state to state; what the protocol does not speak of is always legal."""
    restriction = restriction_of(Typestate(), analyser, "from net import connect\ndef f():\n" + body)
    assert restriction.reason is None
    assert {call for call in ("open", "send", "close", "name") if restriction.allows(call + "()")} == legal


@pytest.mark.parametrize(
    ("body", "reason"),
    [("    x = 'a'\n    x.", "no protocol"), ("    nowhere.", "no protocol"), ("    g(c)\n    c.", "any call")],
)
def test_reasons_to_abstain(analyser, body: str, reason: str) -> None:
    """Other types have no protocol, and an object that others hold may be in any state."""
    text = "from net import Connection\ndef f(c: Connection):\n" + body
    assert restriction_of(Typestate(), analyser, text).reason == reason


@pytest.mark.parametrize(
    ("body", "states"),
    [
        ("    c.", ANY),
        ("    c = connect()\n    c", CLOSED),
        ("    c = net.Connection()\n    c", CLOSED),
        ("    c = other()\n    c", ANY),
        ("    c.open()\n    c", OPEN),
        ("    c = connect()\n    if x:\n        c.open()\n    c", ANY),
        ("    c = connect()\n    if x:\n        c.open()\n        c", OPEN),
        ("    c = connect()\n    if x:\n        c.open()\n    else:\n        c", ANY),
        ("    c = connect()\n    if x: c.open()\n    c", ANY),
        ("    c = connect()\n    for x in y:\n        c", ANY),
        ("    for x in y:\n        c = connect()\n        c", CLOSED),
        ("    c = connect()\n    other = c\n    c", ANY),
        ("    c = connect()\n    'c.open()'  # c.open()\n    c", CLOSED),
        ("    c = connect()\n    d.open()\n    x.c.open()\n    c", CLOSED),
        ("    with connect() as c:\n        c", CLOSED),
        ("    with connect() as c:\n        c.open()\n    c", ANY),
        ("    c = connect()\n    c.name()\n    c", CLOSED),
    ],
)
def test_states_are_followed_through_the_text(body: str, states: frozenset[str]) -> None:
    """Straight-line calls move; branches, loops, aliases and unknown beginnings leave every possible state."""
    assert possible_states("def f(c):\n" + body.removesuffix("."), "c", KIND) == states


def test_without_a_declaration_nothing_is_asked(tmp_path: Path) -> None:
    """A project that declares no protocol is left alone."""
    assert Typestate().trigger(snapshot("c.", root=tmp_path)) is None


@pytest.mark.parametrize(
    "text", ["[[protocol]", '[[protocol]]\ntype = "A"', '[[protocol]]\ntype = "A"\n[protocol.states.a]\nf = "b"']
)
def test_a_wrong_declaration_is_named(tmp_path: Path, text: str) -> None:
    """A file that is no TOML, or names a state that there is not, is refused; decoding goes on without."""
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ProtocolError, match=r"typestate\.toml cannot be understood"):
        protocols(tmp_path)
    assert Typestate().trigger(snapshot("c.", root=tmp_path)) is None
