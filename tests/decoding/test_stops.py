"""Where a completion ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.stops import BlockStop, LineStop, NeverStop, loop_end, stop_rule

BLOCKS = {
    "a header's body ends with the dedent": (
        "    def f(self):",
        "\n        return 1\n\n    def g",
        "\n        return 1",
    ),
    "the rest of a body ends with the body": ("        x = ", "1\n        return x\n    y", "1\n        return x"),
    "a blank line at the body's depth": ("        ", "return 1\n\n    def g", "return 1"),
    "a statement at the margin ends with itself": ("", "x = 1\ny", "x = 1"),
    "a function at the margin ends with its body": ("", "def f():\n    return 1\n\nx", "def f():\n    return 1"),
    "braces close what the line opened": ("  if (a) {", "\n    b();\n  }\n  c();\n", "\n    b();\n  }"),
    "an else goes on": (
        "  if (a) {",
        "\n    b();\n  } else {\n    c();\n  }\n",
        "\n    b();\n  } else {\n    c();\n  }",
    ),
    "a closing line is kept whole": ("foo(() => {", "\n  bar();\n});\nx", "\n  bar();\n});"),
    "a call's closing bracket belongs to it": ("x = f(", "\n    1,\n)\ny", "\n    1,\n)"),
    "parameters on lines of their own": ("def f(", "\n    a,\n):\n    return a\nx", "\n    a,\n):\n    return a"),
    "the same at the margin": (
        "",
        "def f(\n    a,\n) -> int:\n    return a\n\nx",
        "def f(\n    a,\n) -> int:\n    return a",
    ),
    "a decorator belongs to its function": ("", "@cache\ndef f():\n    return 1\nx", "@cache\ndef f():\n    return 1"),
    "a comment at the margin": ("    ", "x = 1\n# note\n    y = 2\nz", "x = 1\n# note\n    y = 2"),
    "a comment of what follows": ("    ", "x = 1\n\n# note\nz", "x = 1"),
    "windows line ends": ("    if x:", "\r\n        y()\r\n    z", "\r\n        y()"),
    "dedented text in a triple-quoted string": (
        "    ",
        'x = """\nab\n"""\n    y = 1\nz',
        'x = """\nab\n"""\n    y = 1',
    ),
    "tabs count as indentation": ("\tif x:", "\n\t\ty()\n\tz", "\n\t\ty()"),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_block(name: str) -> None:
    """A block ends where a reader of its indentation says, and not before that can be known."""
    before, text, kept = BLOCKS[name]
    rule = BlockStop(before)
    end = rule.end(text)
    assert end is not None
    assert text[:end] == kept
    assert {rule.end(text[:n]) for n in range(len(text))} <= {None, end}


@given(st.text(alphabet="ab \n\r"))
def test_line(text: str) -> None:
    """A line ends at the first line break after something visible; what is kept has no line break at its end."""
    end = LineStop().end(text)
    visible = text.lstrip()
    if end is None:
        assert "\n" not in visible
    else:
        assert text[:end].lstrip() == visible.split("\n")[0].rstrip("\r")


def test_rules_by_name() -> None:
    """Each name of `until` has its rule."""
    assert isinstance(stop_rule("line", ""), LineStop)
    assert stop_rule("block", "  x") == BlockStop("  x")
    assert stop_rule("tokens", "") == NeverStop()
    assert NeverStop().end("a\n" * 100) is None


LOOPING = {
    "calls": ('host.split(":")', '.split(":")[0]', 'host.split(":").split(":")[0]'),
    "lines": ("if x:\n", "    self.value = value\n", "if x:\n    self.value = value\n"),
}


@pytest.mark.parametrize("name", LOOPING)
def test_what_is_said_three_times_in_a_row_ends_after_the_first(name: str) -> None:
    """A stretch that ends the text may come twice; the third time the text ends where the first one did."""
    start, stretch, kept = LOOPING[name]
    assert loop_end(start + 2 * stretch) is None
    end = loop_end(start + 3 * stretch)
    assert end is not None
    assert (start + 3 * stretch)[:end] == kept


@pytest.mark.parametrize(
    "text", ["[0.0, 1.0, 2.0], " * 9, "# " + "-" * 60, "a, b, a, b, a, b, ", "x = 1\ny = 2\nx = 1\n"]
)
def test_data_and_short_stretches_may_repeat(text: str) -> None:
    """Rows of numbers, rules of dashes and stretches shorter than eight characters are no loop."""
    assert all(loop_end(text[:end]) is None for end in range(len(text) + 1))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("return _ClassInfo(" + "self, " * 4, "return _ClassInfo(self, "),
        ("x = [" + "a, " * 7, "x = [a, "),
        ("f(" * 10, "f("),
        ("self." * 4, "self."),
    ],
)
def test_a_short_stretch_with_a_word_in_it_may_be_said_some_times_more(text: str, kept: str) -> None:
    """Up to twenty characters, and four times."""
    assert loop_end(text) == len(kept)
    assert loop_end(text[:-1]) is None


@pytest.mark.parametrize("text", ["0x00, " * 20, "-" * 80, "1, " * 30, "x = aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "(" * 40])
def test_rows_of_numbers_and_signs_may_be_as_long_as_they_like(text: str) -> None:
    assert all(loop_end(text[:end]) is None for end in range(len(text) + 1))
