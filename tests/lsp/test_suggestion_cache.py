"""Answers that are already known."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from guiderail.engine.completion import Completion
from guiderail.lsp.suggestion_cache import ENTRIES, SuggestionCache
from tests.lsp.fakes import BLANK, wish


def cached(*entries: tuple[str, ...]) -> SuggestionCache:
    """A cache of answers: of each, the text before and after the cursor, and the suggestions."""
    cache = SuggestionCache()
    for entry in entries:
        add(cache, *entry)
    return cache


def add(cache: SuggestionCache, before: str, after: str, *texts: str) -> None:
    answer = Completion([replace(BLANK, text=text) for text in texts])
    cache.add(wish(before, after, wanted=max(1, len(texts))), answer)


def texts(cache: SuggestionCache, before: str, after: str = "", wanted: int = 1) -> list[str] | None:
    found = cache.find(wish(before, after, wanted=wanted))
    return None if found is None else [candidate.text for candidate in found.candidates]


@given(st.text(max_size=10), st.text(min_size=1, max_size=10), st.data())
def test_typing_what_a_suggestion_says_shortens_it(before: str, text: str, data: st.DataObject) -> None:
    """After each proper beginning of the suggestion the rest of it is known, and after the whole nothing."""
    cache = cached((before, "", text))
    typed = data.draw(st.integers(0, len(text)))
    expected = [text[typed:]] if typed < len(text) else None
    assert texts(cache, before + text[:typed]) == expected


def test_another_key_or_another_text_after_the_cursor_is_unknown() -> None:
    """Nothing is known once something else was typed, or something changed after the cursor."""
    cache = cached(("x = ", "\n", "foo(1)"))
    assert texts(cache, "x = b", "\n") is None
    assert texts(cache, "x =", "\n") is None
    assert texts(cache, "x = f", "\ny") is None
    assert texts(cache, "x = f", "\n") == ["oo(1)"]


def test_brackets_that_the_editor_closes_are_no_change() -> None:
    """An editor that closes a typed bracket by itself does not void the suggestion."""
    cache = cached(("x = ", "\n", "foo(1)"))
    assert texts(cache, "x = foo(", ")\n") == ["1)"]
    assert texts(cache, "x = foo(", "z\n") is None


def test_only_fitting_suggestions_stay() -> None:
    """Of several suggestions those stay that begin with what was typed; a request for more asks the model."""
    cache = cached(("", "", "foo", "fab", "bar"))
    assert texts(cache, "f") == ["oo", "ab"]
    assert texts(cache, "", wanted=3) == ["foo", "fab", "bar"]
    assert texts(cache, "", wanted=4) is None


def test_the_newest_answer_counts_and_old_ones_go() -> None:
    """The latest answer goes before older ones, of which a bounded number is kept."""
    cache = cached(("", "", "old"), ("", "", "new"))
    assert texts(cache, "") == ["new"]
    for number in range(ENTRIES):
        add(cache, str(number), "", "x")
    assert texts(cache, "") is None


def test_that_there_is_nothing_is_known_too() -> None:
    """A question without an answer is not asked again at the same place."""
    cache = cached(("x", ""))
    assert texts(cache, "x") == []
    assert texts(cache, "xy") is None
