"""Suggestions fitted into their line."""

import pytest

from guiderail.lsp.shape import Shaped, shape


@pytest.mark.parametrize(
    ("before", "text", "after", "expected"),
    [
        ("print(", "x)", ")", Shaped("x")),  # the bracket stands there already
        ("print(", "f(x)", ")", Shaped("f(x)")),  # this one closes the suggestion's own
        ("print(", "f(x))", ")\n", Shaped("f(x)")),
        ("print(", "x) + 1", ")", Shaped("x) + 1", 1)),  # goes on behind it: replaced
        ("a = [f(", "x), y]", ")]", Shaped("x), y]", 2)),
        ('print("', 'hello")', '")', Shaped("hello")),
        ('print("', 'hello"', '")', Shaped("hello")),
        ("print('", "it", "')", Shaped("it")),
        ("def f(", "x):", "):", Shaped("x")),
        ("call(\n", "    a,\n    b,\n)", ")", Shaped("    a,\n    b,\n")),
        ("x = ", "1", "\ny = 2\n", Shaped("1")),
        ("# don't ", "f(x)", ")", Shaped("f(x)")),
        ("x = {", "'a': (1, 2)}", "}", Shaped("'a': (1, 2)")),
        ("return ", "a + b", " + b", Shaped("a")),
        ("f(", 'x, "\\")")', ")", Shaped('x, "\\")"')),
        ("x = ", "   ", "", None),
        ("x = ", "", "", None),
        ("", "foo()", "foo()\n", None),  # only repeats what follows
        ("x = 1", "\ny = 2", "\ny = 2\n", None),
        ("print(", ")", ")", None),
    ],
)
def test_what_stands_behind_the_cursor_is_not_written_twice(
    before: str, text: str, after: str, expected: Shaped | None
) -> None:
    """Closers that follow already are left out, or replaced when the suggestion goes on behind them."""
    assert shape(text, before, after) == expected
