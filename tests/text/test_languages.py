"""Laws of the records of languages."""

import re

import pytest

from guiderail.text.languages.table import CALLS, DECLARATIONS, GRAMMARS, INSTANTIABLE, LANGUAGES, LEXICONS, MEMBERS
from guiderail.text.syntax import grammar, parse


def test_each_name_has_one_record() -> None:
    """No two records describe one language."""
    assert len({language.name for language in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize("name", sorted({*MEMBERS, *CALLS, *INSTANTIABLE}))
def test_what_monitors_need_comes_with_a_lexicon(name: str) -> None:
    """A language whose members, calls or instantiations are known can be told apart from strings and comments."""
    assert name in LEXICONS


@pytest.mark.parametrize("name", GRAMMARS)
def test_grammars_exist(name: str) -> None:
    """A grammar can be loaded, and reads a comment in the record's own form as no error."""
    comment = next(language.comment for language in LANGUAGES if language.name == name)
    assert not parse(f"{comment[0]} a {comment[1]}\n".encode(), name).has_error


@pytest.mark.parametrize("name", DECLARATIONS)
def test_declarations_are_nodes_of_a_grammar_of_the_family(name: str) -> None:
    """Every kind of node is one that a grammar of the family has: a misspelt one would be missed silently."""
    family = next(language.family for language in LANGUAGES if language.name == name)
    names = {one.name for one in LANGUAGES if one.family == family} & set(GRAMMARS) if family else {name}
    kinds = {kind for one in names for kind in _kinds(one)}
    assert not set(DECLARATIONS[name]) - kinds


def _kinds(name: str) -> set[str]:
    own = grammar(name)
    return {own.node_kind_for_id(number) or "" for number in range(own.node_kind_count)}


@pytest.mark.parametrize("name", MEMBERS)
def test_the_longest_operator_is_read(name: str) -> None:
    """Before a half-typed name each operator is read whole, not as a shorter one."""
    for operator in MEMBERS[name].operators:
        found = MEMBERS[name].end.search(f"value{operator}na")
        assert found is not None
        assert (found["operator"], found["name"]) == (operator, "na")


@pytest.mark.parametrize("name", LEXICONS)
def test_strings_close(name: str) -> None:
    """Every kind of string is closed by its own end, and its opening quote is what the scanner finds."""
    for string in LEXICONS[name].strings:
        # The quote backwards, without a prefix: r##" is closed by "##.
        closing = re.sub(r"^[^\"'`#]*", "", string.quote)[::-1].replace("$", "").replace("@", "")
        text = {'R"': '(a)"'}.get(string.quote, f"a{closing}")
        assert string.pattern.match(text) is not None, string.quote
