"""Where a text stands."""

import io
import token
import tokenize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guiderail.monitors.lex_state import Checkpoint, LexState, lex_state, unmatched_closers
from guiderail.text.languages.table import LEXICONS

PIECES = st.sampled_from(
    [
        *(
            "a",
            ".",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "'",
            '"',
            "'''",
            '"""',
            "\\",
            "\n",
            "\r\n",
            "#",
            " ",
            "b''",
            ";",
            "é",
        ),
        *("/", "*", "`", "${", "r#", "R", "@", "=", "1"),
    ]
)
TEXT = st.lists(PIECES, max_size=25).map("".join)


@given(st.sampled_from(sorted(LEXICONS)), TEXT, TEXT)
@example("python", "'a\\\nb", "'")  # the second line is read as code until a quote makes it part of the string
@example("java", "'a\\\r\nb(\n", "'")
def test_reading_on_equals_reading_at_once(language: str, first: str, second: str) -> None:
    """In every language a place found in two steps is the place found in one, wherever the text is cut."""
    before = lex_state(first, language)
    assert lex_state(first + second, language, before) == lex_state(first + second, language)
    assert before.checkpoint.at <= len(first)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("x = 'a.", True),
        ("x = 'a'.", False),
        ("x = 'a\n.", False),
        ("'''a\n'b.", True),
        ("# a.", True),
        ("# a.\n", False),
        ('x = ""', False),
        ('x = """', True),
        ("x = 'it\\'s.", True),
        ("x = r'\\'.", True),
        ("x = '#'.", False),
        ("x = f'{a.", True),
    ],
)
def test_inside_strings_and_comments(text: str, inside: bool) -> None:
    """A text inside a string or a comment is known as such, an unclosed string ends with its line."""
    assert lex_state(text, "python").in_string_or_comment == inside


def test_statements_and_brackets() -> None:
    """A statement begins after a line end or semicolon outside brackets; brackets are open until they are closed."""
    assert lex_state("a\nb; c(", "python") == LexState(False, (6,), 4, Checkpoint(2, (), 2))
    assert lex_state("a(\nb", "python").statement_start == 0
    assert lex_state("a \\\n b", "python").statement_start == 0
    assert lex_state("a)\nb", "python").open_brackets == ()


def test_what_the_rest_closes() -> None:
    """The rest of a text closes the brackets that it does not open itself; strings do not count."""
    assert unmatched_closers("), ')' (x)]\n", "python") == ")]"
    assert unmatched_closers("", "python") == ""


def test_agrees_with_the_tokenizer(request: pytest.FixtureRequest) -> None:
    """In a real file every dot that Python's tokenizer sees is in code, and every dot in its strings is not."""
    source = request.path.read_text(encoding="utf-8")
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    before = None
    for item in tokenize.generate_tokens(io.StringIO(source).readline):
        end = starts[item.end[0] - 1] + item.end[1]
        if item.type in (token.STRING, token.COMMENT) and len(item.string) > 3:
            assert lex_state(source[: end - 1], "python").in_string_or_comment
        elif item.type == token.OP and item.string == ".":
            before = lex_state(source[:end], "python", before)
            assert not before.in_string_or_comment


@pytest.mark.parametrize(
    ("language", "text", "inside"),
    [
        ("java", "/* a.", True),
        ("java", "/* a */ x.", False),
        ("java", "x /* a */", False),
        ("java", "// it's\nx.", False),
        ("java", 's = """\n it\'s "a".', True),
        ("java", "'\\''.", False),
        ("c", "#define A x.", True),
        ("c", "#define A \\\n x.", True),
        ("c", "  #include <a.h>\nx.", False),
        ("cpp", 'R"(a". ', True),
        ("cpp", 'R"x(a)"b)x".', False),
        ("cpp", "1'000'000 + a.", False),
        ("csharp", '@"a\\".', False),
        ("csharp", '@"a""b.', True),
        ("csharp", '@"a\nb.', True),
        ("go", "`a\nb.", True),
        ("go", "'\\''; x.", False),
        ("rust", "fn f<'a>(x: &'a str) { x.", False),
        ("rust", "'\"'; x.", False),
        ("rust", 'r#"a"b.', True),
        ("rust", 'r#"a"#.', False),
        ("rust", '"a\nb.', True),
        ("javascript", "`a ${b.", True),
        ("javascript", "`a ${b + `c`} d`.", False),
        ("javascript", "x = /['\"(]/.", False),
        ("javascript", "x = a / b.", False),
        ("javascript", "return /[`]/; x.", False),
        ("typescript", "f('a', \"b\").", False),
    ],
)
def test_strings_and_comments_of_other_languages(language: str, text: str, inside: bool) -> None:
    """Each language's strings, comments, macros and patterns are passed over."""
    assert lex_state(text, language).in_string_or_comment == inside
    assert not lex_state(text, language).open_brackets or "(" in text or "{" in text


@pytest.mark.parametrize(
    ("language", "text", "statement"),
    [
        ("java", "void f() { a(); b", " b"),
        ("java", "a(x ->\n b", "a(x ->\n b"),
        ("java", "if (a) { b(); } c", " c"),
        ("go", "f() {\n\ta\n\tb", "\tb"),
        ("go", "f(a,\n b", "f(a,\n b"),
        ("typescript", "f(() => {\n a;\n b", " b"),
        ("python", "{\n a", "{\n a"),
    ],
)
def test_statements_in_blocks(language: str, text: str, statement: str) -> None:
    """Where braces hold statements they begin and end them, and so do semicolons and, in some, line ends inside."""
    assert text[lex_state(text, language).statement_start :] == statement


@pytest.mark.parametrize(
    ("text", "inside"),
    [("x.replace(/item(", True), ("x.replace(/item(s)?/g, y.", False), ("a = b / c(", False), ("a = /[a.", True),
     ("a = /[(]/.test(", False), ("return /a(", True), ("x => /a.", True), ("a / b.", False), ("f(/a/g, b(", False),
     ("x = /a\\/b(", True), ("case /a(", True), ("x++ / y(", False)],
)  # fmt: skip
@pytest.mark.parametrize("language", ["typescript", "javascript", "typescriptreact"])
def test_a_text_may_end_inside_a_pattern(text: str, inside: bool, language: str) -> None:
    """Brackets and dots in a regular expression open no call and dereference nothing."""
    assert lex_state(text, language).in_string_or_comment is inside
