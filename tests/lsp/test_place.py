"""What a cursor is in, by the languages' own syntax; a bar marks the cursor."""

from typing import NoReturn

import pytest

from guiderail.lsp.place import BEFORE, place_at
from guiderail.text.document import Document
from guiderail.text.syntax import SlowTextError

PLACES = [
    ("python", "x = wid|th\n", "code"),
    ("python", "x = 1  # the width| of it\n", "comment"),
    ("python", "x = 1  # the width of it|", "comment"),
    ("python", "# the width|\r\nx = 1\r\n", "comment"),
    ("python", 'x = "name|"\n', "string"),
    ("python", 'x = "na|\ny = 2\n', "string"),
    ("python", "x = d['na|']\n", "string"),
    ("python", 'x = "the width of|"\n', "prose"),
    ("python", 'x = "the width of|\ny = 2\n', "prose"),
    ("python", 'x = "die Länge des| Rechtecks"\n', "prose"),
    ("python", 'raise E(f"found {count} errors in|")\n', "prose"),
    ("python", 'raise E(f"found {cou|nt} errors in it")\n', "code"),
    ("python", 'x = "found %d errors in|"\n', "prose"),
    ("python", 'x = "select name from users where |"\n', "string"),
    ("python", 'x = "path/to/some file|"\n', "string"),
    ("python", 'def f():\n    """|"""\n', "prose"),
    ("python", 'def f():\n    """Return|"""\n', "prose"),
    ("python", 'def f():\n    """Return the\n    wid|th.\n    """\n    return 1\n', "prose"),
    ("python", 'def f():\n    """Return|\n    return 1\n', "prose"),
    ("python", '"""A module|"""\n', "prose"),
    ("python", 'x = """\n<p>|</p>\n"""\n', "string"),
    ("python", 'f(\n    "na|",\n)\n', "string"),
    ("python", 'f("a",\n  "😀 some words in|")\n', "prose"),
    ("typescript", "const x = `the width of|`;\n", "prose"),
    ("typescript", "const x = `the width of ${wid|th}`;\n", "code"),
    ("typescript", 'const x = "na|\nlet y = 2;', "string"),
    ("typescript", "// the wid|\n", "comment"),
    ("typescript", "/** the wid| */\nlet x = 1;\n", "comment"),
    ("typescript", "/** the wid|\nlet x = 1;\n", "comment"),
    ("typescriptreact", 'const x = <p title="na|">it</p>;\n', "string"),
    ("javascript", "f(`na|`);\n", "string"),
    ("java", 'class A { String s = "the width of|"; }\n', "prose"),
    ("java", 'class A {\n  // the wid|\n}\n', "comment"),
    ("java", 'class A {\n  String s = """\n    na|\n    """;\n}\n', "string"),
    ("java", "class A {\n  int w|idth;\n}\n", "code"),
    ("c", 'char *s = "na|";\n', "string"),
    ("c", "int x; /* the wid| */\n", "comment"),
    ("c", "#define WIDTH he|ight\n", "code"),
    ("cpp", 'auto s = R"(the width of|)";\n', "prose"),
    ("cpp", "std::vector<in|t> x;\n", "code"),
    ("go", "var s = `na|`\n", "string"),
    ("go", 'var s = "the width of|"\n', "prose"),
    ("rust", "/// The wid|\nfn f() {}\n", "comment"),
    ("rust", 'fn f() { println!("the width of|"); }\n', "prose"),
    ("ruby", "# the wid|\n", "comment"),
    ("ruby", 'x = "the width of|"\n', "code"),
    ("lua", "  -- the wid|\n", "comment"),
    ("html", "<!-- the wid|", "code"),
    ("", "# the wid|\n", "code"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "text", "place"), PLACES)
def test_places(language: str, text: str, place: str) -> None:
    assert place_at(Document(text.replace("|", ""), None, language), text.index("|")) == place


@pytest.mark.parametrize(
    ("language", "opening", "place"),
    [
        ("python", '"""', "prose"),
        ("python", 'rb"""', "prose"),
        ("java", "/** ", "comment"),
        ("typescript", "/* ", "comment"),
    ],
)
@pytest.mark.parametrize("word", ["word\n", "it's (a word)\n"])
def test_a_long_docstring_or_comment_is_not_code(language: str, opening: str, place: str, word: str) -> None:
    """Also where no more than a part of it is parsed."""
    text = opening + word * (2 * BEFORE // len(word))
    assert place_at(Document(text, None, language), len(text)) == place


def test_a_long_text_is_read_around_the_cursor_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is parsed does not grow with the file, however long the string is that the cursor is in."""
    from guiderail.lsp import place

    sizes = []
    real = place.parse

    def parse(source: bytes, *rest: object) -> object:
        sizes.append(len(source))
        return real(source, *rest)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(place, "parse", parse)
    text = "x = 1\n" * 50_000 + 'y = "na"\n' + 'z = """\n' + "word\n" * 50_000
    for _ in range(5):  # what comes before is read bit by bit
        place_at(Document(text, None, "python"), text.index('na"') + 1)
        place_at(Document(text, None, "python"), len(text))
    assert len(sizes) > 2
    assert max(sizes) < 2 * BEFORE


@pytest.mark.parametrize(("opening", "expected"), [("'a b", "prose"), ("# a b", "comment")])
def test_what_takes_long_to_parse_is_told_by_the_lexer(
    monkeypatch: pytest.MonkeyPatch, opening: str, expected: str
) -> None:
    """After one try: this is asked at each key."""
    tried: list[float] = []

    def slow(_source: bytes, _language: str, seconds: float) -> NoReturn:
        tried.append(seconds)
        raise SlowTextError

    monkeypatch.setattr("guiderail.lsp.place.parse", slow)
    text = "x = [\n" * 50 + opening
    assert place_at(Document(text, language="python"), len(text)) == expected
    assert len(tried) == 1 and tried[0] <= 0.02
