"""A law of all patterns that see a person's text: none takes more than linear time, or it sees a bounded part only."""

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator

import pytest

import guiderail
from guiderail.monitors import enclosing_class, lex_state
from guiderail.text.languages.table import LEXICONS, MEMBERS

ROOMS = ("text", "prompt", "cache", "decoding", "monitors", "engine", "lsp", "projectfile")
# What is only ever given so many characters, by the names of patterns in modules.
BOUNDED = {
    "text.languages:end": 200,
    "text.languages.record:_NUMBER": 400,
    "text.languages:definable": 400,
    "monitors.arguments:_CALLEE": 200,
    "monitors.arguments:_TYPED_CALLEE": 200,
    "monitors.arguments:_NAMED": 200,
    "monitors.arguments:_OBJECT": 200,
    "monitors.arguments:_METHOD": 200,
    "monitors.arguments:_WORD": 200,
    "monitors.arguments:_OF_CLASS": 200,
    "monitors.cursor_context:_HALF_WORD": 400,
    "monitors.dereference:_CLASS_LIKE": 400,
    "monitors.dereference:_DOTTED": 400,
    "monitors.dereference:_UNSURE": 4000,
    "monitors.enums:_DOTTED": 300,
    "monitors.enums:_BARE": 300,
    "monitors.enums:_SWITCH": 300,
    "monitors.instantiation:_NEW": 120,
    "monitors.keys:_SUBSCRIPT": 200,
    "monitors.keys:_OWNER": 200,
    "monitors.enclosing_class:_bound": 500,
    "monitors.python.installed:_DISTRIBUTION": 255,
    "monitors.python.version:_BOUND": 200,
    "monitors.scope:_READ": 200,
    "monitors.typestate:_RECEIVER": 200,
    "prompt.ignore:_FILES": 255,
    "prompt.ignore:_FOLDERS": 255,
    "prompt.outline:_OWNER": 500,
    "prompt.secrets.regex:_PART": 400,
    "lsp.policy:_OFF": 4000,
}
# What is only ever tried at one place of a text: by `match` and `fullmatch`.
MATCHED = frozenset(
    {
        "monitors.analysis.json_reader:_BLANKS",
        "monitors.dereference:_DUNDER",
        "monitors.member_access:_TARGETS",
        "monitors.member_access:_WEB_TARGETS",
        "monitors.python.installed:_DISTRIBUTION",
        "text.languages:String",
        "monitors.parameters:_NAME",
        "monitors.parameters:_TYPED",
        "prompt.ignore:_FILES",
        "prompt.ignore:_FOLDERS",
        "prompt.secrets.rules:_LITERAL",
    }
)
LENGTH = 4000
SOON = 0.03  # seconds of this thread, above which it is looked at how the time grows
GROWTH = 8  # with four times the text: 4 is linear, 16 quadratic
HEADS = ("", "import ", "from ", "case ", "{", "new ", "a[", "a: ", "def f[", '"', "f(", "=/", "`${", "#", "switch (")
PUMPS = (
    "a", "1", "_", "é", " ", "\n", "\t", ".", "a.", "a ", "a\n", "(", ")", "([{", "[", "a[", "a](cls: ", "'", '"', "\\",
    '\\"x\\\n', "=", "a=", ":", "a:", ",", "a,", "<", "a<", "|", "self ", "self:", "self,", "for self ", "import ",
    "lambda ", "class a", "def ", "case ", "switch(", "if(", "else ", "from .", "__slots__:", "__dict__[", "`${", "=/[",
    "/*", "#", "{", "{}", "{a,", "new ", "-", "->", "\r", "a\\\n", "$", "export ", "R\"(", "...", "void|",
)  # fmt: skip
RUNS = ("a", " ", "\n", ".", "a,")  # after a beginning
ANCHORED = (r"\s*", r"([ \t]*)", r"[ \t]*", "^[^")
TAILS = ("", "!")


def _patterns() -> Iterator[tuple[str, re.Pattern]]:
    for room in ROOMS:
        module = importlib.import_module(f"guiderail.{room}")
        inside = pkgutil.walk_packages(getattr(module, "__path__", ()), f"{module.__name__}.")
        for name in (module.__name__, *(found.name for found in inside)):
            for key, value in vars(importlib.import_module(name)).items():
                if isinstance(value, re.Pattern):
                    yield f"{name.removeprefix('guiderail.')}:{key}", value
    for members in MEMBERS.values():
        for key in ("end", "skipped", "definable", "ambiguous"):
            if (pattern := getattr(members, key)) is not None:
                yield f"text.languages:{key}", pattern
    for language, lexicon in LEXICONS.items():
        yield "monitors.lex_state:_scanner", lex_state._scanner(language)
        for string in lexicon.strings:
            yield "text.languages:String", string.pattern
            if string.inner:
                yield "text.languages:String", re.compile(string.inner)
    yield "monitors.enclosing_class:_bound", enclosing_class._bound("self")


PATTERNS = sorted({(name, pattern.pattern, pattern.flags): (name, pattern) for name, pattern in _patterns()}.items())


def _seconds(pattern: re.Pattern, subject: str | bytes, matched: bool) -> float:
    """How long all matches take; of one that is only tried at one place, one.

    What takes too long anyway is not waited for.
    """
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode()
    began = time.thread_time()
    if matched or source.startswith(ANCHORED):
        pattern.match(subject)
    else:
        for _ in pattern.finditer(subject):
            if time.thread_time() - began > 20 * SOON:
                break
    return time.thread_time() - began


def _slow(pattern: re.Pattern, length: int, *, matched: bool = False) -> str:
    """A text of which all matches take too long, as its parts and the seconds; "" if there is none."""
    for head in HEADS:
        for pump in PUMPS if not head else RUNS:
            for tail in TAILS:
                subject, longer = (_text(pattern, head, pump, tail, size) for size in (length, 4 * length))
                if _seconds(pattern, subject, matched) < SOON:
                    continue
                taken, more = (min(_seconds(pattern, one, matched) for _ in range(4)) for one in (subject, longer))
                if more > GROWTH * taken:
                    return f"{(head, pump, tail)!r} takes {taken:.3f} s, four times as much {more:.3f} s"
    return ""


def _text(pattern: re.Pattern, head: str, pump: str, tail: str, length: int) -> str | bytes:
    text = (head + pump * (length // len(pump)))[:length] + tail
    return text.encode() if isinstance(pattern.pattern, bytes) else text


def test_there_are_patterns() -> None:
    assert guiderail.__file__
    assert len(PATTERNS) > 60
    assert {name for (name, *_), _ in PATTERNS} >= set(BOUNDED) | MATCHED


@pytest.mark.parametrize(("name", "pattern"), [found for _, found in PATTERNS], ids=[key[0] for key, _ in PATTERNS])
def test_patterns_take_linear_time_or_see_little(name: str, pattern: re.Pattern) -> None:
    assert not _slow(pattern, BOUNDED.get(name, LENGTH), matched=name in MATCHED), pattern.pattern


def test_the_law_finds_a_quadratic_pattern() -> None:
    assert _slow(re.compile(r"\w*\Z"), LENGTH)
