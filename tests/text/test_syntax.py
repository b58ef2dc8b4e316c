"""Laws of syntax trees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.text import syntax
from guiderail.text.language import LANGUAGES
from guiderail.text.syntax import Parsed, find, has_grammar, parse

KNOWN = sorted(language.name for language in LANGUAGES if has_grammar(language.name))


@pytest.mark.parametrize("language", KNOWN)
@given(source=st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_text_in_any_known_language_has_a_tree_over_it(language: str, source: str) -> None:
    assert parse(source.encode(), language).end_byte <= len(source.encode())


SOURCES = {
    "python": "class A:\n    def f(x):\n        if x:\n            return 'é'\n        return [x]\n\n\nA().f(2)\n",
    "typescript": "class A {\n  f(x: number) {\n    if (x) { return `a${x}`; }\n    return [x];\n  }\n}\n",
    "java": 'class A {\n  int f(int x) {\n    if (x > 1) { return g("a"); }\n    return x;\n  }\n}\n',
    "c": "#include <a.h>\nint f(int x) {\n  if (x) { return 'a'; }\n  return x[1];\n}\n",
    "go": "package a\n\nfunc f(x int) int {\n\tif x > 1 {\n\t\treturn `é`\n\t}\n\treturn x\n}\n",
    "rust": "fn f<'a>(x: &'a str) -> u8 {\n    if x == \"a\" { return 1; }\n    2\n}\n",
}
PIECES = ["é", "(", ")", "[", "]", "{", "}", "'", '"', '"""', "`", "\n", "\n    ", "\t", ":", ";", ".", ",", "=", "#",
          "//", "/*", "*/", "if x:\n", "return ", "class B", "def f(): pass\n", ""]  # fmt: skip
EDITS = st.lists(
    st.tuples(st.integers(0, 130), st.sampled_from([0, 0, 0, 1, 2, 9]), st.sampled_from(PIECES)), max_size=8
)


@pytest.mark.parametrize("language", SOURCES)
@given(edits=EDITS)
def test_a_tree_made_from_the_last_one_has_errors_when_a_new_one_has(language: str, edits) -> None:
    """Wherever a text is changed, whether it is right is the same as found by parsing it from the start; a right
    text has the same tree."""
    kept, text = Parsed(language), SOURCES[language]
    assert not kept.parse(text.encode()).has_error
    for at, gone, new in edits:
        text = text[:at] + new + text[at + gone :]
        found, true = kept.parse(text.encode()), parse(text.encode(), language)
        assert found.has_error == true.has_error
        assert found.has_error or str(found) == str(true)


def test_found_nodes_are_in_source_order() -> None:
    source = b"import b\ndef f():\n    from a import c\nimport d\n"
    found = find(parse(source, "python"), "python", "[(import_from_statement) (import_statement)] @it")
    assert [(node.text or b"").decode() for node in found] == ["import b", "from a import c", "import d"]


QUERIES = {
    "python": "[(class_definition) (function_definition) (call) (return_statement)] @it (attribute object: (_) @it)",
    "typescript": "[(class_declaration) (string_fragment) (identifier)] @it (return_statement (_) @it)",
    "java": "[(method_declaration) (identifier)] @it (method_invocation arguments: (argument_list (_) @it))",
    "c": "[(identifier) (preproc_include)] @it (return_statement (_) @it)",
    "go": "[(identifier) (block)] @it (return_statement (_) @it)",
    "rust": "[(identifier) (block)] @it (MISSING) @it",
}


@pytest.mark.parametrize("language", SOURCES)
@given(edits=EDITS, size=st.integers(1, 40))
def test_a_text_is_searched_in_parts_as_in_one(language: str, edits, size: int) -> None:
    """However large the parts are: other threads run between them."""
    text = SOURCES[language]
    for at, gone, new in edits:
        text = text[:at] + new + text[at + gone :]
    root = parse(text.encode(), language)
    with pytest.MonkeyPatch.context() as patch:
        whole = find(root, language, QUERIES[language])
        patch.setattr(syntax, "_PART", size)
        assert find(root, language, QUERIES[language]) == whole


def test_a_language_without_a_grammar_says_so() -> None:
    assert not has_grammar("cobol")
    assert not has_grammar(None)
    assert has_grammar("python")
