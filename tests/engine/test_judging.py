"""Which suggestions are shown once their verdicts are known."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.choices import VerdictUse
from guiderail.decoding.method import Finish
from guiderail.engine.judging import Judge
from guiderail.engine.suggestion import Suggestion, Timings
from guiderail.engine.whole_statements import ends_whole
from guiderail.monitors.change import Change
from guiderail.monitors.error_kinds import is_sure
from guiderail.monitors.report import MonitorReport, TriggerOutcome
from guiderail.monitors.verdict import Inspector, lacks_member, syntax_of
from guiderail.text.document import Document
from tests.helpers.diagnostics import Told, diagnostic, finds

BEFORE = "import os\n\n\ndef size(path):\n    "
AFTER = "\n\n\nprint(size('a'))\n"
PYTHON = Document(BEFORE + AFTER, Path("app.py"), "python")
PLAIN = Document(BEFORE + AFTER, language="text")  # which has no syntax of its own
WORDS = ("return", " ", "path", "(", ")", "=", ".", "1", "\n    ", "if", ":", "'")
TIMINGS = Timings(1, 0, 0.0, 0.0, 0.0, 0.0)


def suggestion(text: str, finish: Finish = "line", covers: int = 0) -> Suggestion:
    return Suggestion(text, len(BEFORE), len(BEFORE) + covers, 0.0, (), finish, "psm", TIMINGS)


def judged(
    texts: list[str], use: VerdictUse, inspector: Inspector | None, document: Document = PLAIN, finish: Finish = "line"
) -> tuple[list[str], list[str]]:
    """The texts that are shown, and those that are dropped."""
    found = [suggestion(text, finish) for text in texts]
    shown, dropped = Judge(document, None, use, inspector).judge(found)
    return [one.text for one in shown], [one.text for one in dropped]


def wrong(text: str, code: str = "some-kind") -> Inspector:
    """Finds an error of a kind in files with a text."""
    return Inspector(Told(lambda shown: [diagnostic("no", code=code)] if BEFORE + text in shown else []), 5.0)


@pytest.mark.parametrize("use", ["sure", "mark"])
def test_what_brings_errors_comes_last(use: VerdictUse) -> None:
    """The others keep their order, and no text changes."""
    assert judged(["a", "b", "c"], use, wrong("a")) == (["b", "c", "a"], [])


def test_errors_of_sure_kinds_are_left_out() -> None:
    """And with `drop` those of all kinds."""
    sure = "unknown-name"
    assert is_sure(sure)
    assert judged(["a", "b"], "sure", wrong("a", sure)) == (["b"], ["a"])
    assert judged(["a", "b"], "mark", wrong("a", sure)) == (["b", "a"], [])
    assert judged(["a", "b"], "drop", wrong("a")) == (["b"], ["a"])


@pytest.mark.parametrize("use", ["sure", "mark", "drop"])
def test_what_is_unknown_stays_where_it_is(use: VerdictUse) -> None:
    """A text that was cut, or an analyser that does not answer, changes nothing."""
    assert judged(["a", "b"], use, wrong("a"), finish="length") == (["a", "b"], [])
    assert judged(["a", "b"], use, Inspector(Told(lambda _: None), 0.01)) == (["a", "b"], [])
    assert judged(["return (", "b"], use, None, PYTHON, finish="length") == (["return (", "b"], [])


def test_off_and_a_cancelled_request_ask_nobody() -> None:
    told = finds("a")
    assert judged(["a"], "off", Inspector(told, 5.0)) == (["a"], [])
    found = [suggestion("a")]
    assert Judge(PLAIN, None, "drop", Inspector(told, 5.0)).judge(found, lambda: True) == (found, [])
    assert told.shown == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("return os.stat(path))", "return os.stat(path)"),
        ("return path path", "return path"),
        ("x = = 1", "x"),
        ("return os.stat(path)", "return os.stat(path)"),
        ("return os.stat(", "return os.stat("),  # it may go on in the next line
        ("if path:", "if path:"),
    ],
)
def test_of_a_text_with_a_syntax_error_its_longest_right_beginning_is_shown(text: str, shown: str) -> None:
    """Whether somebody can be asked or not; `mark` shows it as it is."""
    for inspector in (None, wrong("nothing")):
        assert judged([text], "sure", inspector, PYTHON) == ([shown], [])
    assert judged([text], "mark", None, PYTHON) == ([text], [])


@pytest.mark.parametrize(
    "text",
    [
        "@property",
        "@app.route('/x')",
        "match path:",
        "with open(path) as f, \\",
        "x = path + \\",
        "async def go():",
        "try:",
        "for x in y:",
    ],
)
def test_what_is_right_with_its_next_line_alone_is_shown(text: str) -> None:
    """A decorator needs a function, a match a case; neither is there yet."""
    assert judged([text], "sure", None, PYTHON) == ([text], [])


@pytest.mark.parametrize(
    ("language", "text"),
    [("java", "int x = a"), ("java", "@Override"), ("c", "return x"), ("c", "int main(void)"), ("rust", "let x = a")],
)
def test_elsewhere_the_syntax_alone_leaves_nothing_out(language: str, text: str) -> None:
    """A statement without its semicolon is right with it, which the person writes."""
    assert judged([text], "sure", None, Document("\n" * len(BEFORE), language=language)) == ([text], [])


@pytest.mark.parametrize(
    ("language", "before", "text", "after", "shown"),
    [
        ("go", "package a\n\nfunc f() {\n\tx := ", "g(a b)", "\n}\n", ["g"]),
        ("go", "package a\n\nfunc f() {\n\tx := g(", "a b)", "\n}\n", ["a"]),
        ("go", "package a\n\nfunc f() {\n\tx := ", "1 = 2", "\n}\n", ["1"]),
        ("go", "package a\n\nfunc f() {\n\t", "if err != nil {", "\n}\n", ["if err != nil {"]),
        ("java", "class A {\n    int f() {\n        return ", "a b;", "\n    }\n}\n", ["a"]),
        ("java", "class A {\r\n    int f() {\r\n        return ", "a b;", "\r\n    }\r\n}\r\n", ["a"]),
        ("java", "class A {\n    int f() {\n        ", "return g(a,", "\n    }\n}\n", ["return g(a,"]),
        ("typescript", "const é = { a: 1, ", "b: 2 c: 3", "\n};\n", ["b: 2"]),
        ("typescript", "f(() => {\n  a();\n", "  b();\n}})", "\n});\n", ["  b();\n"]),
        ("typescript", "const x = ", "= 1", ";\n", []),
        ("typescript", "const x = ", "a +", ";\n", ["a"]),
        ("typescript", "const x = ", "a", "; ; = b\n", ["a"]),
        ("typescriptreact", "const A = () => <ul>{", "a b", "}</ul>;\n", ["a"]),
        ("c", "int f(void) {\n    int x = ", "a b;", "\n}\n", ["a"]),
        ("cpp", "class A {\n    int x", " y;", "\n};\n", []),
        ("rust", "fn f() {\n    let x = ", "a b", ";\n}\n", ["a"]),
        ("javascript", "if (a) {\n  b();\n", "}\n}", "\nc();\n}\n", []),
        ("python", "x = f(", "a b)", "\n", ["a"]),
        ("python", "x = f(a, ", "b=1 c=2)", "\n", ["b=1"]),
    ],
)
def test_no_syntax_error_is_shown_in_any_language(
    language: str, before: str, text: str, after: str, shown: list[str]
) -> None:
    """What comes before it is, if that ends something; what only goes on in the next line is no error."""
    found = placed(before, text, after, language)[0]
    assert [one.rstrip() for one in found] == [one.rstrip() for one in shown]


@pytest.mark.parametrize("text", ["a b", "a b c", "= a"])
def test_a_text_that_was_cut_is_shown_without_what_no_end_could_make_right(text: str) -> None:
    """Its last word may be the half of another one."""
    shown = placed("package a\n\nfunc f() {\n\tx := g(", text, "\n}\n", "go", finish="length")[0]
    assert shown == {"a b": ["a b"], "a b c": ["a"], "= a": []}[text]


def test_where_the_text_before_is_wrong_nothing_is_said() -> None:
    """Nobody knows how it is to go on."""
    assert placed("package a\n\nfunc f( {{\n\tx := g(", "a b", "\n}\n", "go")[0] == ["a b"]


def test_of_a_block_what_comes_before_its_first_error_is_shown() -> None:
    """However much that is right comes after it."""
    lines = ["first = 1", "second = = 2", *(f"line_{number} = path" for number in range(30))]
    assert judged(["\n    ".join(lines)], "sure", None, PYTHON) == (["first = 1\n    second"], [])


def test_texts_that_are_cut_to_the_same_are_one() -> None:
    assert judged(["return path", "return path path", "return path a"], "sure", None, PYTHON) == (["return path"], [])


def test_what_was_to_replace_text_after_the_cursor_stays_beside_it_when_cut() -> None:
    """Of `foo(|)`, continued by `path path)`, the bracket after the cursor is kept."""
    document = Document("foo()\n", Path("app.py"), "python")
    one = Suggestion("path path)", 4, 5, 0.0, (), "line", "psm", TIMINGS)
    (shown,), dropped = Judge(document, None, "sure", None).judge([one])
    assert (shown.text, shown.start, shown.end, dropped) == ("path", 4, 4, [])


def test_what_cannot_be_cut_in_time_is_dropped() -> None:
    """No request waits for it."""
    found = [suggestion("return path path")]
    assert Judge(PYTHON, None, "sure", None, cut_s=-1).judge(found)[0] == []
    assert Judge(PYTHON, None, "sure", None).judge(found)[0] != []


def test_judging_ends_with_the_request() -> None:
    """Between two looks at a text, and then nothing of it is shown."""
    asked: list[None] = []

    def cancelled() -> bool:
        asked.append(None)
        return len(asked) > 1

    assert Judge(PYTHON, None, "sure", None).judge([suggestion("return path path")], cancelled)[0] == []


def test_a_text_without_a_right_beginning_is_dropped() -> None:
    assert judged([") = 1"], "sure", None, PYTHON) == ([], [") = 1"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("path = os.", ["path = os"]),
        ("path = os. ", ["path = os"]),
        ("print(os.", ["print"]),
        ("(os.", []),
        ("x = 1.", ["x = 1."]),
        ("...", ["..."]),
        ('"""The end.', ['"""The end.']),
        ("# the end.", ["# the end."]),
    ],
)
def test_nothing_ends_before_a_members_name(text: str, shown: list[str]) -> None:
    """But where the name is there already, after the cursor."""
    assert judged([text], "sure", None, PYTHON)[0] == shown
    named = Document(BEFORE + "stat(path)" + AFTER, Path("app.py"), "python")
    assert judged(["os."], "sure", None, named) == (["os."], [])


def test_a_loop_that_ends_in_the_midst_of_brackets_is_cut_or_dropped() -> None:
    """A line may go on in the next one; what goes round in circles leads nowhere."""
    assert judged(["x = f(f(f("], "sure", None, PYTHON, "line") == (["x = f(f(f("], [])
    assert judged(["x = f(f(f("], "sure", None, PYTHON, "loop") == (["x = f"], [])
    assert judged(["(f((f("], "sure", None, PYTHON, "loop") == ([], ["(f((f("])
    inside = Document('def f():\n    """Do ', Path("app.py"), "python")
    one = Suggestion("this (this (this ", len(inside.text), len(inside.text), 0.0, (), "loop", "psm", TIMINGS)
    assert Judge(inside, None, "sure", None).judge([one]) == ([one], [])


@given(st.lists(st.sampled_from(WORDS), max_size=8))
def test_nothing_with_a_syntax_error_is_shown(words: list[str]) -> None:
    """Whatever is written; what is shown is a beginning of it.

    It is all of it where that is right to its end, and ends with a whole statement or in its first line.
    """
    text = "".join(words)
    shown, dropped = judged([text], "sure", None, PYTHON)
    assert len(shown) + len(dropped) == 1
    for one in shown:
        assert text.startswith(one)
        assert syntax_of(PYTHON, Change(len(BEFORE), len(BEFORE), one)) != "wrong"
    change = Change(len(BEFORE), len(BEFORE), text)
    if (
        syntax_of(PYTHON, change) != "wrong"
        and not lacks_member(PYTHON, change)
        and ends_whole(PYTHON, suggestion(text))
    ):
        assert shown == [text]


def placed(before: str, text: str, after: str, language: str = "python", **more: object) -> tuple[list[str], list[str]]:
    """What becomes of a text between others: what is shown, and why something is dropped."""
    document = Document(before + after, Path("app"), language)
    one = replace(suggestion(text), start=len(before), end=len(before), written=text, **more)
    shown, dropped = Judge(document, None, "sure", None).judge([one])
    return [one.text for one in shown], [str(one.verdict) for one in dropped]


@pytest.mark.parametrize(
    ("language", "before", "text", "after", "shown"),
    [
        ("python", "x = f(a", ", (b", ")\n", []),
        ("python", "x = f(", "a, g(b", ")\n", ["a, g"]),
        ("go", "x := f(", "a, g(b", ")\n", ["a, g"]),
        ("java", "f(a[", "i], b[j", "]);\n", ["i], b[j"]),
        ("java", "int x = f(", "a));", ");\n", ["a"]),
        ("typescript", "log(`a ${", "b} ${c", "}`);\n", ["b} ${c"]),
        ("go", "x := ", "y // half", " + 2\n", ["y"]),
        ("go", "x := f(", "a, g(b)", ")\n", ["a, g(b)"]),
        ("python", "x = ", "f(", "a,\n      b)\n", ["f("]),  # the next line closes it
        ("go", "x := ", "f(", "\n", ["f("]),  # so may what the person writes
        ("go", "f(", '"a', ")\n", []),
    ],
)
def test_brackets_and_quotes_go_with_the_rest_of_the_line(
    language: str, before: str, text: str, after: str, shown: list[str]
) -> None:
    """In every language; the longest beginning that does is shown."""
    assert placed(before, text, after, language)[0] == shown


@pytest.mark.parametrize(
    ("before", "text", "after", "shown"),
    [
        ("items.app", "end", "end(3)", []),
        ("items.", "extend(4)", "append(3)", []),
        ("total_", "pri", "ce = 1\nprint(total_price)", ["pri"]),  # a word of the file
        ("x = ", "foo", "bar", []),
        ("x = 'a ", "foo)", "bar'", ["foo)"]),
    ],
)
def test_nothing_runs_into_the_word_after_it(before: str, text: str, after: str, shown: list[str]) -> None:
    for language in ("python", "go"):
        assert placed(before, text, after, language)[0] == shown


def test_a_copy_of_a_line_beside_is_no_suggestion() -> None:
    """Unless the person has typed the half of it, or it is short."""
    line = "logger.info('started')"
    assert placed(f"{line}\n", line, "\n") == ([], ["new errors: it copies the line above"])
    assert placed(f"{line}\n\nlog", line[3:], "\n") == ([], ["new errors: it copies the line above"])
    assert placed("", line, f"\n\n{line}\n") == ([], ["new errors: it copies the line below"])
    assert placed(f"{line}\n{line[:14]}", line[14:], "\n") == ([line[14:]], [])
    assert placed("pass\n", "pass", "\n") == (["pass"], [])
    assert placed(f"{line}\n", line.replace("ed", "ing"), "\n") == ([line.replace("ed", "ing")], [])


def test_what_only_repeats_what_follows_is_said_to() -> None:
    document = Document("foo()\n", language="python")
    one = Suggestion("", 0, 0, 0.0, (), "line", "psm", TIMINGS, written="foo()")
    assert [str(one.verdict) for one in Judge(document, None, "sure", None).judge([one])[1]] == [
        "new errors: it only repeats what follows"
    ]


def test_no_member_is_invented_where_none_begins_with_what_is_typed() -> None:
    """If the analyser is trusted to know them."""
    report = MonitorReport("pyrefly", [TriggerOutcome("dereference", "os.", abstained="no such name")])
    why = ["new errors: no member begins with what is typed"]
    assert placed("os.func", "tion()", "\n", monitored=report) == ([], why)
    late = MonitorReport("pyrefly", [TriggerOutcome("dereference", "os.", abstained="late")])
    assert placed("os.func", "tion()", "\n", monitored=late) == (["tion()"], [])


def found_after(word: str, code: str) -> Inspector:
    """Finds an error of a kind at a word."""
    return Inspector(
        Told(lambda text: [diagnostic("no", code=code, start=text.index(word))] if word in text else []), 5.0
    )


def test_of_a_text_with_an_error_what_comes_before_it_is_shown() -> None:
    """If that is found to be clean; a second look finds it out."""
    inspector = found_after("missing", "unknown-name")
    assert judged(["return path + missing"], "sure", inspector, PYTHON) == (["return path"], ["return path + missing"])
    assert judged(["missing + path"], "sure", inspector, PYTHON) == ([], ["missing + path"])
    assert judged(["return path + missing"], "sure", found_after("return", "unknown-name"), PYTHON)[0] == []


def test_another_text_takes_the_place_of_one_that_is_left_out() -> None:
    """Those that were written beyond what is wanted, before those with errors that may be none."""
    found = [suggestion(text) for text in ("a", "b", "c")]
    judge = Judge(PLAIN, None, "sure", wrong("a", "unknown-name"), wanted=1)
    assert [[one.text for one in each] for each in judge.judge(found)] == [["b"], ["a"]]
    assert [one.text for one in Judge(PLAIN, None, "sure", wrong("a"), wanted=1).judge(found)[0]] == ["b"]
    assert [one.text for one in Judge(PLAIN, None, "mark", wrong("a"), wanted=1).judge(found)[0]] == ["a"]
    assert [one.text for one in Judge(PLAIN, None, "off", None, wanted=2).judge(found)[0]] == ["a", "b"]
