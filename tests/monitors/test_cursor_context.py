"""What an analyser is shown of a text in which a line is being written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.monitors.cursor_context import HIDDEN, SUFFIX_READ
from guiderail.monitors.lex_state import CLOSING
from tests.monitors.snapshots import snapshot

PIECES = st.sampled_from(["a", "b.", " ", "\n"])
MATCHED = st.recursive(
    st.lists(PIECES, max_size=3).map("".join),
    lambda inner: st.lists(
        st.one_of(inner, st.tuples(st.sampled_from("([{"), inner).map(lambda it: it[0] + it[1] + CLOSING[it[0]])),
        max_size=4,
    ).map("".join),
    max_leaves=12,
)


def unmatched(text: str) -> str:
    """The brackets of a text without their partners."""
    open_here = ""
    for one in text:
        if one in CLOSING:
            open_here += one
        elif one in CLOSING.values():
            if CLOSING.get(open_here[-1:]) == one:
                open_here = open_here[:-1]
            else:
                open_here += one
    return open_here


@given(MATCHED, st.integers(0))
def test_brackets_match_whatever_the_hidden_rest_of_the_line_held(text: str, cut: int) -> None:
    """Where those of a file do, those of what the analyser is shown do, with a line's end hidden."""
    at = cut % (len(text) + 1)
    before, hidden = text[:at], text[at:].partition("\n")[0]
    rest = text[at + len(hidden) :]
    here = snapshot(before, rest, "typescript")
    shown = here.question(len(before)).text
    opened = unmatched(hidden).count
    outermost = unmatched(before)[:1], unmatched(rest)[-1:]
    if sum(map(opened, CLOSING)) <= HIDDEN and ("" in outermost or CLOSING[outermost[0]] == outermost[1]):
        assert unmatched(shown) == ""
    assert shown.startswith(before)
    assert shown.endswith(rest.lstrip("ab"))


@pytest.mark.parametrize(
    ("before", "rest", "between"),
    [
        ("class A { f() { if (this.", "\n g() } }\n h() {} }", "){"),
        ("class A { f() { return this.", "\n ...a })\n }\n h() {} }", "({"),
        ("class A { f() { g(this.", "", ")}}"),
        ("f(", "}}}}}}}}", ""),
        ("class A {\n f() {\n this.", "\n })\n", ""),
        ("class A {\n f() {\n if (a &&\n this.", "\n g() } }\n}", "){"),
    ],
)
def test_what_is_put_between(before: str, rest: str, between: str) -> None:
    """What the rest leaves open is closed, what only it closes is opened: few brackets, and if the outermost match."""
    assert snapshot(before, rest, "typescript").question(len(before)).text == before + between + rest


def test_a_long_rest_is_thought_to_close_what_is_open_above() -> None:
    """Of a long file only the beginning after the cursor is read."""
    before, rest = "class A {\n f(x.", "\n a }\n" + "b\n" * SUFFIX_READ
    assert snapshot(before, rest, "typescript").question(len(before)).text == before + ")" + rest
