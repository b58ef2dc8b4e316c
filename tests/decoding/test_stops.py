"""Where a completion ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.stops import BlockStop, LineStop, NeverStop, stop_rule

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
    """A line ends at the first line break behind something visible; what is kept has no line break at its end."""
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
