"""The verdict on a suggestion: the errors that it adds to the file.

Monitors check one name at a time, while it is written. When the text is complete, its syntax is checked and the
analyser is asked once more, for the errors of the file. The answer is awaited up to a deadline; after that the verdict
is unknown.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from guiderail.monitors.analysis.analyser import Analyser
from guiderail.monitors.analysis.answers import Diagnostic, NoAnswer
from guiderail.monitors.analysis.pool import Analysers, analyser_of, folder_of, overlooks
from guiderail.monitors.analysis.requests import DIAGNOSTICS, Question
from guiderail.monitors.analysis.server import whole
from guiderail.monitors.change import Change
from guiderail.monitors.lex_cache import lex_cache
from guiderail.monitors.lex_state import unmatched_closers
from guiderail.monitors.refused import refused_at
from guiderail.text.document import Document
from guiderail.text.languages.table import LEXICONS, MEMBERS, PYTHON_STATEMENTS
from guiderail.text.syntax import PARSE_S, SlowTextError, has_grammar, parse, parsed

if TYPE_CHECKING:
    from tree_sitter import Node

E = TypeVar("E", bound=Hashable)
State = Literal["clean", "errors", "unknown"]
SYNTAX_ERROR = "syntax"
LONGEST_OPERATOR = 8  # characters: of a member operator, and more than it
COUNTED = 6  # texts whose errors of syntax are known
LATE = "late"  # the reason of a verdict that did not come in time
POLL_S = 0.01  # how often a waiting request looks whether it was cancelled
_OPENS_BLOCK = re.compile(
    r"\s*(?:if|elif|else|for|while|try|except|finally|with|def|class|match|case|async)\b[^\n]*:\s*(?:#[^\n]*)?$"
)

_CONTINUES = re.compile(r"[ \t]*(?:el(?:se|if)|except|finally|case|def|class|async|match)\b")
_QUOTES = frozenset("\"'`")
_NEXT_LINE = re.compile(r"(?<=\n)[^\S\n]*+\S[^\n]*+")  # that is not blank


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a text adds errors to its file, as far as is known.

    Parameters
    ----------
    state
        Whether it brings errors.
    errors
        Those that it brings, as the analyser words them.
    kinds
        The analyser's name of the kind of each; `SYNTAX_ERROR` for one of syntax.
    reason
        Why nothing is known, if it is not; of what is left out without an error, why.
    wait_s
        How long the request waited for this and the other verdicts given with it.
    at
        Where in the text the first of the errors begins; 0 where that is not known.
    """

    state: State
    errors: tuple[str, ...] = ()
    reason: str = ""
    wait_s: float = 0.0
    kinds: tuple[str, ...] = ()
    at: int = 0

    def __str__(self) -> str:
        """In words."""
        match self.state:
            case "clean":
                return "no new errors"
            case "errors":
                return self.reason or "new errors: " + "; ".join(error.partition("\n")[0] for error in self.errors)
            case "unknown":
                return f"errors unknown ({self.reason})"


class Inspector:
    """Asks analysers for verdicts on suggestions.

    Parameters
    ----------
    analysers
        The analysers to ask.
    deadline_s
        How long all verdicts of a request may be waited for.
    """

    def __init__(self, analysers: Analysers, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._analysers = analysers

    def inspect(
        self,
        document: Document,
        changes: Sequence[Change],
        root: Path | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Verdict]:
        """A verdict on each change; they are alternatives to each other."""
        began = time.perf_counter()
        until = began + self.deadline_s
        path = whole(document.path or folder_of(document, root) / "guiderail_untitled")
        analyser = self._analyser(document, root, path)
        asked = [_Inspection(document, change, analyser, path) for change in changes]
        found = [one.verdict(until, cancelled) for one in asked]
        wait_s = time.perf_counter() - began
        return [replace(verdict, wait_s=wait_s) for verdict in found]

    def _analyser(self, document: Document, root: Path | None, path: Path) -> Analyser | None:
        if not document.language:
            return None
        return analyser_of(self._analysers, document.language, folder_of(document, root), path)


class _Inspection:
    """One change, with the question about it on its way."""

    def __init__(self, document: Document, change: Change, analyser: Analyser | None, path: Path) -> None:
        self._document = document
        self._change = change
        self._path = path
        self._analyser = analyser
        self._known: Verdict | None = None
        self._answer: Future[tuple[Diagnostic, ...]] | None = None
        shown = completed(document, change)
        if shown is None:
            self._known = Verdict("unknown", reason="unfinished")
        elif breaks_syntax(document, change, shown):
            self._known = Verdict("errors", ("syntax error",), kinds=(SYNTAX_ERROR,))
        elif analyser is None:
            self._known = Verdict("unknown", reason="no analyser")
        elif overlooks(analyser, path):
            self._known = Verdict("unknown", reason="the analyser sees no unsaved files")
        else:
            self._answer = self._ask(shown)

    def _ask(self, text: str) -> Future[tuple[Diagnostic, ...]]:
        assert self._analyser is not None
        return self._analyser.ask(DIAGNOSTICS, Question(self._path, self._document.language or "", text, 0))

    def verdict(self, until: float, cancelled: Callable[[], bool]) -> Verdict:
        """What is known by then; what there was before is asked for only if there are errors at all."""
        if self._answer is None:
            assert self._known is not None
            return self._known
        try:
            found = errors_in(_wait(self._answer, until, cancelled))
            if found:
                found = new_errors(found, self._before(until, cancelled))
        except LateError:
            return Verdict("unknown", reason=LATE)
        except NoAnswer as error:
            return Verdict("unknown", reason=f"no answer: {error}")
        messages, kinds = tuple(one.message for one in found), tuple(one.code for one in found)
        at = min((one.start for one in found), default=0) - self._change.start
        return Verdict("errors" if found else "clean", messages, kinds=kinds, at=max(0, at))

    def _before(self, until: float, cancelled: Callable[[], bool]) -> list[Diagnostic]:
        """The errors that the file has without the change: with its half line, and with nothing in its place.

        A half line that is no statement hides errors elsewhere; only with it are those known that it has itself.
        """
        texts = dict.fromkeys([_without_line(self._document, self._change), self._document.text])
        answers = [self._ask(text) for text in texts]
        before: list[Diagnostic] = []
        for answer in answers:
            before += new_errors(errors_in(_wait(answer, until, cancelled)), before)
        return before


def _wait(
    answer: Future[tuple[Diagnostic, ...]], until: float, cancelled: Callable[[], bool]
) -> tuple[Diagnostic, ...]:
    while True:
        left = until - time.perf_counter()
        try:
            return answer.result(max(0.0, min(POLL_S, left)))
        except LateError:
            if left <= POLL_S or cancelled():
                raise


def errors_in(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The errors among diagnostics."""
    return [one for one in found if one.severity == "error"]


def new_errors(having: Sequence[E], before: Sequence[E]) -> list[E]:
    """The errors of a file that another has not, or not as often; each by its kind and message, wherever it is.

    The product compares a file with a suggestion to the file without. The evaluation compares one with an answer to the
    author's: "no new errors" stands in for the compilation rate of "Guiding Language Models of Code with Global Context
    using Monitors" (NeurIPS 2023), section 4, the share of answers with which the project still compiles. Not every
    project compiles on every machine.
    """
    known = Counter(map(_identity, before))
    found = []
    for one in having:
        if known[_identity(one)]:
            known[_identity(one)] -= 1
        else:
            found.append(one)
    return found


def _identity(error: Hashable) -> Hashable:
    return (error.code, error.message) if isinstance(error, Diagnostic) else error


def completed(document: Document, change: Change) -> str | None:
    """The file with a change in it, and with a body where it opens a block; None if what it says is not all said.

    A line may well end inside brackets or with a colon, and be right.
    """
    rest = document.text[change.end :]
    before = document.text[: change.start] + change.text
    language = document.language or ""
    if not change.finished or (language in PYTHON_STATEMENTS and before.endswith("\\")) or _open_at(document, change):
        return None
    return before + _body(before, rest, language) + rest


def leaves_open(document: Document, change: Change) -> bool:
    """Whether a change ends inside brackets that nothing after it closes, and in no string."""
    return _open_at(document, change) == "bracket"


def opens(document: Document, change: Change) -> bool:
    """Whether a change leaves a bracket of its own open that nothing after it closes."""
    if not leaves_open(document, change):
        return False
    lexer, before = lex_cache(document.path, document.language or ""), document.text[: change.start]
    here = lexer.state(f"{before}{change.text}\n")
    return len(here.open_brackets) > len(lexer.state(before).open_brackets)


def _open_at(document: Document, change: Change) -> Literal["text", "bracket"] | None:
    """What is open where a change ends: a string or comment that goes on, or a bracket that nothing after it closes."""
    language = document.language
    if language not in LEXICONS:
        return None
    lexer, before = lex_cache(document.path, language), document.text[: change.start]
    # A comment ends with its line; what is still open after a line break is a string.
    here = lexer.state(before + change.text + "\n")
    rest = document.text[change.end : document.line_end(document.position_at(change.end)[0])]
    opened = lexer.state(before).opened
    whole = before + change.text + rest
    closes = opened < 0 and rest and not lexer.state(whole + "\n").in_string_or_comment  # a string of the change's own
    goes_on = 0 <= opened == lexer.state(whole).opened and document.text[opened] in _QUOTES
    if goes_on or (here.in_string_or_comment and not closes):
        return "text"
    count = len(here.open_brackets)
    return "bracket" if count > len(unmatched_closers(document.text[change.end :], language, count)) else None


def lacks_member(document: Document, change: Change) -> bool:
    """Whether a change ends after a member operator, such as a dot, and no name follows it in the line."""
    language = document.language or ""
    members = MEMBERS.get(language)
    if members is None or language not in LEXICONS or re.match(r"\w", document.text[change.end : change.end + 1]):
        return False
    before = (document.text[: change.start] + change.text).rstrip()
    found = members.end.search(before, max(0, len(before) - LONGEST_OPERATOR))
    if found is None or found["name"] or not members.is_receiver(before[: found.start()], found["operator"]):
        return False
    return not lex_cache(document.path, language).state(before).in_string_or_comment


def syntax_of(document: Document, change: Change) -> Literal["right", "wrong", "unknown"]:
    """What the syntax tree alone says of a change; unknown while what it says is not all said."""
    if refused_at(document, change) is not None:
        return "wrong"
    shown = completed(document, change)
    if shown is None or not document.language or not has_grammar(document.language):
        return "unknown"
    return "wrong" if breaks_file(document, change, shown) else "right"


def first_error(document: Document, change: Change) -> int:
    """Where in the text of a change its first syntax error begins or ends; its start where that is not known."""
    place = refused_at(document, change)
    if place is not None:
        return place
    shown = completed(document, change)
    assert document.language is not None and shown is not None, "its syntax is wrong"
    try:
        root = parsed(document.path, document.language).parse(_encoded(shown))
    except SlowTextError:
        return 0
    begin = len(_encoded(document.text[: change.start]))
    places = [node.end_byte - begin for node in _errors(root) if node.end_byte >= begin]
    return len(_encoded(change.text)[: max(0, min(places, default=0))].decode(errors="ignore"))


def _errors(root: Node) -> Iterator[Node]:
    """The nodes of a tree that are errors, or missing."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            yield node
        waiting += [child for child in node.children if child.has_error or child.is_missing]


def _body(before: str, rest: str, language: str) -> str:
    """What a line needs after it that opens a block, or decorates a function, and has nothing of that yet."""
    line = before.rpartition("\n")[2]
    if language not in PYTHON_STATEMENTS or rest.partition("\n")[0].strip():
        return ""
    indent = " " * _indent(line)
    if line.lstrip().startswith("@"):
        return f"\n{indent}def _(): ..."
    if not _OPENS_BLOCK.match(line):
        return ""
    found = _NEXT_LINE.search(rest, rest.find("\n")) if "\n" in rest else None
    following = found[0] if found else ""
    if _indent(following) > _indent(line):
        return ""
    if line.lstrip().startswith("match"):
        return f"\n{indent}    case _: ..."
    needs_handler = line.strip().startswith("try") and not following.strip().startswith(("except", "finally"))
    return f"\n{indent}    ..." + (f"\n{indent}except Exception: ..." if needs_handler else "")


def _indent(line: str) -> int:
    expanded = line.expandtabs()
    return len(expanded) - len(expanded.lstrip())


def breaks_syntax(document: Document, change: Change, shown: str) -> bool:
    """Whether a change, with which the file is `shown`, brings an error of syntax, as far as is known."""
    return refused_at(document, change) is not None or breaks_file(document, change, shown)


def breaks_file(document: Document, change: Change, shown: str) -> bool:
    """Whether the syntax tree of a whole file has more errors with a change than without it or the changed line.

    Without the line alone more may be wrong: it may begin a string of several lines. Where indentation is syntax; with
    braces a line is often right only with the next one: a statement with its semicolon, a head with its body.
    """
    language = document.language
    if language is None or language not in PYTHON_STATEMENTS or not has_grammar(language):
        return False
    # Nearly all files have none, which is found out by reading what changed; what is wrong is counted from the start.
    try:
        if not parsed(document.path, language).parse(_encoded(shown)).has_error:
            return False
        before = (_syntax_errors(text, language) for text in (_without_line(document, change), document.text))
        return _syntax_errors(shown, language) > min(before)
    except SlowTextError:
        return False


def _without_line(document: Document, change: Change) -> str:
    """The file with a harmless statement where the changed lines are, which opens a block if one stands below it."""
    start = document.line_start(document.position_at(change.start)[0])
    end = document.line_end(document.position_at(change.end)[0])
    line = document.text[start:end]
    indent = line[: len(line) - len(line.lstrip())]
    is_python = document.language in PYTHON_STATEMENTS
    statement = _harmless(document, start, document.text[end:], indent) if is_python else ""
    return document.text[:start] + (indent + statement if statement is not None else line) + document.text[end:]


def _harmless(document: Document, start: int, rest: str, indent: str) -> str | None:
    """What may stand in a line of Python; None if nothing but what is there: an ``else`` belongs to what is above."""
    if lex_cache(document.path, "python").state(document.text[:start]).open_brackets:
        return ""
    found = _NEXT_LINE.search(rest)
    if found is None or _indent(found[0]) <= _indent(indent):
        return "pass"
    return None if _CONTINUES.match(document.text, start) else "if True:"


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


@lru_cache(COUNTED)
def _syntax_errors(text: str, language: str) -> int:
    """Errors in a tree of all of the text; the file without the line is the same while a person types in it."""
    root = parse(_encoded(text), language, PARSE_S)
    if not root.has_error:
        return 0
    return sum(1 for _ in _errors(root))
