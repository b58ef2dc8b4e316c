"""The laws of output: exact data, safe terminals."""

import io
from dataclasses import replace

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.cli.output import in_context, visible, wants_colour, watched
from guiderail.engine.suggestion import Suggestion, Timings
from guiderail.monitors.report import MonitorReport, TriggerOutcome
from guiderail.monitors.verdict import Verdict
from guiderail.text.document import Document


def suggestion(text: str, offset: int) -> Suggestion:
    timings = Timings(1, 0, 0.1, 0.1, 0.1, 10.0)
    return Suggestion(text, offset, offset, -0.5, (1,), "line", "psm", timings)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("env", "terminal", "pipe"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_who_gets_colour(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], terminal: bool, pipe: bool) -> None:
    """A terminal, unless NO_COLOR is set and not empty (no-color.org) or the terminal is dumb."""
    monkeypatch.setenv("TERM", "xterm")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert (wants_colour(Terminal()), wants_colour(io.StringIO())) == (terminal, pipe)


@given(st.text())
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    """Whatever a model writes, only line feeds and tabs of the control characters are sent."""
    shown = visible(text)
    assert all(char in "\n\t" or ord(char) >= 32 for char in shown)
    assert not any(0x7F <= ord(char) <= 0x9F for char in shown)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    """Letters, digits, signs and spaces of every script pass unchanged."""
    assert visible(text) == text


def test_a_suggestion_is_shown_among_its_lines() -> None:
    """Without colour codes the terminal shows the document with the suggestion in it, six lines before, two after."""
    lines = [f"line {number}" for number in range(20)]
    text = "\n".join(lines)
    document = Document(text)
    offset = document.line_end(10)
    shown = click.unstyle(in_context(document, suggestion(" NEW\nMORE", offset)))
    assert shown == "\n".join([*lines[4:10], "line 10 NEW", "MORE", *lines[11:13]])


def test_windows_line_ends_show_as_lines() -> None:
    """Carriage returns are not shown as symbols."""
    document = Document("a\r\nb\r\nc")
    assert click.unstyle(in_context(document, suggestion("X", 4))) == "a\nbX\nc"


def test_what_static_analysis_did_is_told() -> None:
    """Each place that was constrained or was not, what was forbidden there, and the verdict."""
    watches = [
        TriggerOutcome("dereference", "x.", 7, forbidden=["ap\x1b"]),
        TriggerOutcome("dereference", "y.", abstained="late"),
    ]
    plain = suggestion("x", 0)
    said = replace(plain, monitored=MonitorReport("ty", watches), verdict=Verdict("errors", ("a\nb", "c")))
    assert watched(said) == [
        "dereference (ty): x. 7 legal, forbidden: 'ap\\x1b'",
        "dereference (ty): y. left free (late)",
        "verdict: new errors: a; c",
    ]
    assert watched(replace(plain, verdict=Verdict("unknown", reason="late"))) == ["verdict: errors unknown (late)"]
    assert watched(plain) == []
