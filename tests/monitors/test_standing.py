"""Where the texts of one file stand, read on from key to key."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.monitors import lexing
from guiderail.monitors.lexing import SYNTAX, place
from guiderail.monitors.standing import Standing, standing
from tests.monitors.test_lexing import TEXT

EDITS = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 5), TEXT), max_size=8)


@pytest.fixture(scope="module", autouse=True)
def marks_at_each_line():
    """Have each line of the short texts marked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lexing, "MARKED", 1)
        yield


@given(st.sampled_from(sorted(SYNTAX)), TEXT, EDITS)
def test_a_place_is_that_of_reading_the_whole_text(language: str, text: str, edits) -> None:
    """Wherever a text is changed, and whichever prefix is asked about, the place is that of reading it at once."""
    kept = Standing(language)
    for at, gone, new in edits:
        text = text[:at] + new + text[at + gone :]
        for shown in (text, text[: at + len(new)], text[: at + 1]):
            assert kept.place(shown) == place(shown, language)


def test_only_what_changed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first key no character is read that stands more than a mark before the change."""
    lines = [f"a_{number} = b[{number}]\n" for number in range(500)]
    text = "".join(lines)
    kept, read = Standing("python"), []
    kept.place(text)

    def noted(text, language, before, marks):
        read.append(len(text) - before.mark.at)
        return place(text, language, before, marks)

    monkeypatch.setattr("guiderail.monitors.standing.place", noted)
    kept.place(text + "x")
    kept.place(text + "x.")
    kept.place(text[:-40])
    kept.place(text + "x.y")
    assert max(read) <= 60


def test_files_do_not_mix() -> None:
    """Each file keeps its own text; the same one comes back."""
    assert standing(Path("a.py"), "python") is standing(Path("a.py"), "python")
    assert standing(Path("a.py"), "python") is not standing(Path("b.py"), "python")
    assert standing(Path("a.py"), "python") is not standing(Path("a.py"), "java")
