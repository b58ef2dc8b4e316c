"""Verdicts, with an analyser whose diagnostics are given, and with a real one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.monitors.analysis.answers import NoAnswer
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.monitors.analysis.servers import choose
from guiderail.monitors.change import Change
from guiderail.monitors.verdict import Inspector, Verdict, new_errors
from guiderail.text.document import Document
from tests.helpers.diagnostics import Told, diagnostic, finds

SOURCE = "import os\n\n\ndef size(path):\n    return \n\n\nsize(os)\n"
AT = SOURCE.index("return ") + len("return ")


class Nobody:
    """No analyser for any language."""

    def get(self, language: str, folder: Path) -> None:
        """Have none."""


def verdict(text: str, analysers=None, source: str = SOURCE, at: int = AT, **how) -> Verdict:
    inspector = Inspector(analysers or finds("wrong"), how.pop("deadline_s", 5.0))
    document = Document(source, language=how.pop("language", "python"))
    (found,) = inspector.inspect(document, [Change(at, at, text, how.pop("finished", True))], **how)
    return found


def test_an_error_that_was_not_there_is_told() -> None:
    """The message of the new error is repeated; without one the text is clean."""
    assert verdict("os.wrong").errors == ("wrong",)
    assert verdict("os.wrong").state == "errors"
    assert verdict("os.sep").state == "clean"


def test_errors_that_were_there_do_not_count() -> None:
    """Neither one that the text moves, nor warnings; a second one of the same kind does."""
    source = SOURCE + "os.wrong\n"
    assert verdict("os.sep", source=source).state == "clean"
    assert verdict("os.wrong", source=source).errors == ("wrong",)
    assert verdict("x", Told(lambda _: [diagnostic("mind", "warning")])).state == "clean"


def test_what_was_there_is_asked_for_only_if_there_are_errors() -> None:
    """A clean text costs one question."""
    told = finds("wrong")
    verdict("os.sep", told)
    assert len(told.shown) == 1
    verdict("os.wrong", told)
    assert told.shown[2:] == [SOURCE.replace("return ", "pass"), SOURCE]


@pytest.mark.parametrize(
    ("analysers", "reason"),
    [
        (Told(lambda _: None), "late"),
        (Told(lambda _: NoAnswer("died")), "no answer: died"),
        (Nobody(), "no analyser"),
    ],
)
def test_what_is_not_known_is_called_unknown(analysers, reason: str) -> None:
    """With the reason, and never as clean."""
    found = verdict("x", analysers, deadline_s=0.02)
    assert (found.state, found.reason) == ("unknown", reason)


def test_a_cancelled_request_waits_no_longer() -> None:
    """However long the deadline is."""
    assert verdict("x", Told(lambda _: None), deadline_s=3600.0, cancelled=lambda: True).reason == "late"


@pytest.mark.parametrize("text", ["size(", "[1,", '"""a', "'''", "{"])
def test_what_goes_on_in_the_next_line_is_no_error(text: str) -> None:
    """A bracket or a string that is still open says nothing yet, and nor does a text that was cut."""
    assert verdict(text).reason == "unfinished"
    assert verdict("x", finished=False).reason == "unfinished"


@pytest.mark.parametrize("text", ["x)", "x y", "1 +", "size(os]", "def"])
def test_broken_syntax_is_an_error_without_an_analyser(text: str) -> None:
    """The syntax tree alone tells."""
    assert verdict(text, Nobody()).errors == ("syntax error",)


@pytest.mark.parametrize("text", ["x  # y", "x  # (", "'('", "size(os)", "[x for x in y]"])
def test_right_syntax_is_none(text: str) -> None:
    assert verdict(text).state == "clean"


def test_errors_of_syntax_elsewhere_are_not_those_of_the_text() -> None:
    """A file that is broken somewhere else is judged by what the text adds."""
    assert verdict("x", source=SOURCE + "def (:\n").state == "clean"
    assert verdict("x)", source=SOURCE + "def (:\n").state == "errors"


def test_other_languages_have_syntax_too() -> None:
    source = "class A { int f() { return ; } }\n"
    at = source.index("return ") + len("return ")
    assert verdict("1", Nobody(), source, at, language="java").reason == "no analyser"
    assert verdict("1 1", Nobody(), source, at, language="java").state == "errors"


def test_a_block_that_is_opened_gets_a_body() -> None:
    """A line that ends with a colon is judged as if something stood below it; what stands there already stays."""
    source, told = "def f(x):\n    \n", finds("wrong")
    at = source.index("\n", 10)
    assert verdict("if x:", told, source, at).state == "clean"
    assert told.shown == ["def f(x):\n    if x:\n        ...\n"]
    source = "def f(x):\n    \n        return x\n"
    told.shown.clear()
    assert verdict("if x:", told, source, at).state == "clean"
    assert told.shown == ["def f(x):\n    if x:\n        return x\n"]


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_new_errors_are_the_difference_of_multisets(having: list[str], before: list[str]) -> None:
    found = new_errors(list(map(diagnostic, having)), list(map(diagnostic, before)))
    messages = [one.message for one in found]
    assert all(messages.count(word) == max(0, having.count(word) - before.count(word)) for word in "abc")


def test_errors_in_words_are_compared_as_they_are() -> None:
    """Those of compilers, which the evaluation compares."""
    assert new_errors(["a", "b", "a"], ["a", "c"]) == ["b", "a"]


@pytest.mark.e2e
@pytest.mark.parametrize("analyser", ["pyrefly", "ty"])
def test_a_real_analyser_tells_what_does_not_exist(tmp_path: Path, analyser: str) -> None:
    """A name that a module has not is an error, one that it has is clean, in a project without any settings."""
    if choose("python", analyser) is None:
        pytest.skip(f"{analyser} is not installed")
    path = tmp_path / "a.py"
    path.write_text(SOURCE)
    document, pool = Document(SOURCE, path, "python"), ServerPool(analyser, trust="always")
    try:
        changes = [Change(AT, AT, text) for text in ("os.getcwd()", "os.gotcwd()", "len(1)")]
        found = Inspector(pool, 60.0).inspect(document, changes, tmp_path)
    finally:
        pool.stop()
    assert [one.state for one in found] == ["clean", "errors", "errors"]
    assert "gotcwd" in found[1].errors[0]


BROKEN, OLD = "import os\nold()\nx = os.\n", diagnostic("old")


@pytest.mark.parametrize(
    "source", [BROKEN, BROKEN.replace("\n", "\r\n"), BROKEN.replace("x = os.", "if os.:\n    pass")]
)
def test_an_error_that_the_half_line_hides_is_an_old_one(source: str) -> None:
    """The file is also compared with the line left out: while that is no statement, analysers miss errors elsewhere."""
    at = source.rindex("os.") + 3
    told = Told(lambda text: () if "os.\n" in text.replace("\r", "").replace("os.:", "os.\n") else (OLD,))
    assert verdict("sep", told, source, at).state == "clean"


def test_an_error_that_the_line_has_already_is_an_old_one() -> None:
    """It is compared with the line as it is, too."""
    source = "import os\nx = lacking()\n"
    told = Told(lambda text: (OLD,) if "lacking" in text else ())
    assert verdict(" or 1", told, source, source.index("\n", 12)).state == "clean"


def test_a_second_error_of_a_kind_is_new() -> None:
    """What is found in both comparisons was there once."""
    told = Told(lambda text: (OLD, OLD) if "sep" in text else (OLD,))
    assert verdict("sep", told, BROKEN, BROKEN.rindex("os.") + 3).state == "errors"
