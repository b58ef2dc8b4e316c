"""Code inside strings."""

from pathlib import Path

import pytest

from guiderail.monitors.cursor_context import CursorContext
from guiderail.monitors.registry import chosen
from guiderail.text.document import Document


def seen(language: str, before: str, after: str = "", written: str = "") -> str:
    """What monitors and analysers see at a cursor, which is marked."""
    document = Document(before + after, language=language)
    snapshot = CursorContext(document, len(before), Path("/app/a"), root=Path("/app")).snapshot(written)
    return f"{snapshot.text}|{snapshot.cursor.rest}"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ('print(f"hi {user.', '}!")', "print(     (user.|)  )"),
        ('print(f"hi {user[', ']}!")', "print(     (user[|])  )"),
        ('print(f"hi {a.b} {user.', '", 1)', "print(           (user.| , 1)"),
        ("x = rf'{user.", "", "x =    (user.|"),
        ("x = f'''a\n{user.", "\n}b'''\ny = 1", "x =      \n(user.|\n)    \ny = 1"),
        ("x = f'{{{user.", "}'", "x =     (user.|) "),
        ('x = f\'{d["a"].', "}'\ny.z", 'x =   (d["a"].|) \ny.z'),
        ("x = f'{a:#x} {user.", "}'", "x =          (user.|) "),
        ("f'{f\"{user.", "\"}'", "  (  (user.|   "),
    ],
)
def test_code_in_an_f_string_is_code_in_brackets(before: str, after: str, code: str) -> None:
    """All else of the string is blank, and everything keeps its place."""
    assert seen("python", before, after) == code
    assert len(code) == len(before + after) + 1


@pytest.mark.parametrize(
    "before",
    ["x = 'a {user.", "x = f'a user.", "x = f'{{user.", "x = f'{user}.", "x = f'\\\n.", "of'{user.", "# f'{user."],
)
def test_other_text_stays_text(before: str) -> None:
    """A plain string, doubled braces, what is after the code, a comment."""
    assert seen("python", before) == f"{before}|"


@pytest.mark.parametrize("language", ["typescript", "javascript", "typescriptreact"])
def test_code_in_a_template_is_code_in_brackets(language: str) -> None:
    assert seen(language, "log(`a ${user.", "} {b}`)") == "log(    (user.|)     )"
    assert seen(language, "log(`a\n${f({a: 1}).", "`)") == "log(  \n (f({a: 1}).| )"
    assert seen(language, "log(`a {user.", "`)") == "log(`a {user.|`)"
    assert seen(language, "log('${user.", "')") == "log('${user.|')"


def test_code_in_a_string_of_c_sharp() -> None:
    assert seen("csharp", 'Log($"a {user.', '}");') == "Log(    (user.|) );"
    assert seen("csharp", 'Log("a {user.', '}");') == 'Log("a {user.|}");'


def test_a_string_that_is_being_written_is_code_too() -> None:
    """It begins after the cursor, or is one that the cursor was in."""
    assert seen("python", "print(", ")", "f'{user.") == "print(  (user.|)"
    assert seen("python", "print(f'a ", "!')", "{user.") == "print(    (user.|  )"
    assert seen("python", "print(f'{a", "}')", "} {user.") == "print(      (user.|) )"


def test_members_are_asked_for_inside_an_f_string() -> None:
    """The monitor of members is triggered, and the analyser is shown text that can be parsed."""
    before, after = "import os\nprint(f'in {os.path.", "}!')\n"
    document = Document(before + after, language="python")
    snapshot = CursorContext(document, len(before), Path("/app/a.py"), root=Path("/app")).snapshot()
    (monitor,) = chosen("dereference")
    trigger = monitor.trigger(snapshot)
    assert trigger is not None
    assert trigger.question.text == "import os\nprint(     (os.path.)  )\n"
    assert trigger.question.offset == len(before)
