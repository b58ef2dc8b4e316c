"""Where a text ends because of what is after the cursor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.stops import LineStop, NeverStop, Until, stop_rule
from guiderail.decoding.suffix_stop import SuffixStop, open_text, stop_at_suffix

PIECES = ["a", "b", " ", "  ", "    ", "\n", "\r\n", ":", "(", ")", "}", "```", '"""', "#"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
LINES = TEXTS.map(lambda text: text.replace("\r", "").replace("\n", ""))
UNTIL = st.sampled_from(["line", "block", "tokens"])

CASES: dict[str, tuple[Until, str, str, str, str | None]] = {
    # until, before, text, after, kept
    "the next line": ("tokens", "    ", "x = 1\n    return x\n", "\n    return x\n", "x = 1"),
    "the next line at once": ("line", "    ", "return x\n", "\n\n    return x\n", ""),
    "the next line as a longer one": ("tokens", "    ", "x = 1\n    return x + 1\n", "\n    return x\n", None),
    "the same words deeper": ("tokens", "    ", "if x:\n        return x\n", "\n    return x\n", None),
    "a bracket that closes a bracket of the text": ("tokens", "  ", "f({\n  }\n", "\n  }\n", None),
    "a bracket that closes the cursor's block": ("tokens", "  ", "f();\n}\n", "\n}\n", "f();"),
    "a dedent from what follows": ("tokens", "    ", "x = 1\n\ndef g():\n", "\n    return x\n", "x = 1"),
    "a dedent that what follows has too": ("tokens", "    ", "x = 1\n\ndef g():\n    y\n", "\n\ndef h():\n", None),
    "a comment at the margin": ("tokens", "    ", "x = 1\n# note\n", "\n    return x\n", None),
    "a dedent in a text of several lines": ("tokens", "    ", 'x = """\na\n"""\n', "\n    return x\n", None),
    "what follows is deeper": ("tokens", "if x:", "\ny\n", "\n        z\n", None),
    "a fence": ("tokens", "    ", "return 1\n```\n\nThis code\n", "", "return 1"),
    "nothing but a fence": ("line", "", "```python\nx = 1\n", "\n", ""),
    "a line break within a line": ("line", "if (", "\n        return 1;\n", ") {\n", ""),
    "a line that says the rest too": ("tokens", "f(a, ", "b);\n  g();\n", ");\n  g();\n", "b);"),
    "a line that closes what the rest closes": ("block", "f(a, ", "b) + 1\n", ")\n", "b) + 1"),
    "lines inside the brackets around the cursor": ("tokens", "f(", "\n    a,\n    b,\n", ")\n", None),
    "a rest of blanks is none": ("line", "x = 1", "\ny = 2\n", "  \nz\n", "\ny = 2"),
    "windows line ends": ("tokens", "    ", "x = 1\r\n    return x\r\n", "\r\n    return x\r\n", "x = 1"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_text_ends_where_what_follows_begins(name: str) -> None:
    """Examples; None is a text that goes on."""
    until, before, text, after, kept = CASES[name]
    end = stop_at_suffix(stop_rule(until, before), before, after, "python").end(text)
    assert (None if end is None else text[:end]) == kept


def test_a_fence_is_text_in_prose() -> None:
    for language, kept in (("markdown", None), (None, None), ("python", 0)):
        assert stop_at_suffix(NeverStop(), "", "", language).end("```\nx\n") == kept
    assert stop_at_suffix(NeverStop(), "    ", '\n    """\n', "python", '"""').end("```\n    x\n") is None


@given(UNTIL, LINES, TEXTS, TEXTS)
def test_an_end_is_known_once_and_never_later_than_the_other_rules(
    until: Until, before: str, text: str, after: str
) -> None:
    """A rule says nothing, and then always the same; it ends a text no later than the rule inside."""
    inner = stop_rule(until, before)
    rule = stop_at_suffix(inner, before, after, "python")
    end, other = rule.end(text), inner.end(text)
    assert {rule.end(text[:size]) for size in range(len(text))} <= {None, end}
    if other is not None and not isinstance(inner, LineStop):
        assert end is not None
        assert end <= other


@given(UNTIL, LINES, TEXTS)
def test_nothing_after_the_cursor_changes_nothing(until: Until, before: str, text: str) -> None:
    """At the end of a file only a fence ends a text."""
    inner = stop_rule(until, before)
    if "```" not in before + text:
        assert stop_at_suffix(inner, before, "", "python").end(text) == inner.end(text)


@given(LINES, TEXTS, LINES.filter(lambda line: any(c.isalnum() for c in line)))
def test_the_next_line_is_never_written(before: str, text: str, below: str) -> None:
    """No line of what is kept is the one below, whatever is before it; a text in quotes apart."""
    rule = stop_at_suffix(NeverStop(), before, f"\n{below}\n", "python")
    whole = f"{text}\n"
    end = rule.end(whole)
    kept = (before + whole[: len(whole) if end is None else end]).split("\n")
    if '"""' not in before + text and (before + whole[:end]).strip():
        assert below.rstrip() not in [line.rstrip() for line in kept[:-1]]
    assert isinstance(rule, SuffixStop)


@given(UNTIL, LINES, TEXTS, TEXTS)
def test_a_text_of_several_lines_is_not_closed_twice(until: Until, before: str, text: str, after: str) -> None:
    """Where it is closed further down nothing that is kept closes it; the end stays the same once it is known."""
    rule = stop_at_suffix(stop_rule(until, before), before, after, "python", '"""')
    end = rule.end(text)
    assert {rule.end(text[:size]) for size in range(len(text))} <= {None, end}
    assert '"""' not in text[: len(text) if end is None else end]


def test_an_open_text_is_one_that_is_closed_further_down() -> None:
    source = 'def f():\n    """Do it.\n\n    More.\n    """\n    return """a"""\n'
    inside = range(source.index("Do"), source.index('"""\n    return') + 1)
    for offset in range(len(source)):
        if offset in inside:
            assert open_text(source, offset) == '"""'
    assert open_text(source, 0) == open_text(source, len(source)) == open_text(source, source.index("return")) == ""
    assert open_text(source[: source.index("More")], source.index("Do")) == ""  # it is not closed
