"""A law of everything that reads a person's text: no text, however odd, takes long or stops the others."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import pytest
from lsprotocol import types

from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.stops import stop_rule
from guiderail.engine.completion import Completion
from guiderail.engine.likelihood import Facts
from guiderail.engine.suggestion import Step, Suggestion, Timings
from guiderail.lsp import items
from guiderail.lsp.buffer import Buffer
from guiderail.lsp.configuration import read
from guiderail.lsp.cursor import LINE, cursor_at
from guiderail.lsp.policy import Policy
from guiderail.lsp.suggestion_cache import Candidate
from guiderail.lsp.suggestion_log import ShownItem
from guiderail.monitors.analysis.answers import Member, Members
from guiderail.monitors.change import Change
from guiderail.monitors.lex_cache import LexCache
from guiderail.monitors.lex_state import lex_state, unmatched_closers
from guiderail.monitors.monitors import LONGEST, Monitors
from guiderail.monitors.registry import BUILT_IN, chosen
from guiderail.monitors.verdict import breaks_syntax, completed
from guiderail.prompt.context import gather
from guiderail.prompt.definitions import Uses
from guiderail.prompt.outline import outline
from guiderail.prompt.window import choose_window
from guiderail.text.document import Document
from guiderail.text.fitting import FittedText, fit_text
from guiderail.text.syntax import SlowTextError, parse
from tests.lsp.fakes import BLANK, wish
from tests.monitors.snapshots import Told, snapshot
from tests.prompt.projects import write

SOON = 5.0  # seconds of this thread, on a busy machine; what these tests found took minutes
LONG = 200_000
TEXTS = {
    "words": "a" * LONG,
    "blanks": " " * LONG,
    "quotes": "\"'" * (LONG // 2),
    "escapes": '\\"x\\\n' * (LONG // 5),
    "dots": "." * LONG,
    "members": "self." * (LONG // 5),
    "commas": "self, " * (LONG // 6),
    "colons": "self:" * (LONG // 5),
    "loops": "for self " * (LONG // 9),
    "types": "a<" * (LONG // 2),
    "pattern": "=/[" * (LONG // 3),
    "template": "`${" * (LONG // 3),
    "mixed": "äß€😀x " * (LONG // 6),
    "opening": "(" * 100_000,
    "each_on_its_line": "{\n" * 100_000,
    "nested": "x = " + "[" * 100_000 + "]" * 100_000,
    "blocks": "{" * 50_000 + "}" * 50_000,
    "numbers": "x = [" + "1, " * 20_000 + "]",
    "constant": "x = '" + "a" * 60_000 + "'",
    "short_lines": "a\n" * 500_000,
    "deep": "".join(" " * depth + "if x:\n" for depth in range(600)),
    "classes": "class A(" + "B, " * 30_000 + "C):\n" + "class B: pass\n" * 3000 + "    def f(self):\n        ",
    "cases": "case " * (LONG // 5),
    "imports": "import a, " * (LONG // 10),
    "holes": 'x = f"' + "{" * LONG,
    "formats": 'x = f"""{' + "a#" * (LONG // 2),
    "values": 'x = f"' + "{a!r:{b}}" * (LONG // 9),
}
EACH = ("words", "members", "opening")  # of which all ends and all languages are tried
# What is to a monitor and a lexer as one of the others is; the rest of the server sees them all the same.
ALIKE = ("escapes", "dots", "colons", "loops", "mixed", "blocks", "short_lines", "deep", "imports")
ENDS = {
    "dereference": ("self.", "x.", "a<b."),
    "arguments": ("f(", "f<a>("),
    "imports": ("\nfrom x import ", "\nimport ", "\nfrom " + "." * 1000),
    "instantiation": ("new ",),
    "enums": ("\n    case A.", "\nswitch (x) { case A: case "),
    "keys": ("d['", "x({ a, ", "d.get('"),
    "typestate": ("x.",),
    "operators": ("\n    return x ",),
    "scope": ("\n    return ",),
}  # fmt: skip


@contextmanager
def soon(what: object = "") -> Iterator[None]:
    """Fail if it takes longer than `SOON`, measured on the processor: the machine may be busy."""
    began = time.thread_time()
    yield
    taken = time.thread_time() - began
    assert taken < SOON, (what, taken)


@pytest.mark.parametrize("name", [name for name in TEXTS if name not in ALIKE])
@pytest.mark.parametrize("monitor", BUILT_IN)
def test_no_monitor_takes_long(monitor: str, name: str, tmp_path: Path) -> None:
    (one,) = chosen(monitor)
    answers = Members((Member("a", 5, "int"), Member("b", 20, "Literal[A.b]")), True)
    for language in sorted({"python", "typescript"} & set(one.languages)):
        for end in ENDS[monitor] if name in EACH else ENDS[monitor][:1]:
            with soon((language, end)):
                here = snapshot(TEXTS[name] + end, ")\n" + TEXTS[name][:1000], language, root=tmp_path)
                trigger = one.trigger(here)
                if trigger is not None and monitor in ("dereference", "enums", "scope", "instantiation"):
                    trigger.interpret(answers)
                elif trigger is not None and monitor == "keys":
                    trigger.interpret((answers, "dict[str, int]") if language == "python" else answers)


@pytest.mark.parametrize("name", [name for name in TEXTS if name not in ALIKE] + ["escapes"])
@pytest.mark.parametrize("language", ["python", "java", "cpp", "csharp", "go", "rust", "typescript"])
def test_brackets_and_strings_are_found_soon(language: str, name: str) -> None:
    text = TEXTS[name]
    with soon():
        lex_state(text, language)
        unmatched_closers(text, language)


@pytest.mark.parametrize("name", TEXTS)
def test_a_place_is_found_soon_as_the_text_grows(name: str) -> None:
    text, standing = TEXTS[name], LexCache("python")
    standing.state(text)
    with soon():
        for end in range(len(text) - 10, len(text) + 1):
            standing.state(text[:end])


@pytest.mark.parametrize("name", TEXTS)
def test_the_verdict_outline_and_window_are_found_soon(name: str) -> None:
    text = TEXTS[name]
    for language in ("python", "typescript", "java") if name in EACH else ("python",):
        document = Document(text, language=language)
        change = Change(len(text), len(text), "x")
        with soon(language):
            shown = completed(document, change)
        began = time.thread_time()
        breaks_syntax(document, change, shown or text)  # two trees, of which each is given up after a second
        assert time.thread_time() - began < 2 * SOON
        with soon(language):
            outline(text, language)
        with soon(language):
            Uses(document, len(text)).members("self")
            choose_window(document, len(text) // 2, typed=0, budget=500, count=lambda t: len(t) // 4, with_suffix=True)


def test_of_a_line_without_end_what_is_near_the_cursor_counts() -> None:
    """All words of a line of 10 MB took seconds, at each key."""
    text = " ".join(f"w{number}" for number in range(1_200_000))
    for offset, near, far in ((len(text), "w1199990", "w5"), (0, "w5", "w1199990")):
        uses = Uses(Document(text), offset)
        assert (uses.score(near), uses.score(far)) == (1.0, 0.0)
    assert not Uses(Document(f"x\n{text}"), 0).score("w1199990")


def test_nobody_is_asked_about_a_text_of_megabytes(tmp_path: Path) -> None:
    """Where its end stands is found in seconds, in which no other document of any client has suggestions."""
    told = Told(lambda _: Members((), True))
    monitors = Monitors(Vocabulary([bytes([byte]) for byte in range(256)]), told)
    for length, asked in ((LONGEST, True), (LONGEST + 1, False)):
        document = Document("x".rjust(length), tmp_path / "a.py", "python")
        assert (monitors.watch(document, length, tmp_path) is not None) is asked


@pytest.mark.parametrize("name", TEXTS)
def test_context_is_gathered_soon(name: str, tmp_path: Path) -> None:
    write(tmp_path, {"other.py": TEXTS[name][:400_000], "main.py": ""})
    (tmp_path / "go.mod").write_text("\n" * 300_000)
    document = Document(f"from other import *\nimport other\n{TEXTS[name]}", tmp_path / "main.py", "python")
    with soon():
        gather(document, len(document.text), tmp_path, budget=500, count=lambda text: len(text) // 4, seconds=0.2)


@pytest.mark.parametrize("name", TEXTS)
def test_the_server_takes_edits_and_makes_items_soon(name: str, tmp_path: Path) -> None:
    policy = Policy(read({}, {}, {}, None), [tmp_path])
    with soon():
        buffer = Buffer((tmp_path / "a.py").as_uri(), "python", TEXTS[name], 1, "utf-16")
        for _ in range(10):
            at = buffer.position(len(buffer.text))
            buffer.apply([types.TextDocumentContentChangePartial(types.Range(at, at), "x")])
        policy.disabled_reason(buffer)
        found = cursor_at(buffer, buffer.position(len(buffer.text)))
        assert found is not None
        items.menu_item(found, ShownItem("1", Candidate(BLANK, Completion([])), FittedText("x"), wish(""), 0.0))
        for text in ("foo()", 'y")'):
            fit_text(text, found.before[-LINE:], found.rest)
        for until in ("line", "block"):
            stop_rule(until, found.before).end("x\ny")


def test_a_parser_that_takes_long_lets_others_run_and_is_given_up() -> None:
    beats, done = [time.monotonic()], Event()

    def beat() -> None:
        while not done.wait(0.002):
            beats.append(time.monotonic())

    thread = Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(SlowTextError):
            parse(b"a\n" * 500_000, "java", 1.0)
    finally:
        done.set()
        thread.join()
    gaps = sorted(second - first for first, second in pairwise(beats))
    assert gaps[-1] < 1.0, "others waited for the parser"
    assert gaps[len(gaps) * 9 // 10] < 0.1


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("text", ["foo()", 'y")', ")" * 100])
def test_a_suggestion_is_fitted_into_a_long_line_soon(name: str, text: str) -> None:
    """Whether the line is long before the cursor or after it: a string of 20,000 braces took 18 s."""
    with soon():
        fit_text(text, f'f("{TEXTS[name]}', '")')
        fit_text(text, 'f("', f'"){TEXTS[name]}')
        fit_text(text, "f(" * 100, f"({TEXTS[name]}))")


@pytest.mark.parametrize("line", ["a" * LONG + "(", "x = '" + "a" * LONG + "' + ", "." * LONG, " " * LONG + "x."])
def test_how_likely_a_text_is_is_known_soon(line: str) -> None:
    """Held by one search of a long line for the half-typed word, the whole server stood still for minutes."""
    timings = Timings(1, 1, 0, 0, 0, 0)
    one = Suggestion(
        "f(a)", len(line), len(line), -1, (1, 2), "line", "psm", timings, steps=(Step(2, -1.0), Step(4, -1.0))
    )
    with soon():
        Facts(Document(line, Path("a.py"), "python"), one).of(4)


def test_halves_of_characters_are_counted_soon() -> None:
    """A file in another encoding may hold thousands, and columns are counted at each key."""
    buffer = Buffer("untitled:1", "python", "\ud83d" * LONG, 1, "utf-16")
    with soon():
        for count in range(20):
            at = types.Position(0, LONG + count)
            buffer.apply([types.TextDocumentContentChangePartial(types.Range(at, at), "x")])
            assert buffer.position(len(buffer.text)) == types.Position(0, LONG + count + 1)
    assert buffer.document.text == "\ufffd" * LONG + "x" * 20
