"""Lexer states of one file's texts, read on from keystroke to keystroke."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.monitors import lex_state as lexer
from guiderail.monitors.lex_cache import LexCache, lex_cache
from guiderail.monitors.lex_state import lex_state
from guiderail.text.languages.table import LEXICONS
from tests.monitors.test_lex_state import TEXT

EDITS = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 5), TEXT), max_size=8)


@pytest.fixture(scope="module", autouse=True)
def checkpoints_at_each_line():
    """Have a checkpoint at each line of the short texts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lexer, "CHECKPOINT_EVERY", 1)
        yield


@given(st.sampled_from(sorted(LEXICONS)), TEXT, EDITS)
def test_a_state_is_that_of_reading_the_whole_text(language: str, text: str, edits) -> None:
    """Wherever a text is changed, and whichever prefix is asked about, the state is that of reading it at once."""
    kept = LexCache(language)
    for at, gone, new in edits:
        text = text[:at] + new + text[at + gone :]
        for shown in (text, text[: at + len(new)], text[: at + 1]):
            assert kept.state(shown) == lex_state(shown, language)


def test_only_what_changed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first key no character is read that is more than a checkpoint before the change."""
    lines = [f"a_{number} = b[{number}]\n" for number in range(500)]
    text = "".join(lines)
    kept, read = LexCache("python"), []
    kept.state(text)

    def noted(text, language, before, checkpoints, most):
        read.append(len(text) - before.checkpoint.at)
        return lex_state(text, language, before, checkpoints, most)

    monkeypatch.setattr("guiderail.monitors.lex_cache.lex_state", noted)
    kept.state(text + "x")
    kept.state(text + "x.")
    kept.state(text[:-40])
    kept.state(text + "x.y")
    assert max(read) <= 60


def test_files_do_not_mix() -> None:
    """Each file keeps its own text; the same one comes back."""
    assert lex_cache(Path("a.py"), "python") is lex_cache(Path("a.py"), "python")
    assert lex_cache(Path("a.py"), "python") is not lex_cache(Path("b.py"), "python")
    assert lex_cache(Path("a.py"), "python") is not lex_cache(Path("a.py"), "java")
