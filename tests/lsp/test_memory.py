"""Answers that are already known."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from guiderail.engine.completion import Completion
from guiderail.engine.suggestion import Suggestion, Timings
from guiderail.lsp.memory import KEPT, Kept, Memory

BLANK = Suggestion("", 0, 0, 0.0, (), "line", "psm", Timings(0, 0, 0, 0, 0, 0))


def kept(before: str, after: str, *texts: str) -> Kept:
    return Kept(before, after, Completion([replace(BLANK, text=text) for text in texts]), max(1, len(texts)))


def texts(memory: Memory, before: str, after: str = "", wanted: int = 1) -> list[str] | None:
    found = memory.find(before, after, wanted)
    return None if found is None else [offer.text for offer in found]


@given(st.text(max_size=10), st.text(min_size=1, max_size=10), st.data())
def test_typing_what_a_suggestion_says_shortens_it(before: str, text: str, data: st.DataObject) -> None:
    """After each proper beginning of the suggestion the rest of it is known, and after the whole nothing."""
    memory = Memory()
    memory.keep(kept(before, "", text))
    typed = data.draw(st.integers(0, len(text)))
    expected = [text[typed:]] if typed < len(text) else None
    assert texts(memory, before + text[:typed]) == expected


def test_another_key_or_another_text_behind_is_unknown() -> None:
    """Nothing is known once something else was typed, or something changed after the cursor."""
    memory = Memory()
    memory.keep(kept("x = ", "\n", "foo(1)"))
    assert texts(memory, "x = b", "\n") is None
    assert texts(memory, "x =", "\n") is None
    assert texts(memory, "x = f", "\ny") is None
    assert texts(memory, "x = f", "\n") == ["oo(1)"]


def test_brackets_that_the_editor_closes_are_no_change() -> None:
    """An editor that closes a typed bracket by itself does not void the suggestion."""
    memory = Memory()
    memory.keep(kept("x = ", "\n", "foo(1)"))
    assert texts(memory, "x = foo(", ")\n") == ["1)"]
    assert texts(memory, "x = foo(", "z\n") is None


def test_only_fitting_suggestions_stay() -> None:
    """Of several suggestions those stay that begin with what was typed; a request for more asks the model."""
    memory = Memory()
    memory.keep(kept("", "", "foo", "fab", "bar"))
    assert texts(memory, "f") == ["oo", "ab"]
    assert texts(memory, "", wanted=3) == ["foo", "fab", "bar"]
    assert texts(memory, "", wanted=4) is None


def test_the_newest_answer_counts_and_old_ones_go() -> None:
    """The latest answer goes before older ones, of which a bounded number is kept."""
    memory = Memory()
    memory.keep(kept("", "", "old"))
    memory.keep(kept("", "", "new"))
    assert texts(memory, "") == ["new"]
    for number in range(KEPT):
        memory.keep(kept(str(number), "", "x"))
    assert texts(memory, "") is None


def test_that_there_is_nothing_is_known_too() -> None:
    """A question without an answer is not asked again at the same place."""
    memory = Memory()
    memory.keep(kept("x", ""))
    assert texts(memory, "x") == []
    assert texts(memory, "xy") is None
