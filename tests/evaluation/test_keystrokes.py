"""True typing, replayed key by key."""

from hypothesis import given
from hypothesis import strategies as st

from guiderail.evaluation.keystrokes import EVERY, LINES, cursors, draw, is_right, right_steps, steps
from guiderail.evaluation.packages import SourceFile

CODE = "".join(f"def größe_{n}(x):\n\n    # what it is\n    y = x + {n}\n    return 'a' + y\n\n\n" for n in range(30))
FILE = SourceFile("alpha", "src/code.py", CODE)


def test_each_cursor_is_in_the_file_as_it_is_at_that_key() -> None:
    """What is typed and the truth make the file; the lines that are typed later are not there yet."""
    lines = CODE.split("\n")
    found = list(cursors(FILE, 2))
    assert found and found[0].typed == len("\n".join(lines[2 : 2 + LINES]))
    for one in found:
        assert one.text[: one.offset] + one.truth == CODE
        assert one.text[one.offset :] == "\n" + "\n".join(lines[2 + LINES :])
        assert one.language == "python"


def test_every_fifth_key_has_a_cursor_and_an_indentation_is_one_key() -> None:
    """With the line break before it."""
    typed = "\n".join(CODE.split("\n")[2 : 2 + LINES])
    keys = [
        at for at in range(1, len(typed) + 1) if typed[:at].endswith("\n    ") or typed[:at].rpartition("\n")[2].strip()
    ]
    keys = [4, *keys] if 4 not in keys else keys  # the first line's own indentation
    assert [one.at for one in cursors(FILE, 2)] == sorted(keys)[EVERY - 1 :: EVERY]


def test_a_draw_depends_on_its_seed_and_package_alone() -> None:
    files = [SourceFile("alpha", f"src/{name}.py", CODE.replace("x", name)) for name in "abcdef"]
    few, many = draw(files, 5, 1), draw(files, 20, 1)
    assert many[:5] == few and len(many) == 20 and draw(files, 20, 2) != many
    assert 2 < len({one.trace for one in many}) <= 6
    assert draw([SourceFile("alpha", "tiny.py", "x = 1\n")], 5, 1) == []


def test_a_text_is_right_if_the_author_wrote_it_next_up_to_whole_words() -> None:
    truth = "total(price)\n    return 1\n"
    assert all(
        is_right(text, truth)
        for text in ("total", "total(", "total(price)", "total(price) ", "total(price)\n    return")
    )
    assert not any(
        is_right(text, truth)
        for text in ("", " ", "tot", "total()", "total(price)\n  return", " total", "total (price")
    )
    assert right_steps("total(prices)", truth) == ["total", "("]


@given(st.text("ab_(.) \n"))
def test_the_words_and_signs_of_a_text_make_the_text(text: str) -> None:
    assert "".join(steps(text)) == text.rstrip()
