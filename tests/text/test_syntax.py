"""Laws of syntax trees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.text.language import LANGUAGES
from guiderail.text.syntax import find, has_grammar, parse

KNOWN = sorted(language.name for language in LANGUAGES if has_grammar(language.name))


@pytest.mark.parametrize("language", KNOWN)
@given(source=st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_text_in_any_known_language_has_a_tree_over_it(language: str, source: str) -> None:
    assert parse(source.encode(), language).end_byte <= len(source.encode())


def test_found_nodes_are_in_source_order() -> None:
    source = b"import b\ndef f():\n    from a import c\nimport d\n"
    found = find(parse(source, "python"), "python", "[(import_from_statement) (import_statement)] @it")
    assert [(node.text or b"").decode() for node in found] == ["import b", "from a import c", "import d"]


def test_a_language_without_a_grammar_says_so() -> None:
    assert not has_grammar("cobol")
    assert not has_grammar(None)
    assert has_grammar("python")
