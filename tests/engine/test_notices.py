"""What a person hears of a text that is not checked."""

import pytest

from guiderail.engine.notices import NO_LANGUAGE, missing_analyser, notices
from guiderail.settings import Settings


@pytest.mark.parametrize(("language", "remedy"), [(None, ". Name it"), ("", ". Name it"), ("cobol", "")])
def test_a_text_without_a_known_language_is_noticed(language: str | None, remedy: str) -> None:
    """What can be done about it, only where nobody knows the language: a name is no help."""
    assert notices(Settings(), language, "Name it") == [f"{NO_LANGUAGE}{remedy}"]


@pytest.mark.parametrize("language", ["python", "ruby", "plaintext", "jsonc", "ignore", "log", "csv", "bat", "diff"])
def test_a_known_language_is_not(language: str) -> None:
    """Whether there is an analyser for it or not; nor one in which nobody expects checks."""
    assert notices(Settings(), language, "Name it") == []


def test_a_chosen_analyser_that_is_not_installed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the languages that it is for; not where nobody chose one, or monitors are off."""
    monkeypatch.setenv("PATH", "/nowhere")
    text = missing_analyser(Settings(analyser="gopls"))
    assert text == "the analyser gopls is not installed, so nothing in go is checked. See guiderail analysers ls"
    assert notices(Settings(analyser="gopls"), "python", "") == [text]
    assert missing_analyser(Settings(analyser="gopls", monitors=False)) == ""
    assert missing_analyser(Settings()) == missing_analyser(Settings(analyser="pyrefly")) == ""
