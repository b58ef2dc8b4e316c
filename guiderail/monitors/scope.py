"""The scope monitor: a bare name that is read must exist. Soft: what an analyser lists is hardly ever all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from guiderail.monitors.analysis.answers import Members
from guiderail.monitors.analysis.requests import COMPLETIONS, Question, Request
from guiderail.monitors.block_query import block_query_of
from guiderail.monitors.cursor_context import Snapshot, tail_of
from guiderail.monitors.monitor import Restriction, Trigger
from guiderail.text.languages.table import PYTHON_STATEMENTS

# After these a name is read; it is not one that is being defined, nor perhaps a keyword argument.
_READ = re.compile(
    r"(?:^\s*(?:return|yield|await|assert|del|raise|if|elif|while)|(?<![=!<>])[=+\-*/%&|^@<>]=?|"
    r"\b(?:in|is|and|or|not|if|else|from|await|return|yield))\s+(?P<written>\w*)$"
)
_NO_READ = re.compile(r"\s*(?:import|from|def|async\s+def|class|global|nonlocal|for|with|async|case|except|@)\b")
_TOP = re.compile(r"[^\s#)\]}]")  # at the beginning of a line that is not indented
_WORD = re.compile(r"[^\W\d]\w*")
PREFIXES = frozenset("rbfut") | {"rb", "br", "fr", "rf", "tr", "rt"}  # of strings
KEYWORDS = frozenset({"None", "True", "False", "not", "lambda", "await", "yield", "from", "in", "is", "and", "or"})


class Scope:
    """The monitor of bare names that are read, in Python."""

    name, soft, endings = "scope", True, b" "
    languages = PYTHON_STATEMENTS

    def trigger(self, snapshot: Snapshot) -> Trigger | None:
        """See `Monitor.trigger`."""
        found = _READ.search(snapshot.text[snapshot.text.rfind("\n") + 1 :][-200:])
        if found is None or snapshot.lex_state.in_string_or_comment or snapshot.unclosed:
            return None
        statement = snapshot.statement
        if _NO_READ.match(statement) or "lambda" in statement or not statement.strip():
            return None
        written, query = found["written"] + snapshot.upcoming, block_query_of(snapshot)

        def interpret(members: Members) -> Restriction:
            listed = frozenset(member.name.removesuffix("=") for member in members.items)
            end = len(snapshot.text) - len(found["written"])
            names = listed | _words(snapshot.text, end) | KEYWORDS | PREFIXES
            if query:  # what was written since the question's text defines names too
                names |= frozenset(_WORD.findall(snapshot.text, snapshot.cursor.lex_state.statement_start, end))
            reason = None
            if "None" not in listed and "int" not in listed:
                reason = "unknown scope"
            elif not any(name.startswith(written) for name in names):
                reason = "no such name"
            return _restriction(names, snapshot, written, found["written"], reason)

        # The question points into an f-string, where the scope is listed though nothing is typed. One question serves
        # all names of a block, or else of a statement. The answer is called incomplete, but is not.
        question = query.scope if query else snapshot.question_with("f'{", "}'")
        return Trigger(statement.strip()[-40:], COMPLETIONS, question, interpret, found["written"])

    def prefetch(self, snapshot: Snapshot) -> Sequence[tuple[Request[Any], Question]]:
        """See `Prefetching`."""
        query = block_query_of(snapshot)
        return [(COMPLETIONS, query.scope)] if query else []


def _words(text: str, end: int) -> frozenset[str]:
    """The words of a function so far: what some branch of it may have defined is no mistake to read."""
    block = len(text)
    while block > 0:
        block = text.rfind("\n", 0, block - 1) + 1
        if _TOP.match(text, block):
            break
    return frozenset(_WORD.findall(text, block, end))


def _restriction(
    names: frozenset[str], snapshot: Snapshot, written: str, typed: str, reason: str | None
) -> Restriction:
    def allows(truth: str) -> bool:
        name = typed + tail_of(truth)
        return not name or name[0].isdigit() or name in names

    return Restriction(lambda masks: masks.names_or_none(names, snapshot.cursor.tail), len(names), reason, allows)
