"""Laws of naming languages and writing their comments."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.errors import UsageError
from guiderail.text.language import (
    LANGUAGES,
    comment_prefix,
    commented,
    family_of,
    is_code,
    language_named,
    language_of,
)


@pytest.mark.parametrize(
    ("path", "first_line", "language"),
    [
        ("a/b.py", "", "python"),
        ("B.PY", "", "python"),
        ("x.d.ts", "", "typescript"),
        ("Makefile", "", "makefile"),
        ("run", "#!/usr/bin/env -S python3.11 -u", "python"),
        ("run", "#!/bin/bash", "shellscript"),
        ("run", "print", None),
        ("run.unknown", "", None),
    ],
)
def test_name_decides_before_first_line(path: str, first_line: str, language: str | None) -> None:
    assert language_of(Path(path), first_line) == language


def test_no_ending_name_file_or_interpreter_means_two_languages() -> None:
    for keys in (
        [key for language in LANGUAGES for key in language.endings],
        [key for language in LANGUAGES for key in (language.name, *language.aliases)],
        [key for language in LANGUAGES for key in language.files],
        [key for language in LANGUAGES for key in language.interpreters],
    ):
        assert len(keys) == len(set(keys))


def test_typed_names_are_understood_and_unknown_ones_get_a_hint() -> None:
    assert [language_named(name) for name in ("py", "C++", " TS ", "rust")] == [
        "python",
        "cpp",
        "typescript",
        "rust",
    ]
    with pytest.raises(UsageError, match="Did you mean python"):
        language_named("pythn")


def test_c_shares_context_with_cpp_but_not_with_go() -> None:
    assert family_of("c") == family_of("cpp") != family_of("go")
    assert family_of("typescript") == family_of("javascriptreact")
    assert family_of("unheard-of") == "unheard-of"
    assert is_code("go")
    assert not is_code("json")
    assert not is_code(None)


@given(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1), st.sampled_from(LANGUAGES))
def test_every_commented_line_begins_as_a_comment_and_keeps_its_text(line: str, language) -> None:
    result = commented(f"{line}\n{line}", language.name)
    assert result.endswith("\n")
    assert len(result.split("\n")) == 3
    for written in result.split("\n")[:2]:
        assert written.startswith(comment_prefix(language.name))
        assert written.endswith(language.comment[1])
        assert line.rstrip() in written
