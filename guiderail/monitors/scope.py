"""The scope monitor: a bare name that is read must exist. Soft: what an analyser lists is hardly ever all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from guiderail.monitors.analysis.answers import Members
from guiderail.monitors.analysis.requests import COMPLETIONS, Question, Request
from guiderail.monitors.anchor import anchor_of
from guiderail.monitors.monitor import Ruling, Trigger
from guiderail.monitors.scene import View, tail_of

# After these a name is read; it is not one that is being defined, nor perhaps a keyword argument.
_READ = re.compile(
    r"(?:^\s*(?:return|yield|await|assert|del|raise|if|elif|while)|(?<![=!<>])[=+\-*/%&|^@<>]=?|"
    r"\b(?:in|is|and|or|not|if|else|from|await|return|yield))\s+(?P<written>\w*)$"
)
_NO_READ = re.compile(r"\s*(?:import|from|def|async\s+def|class|global|nonlocal|for|with|async|case|except|@)\b")
_TOP = re.compile(r"[^\s#)\]}]")  # where a line begins: it stands at the left margin
_WORD = re.compile(r"[^\W\d]\w*")
PREFIXES = frozenset("rbfut") | {"rb", "br", "fr", "rf", "tr", "rt"}  # of strings
KEYWORDS = frozenset({"None", "True", "False", "not", "lambda", "await", "yield", "from", "in", "is", "and", "or"})


class Scope:
    """The monitor of names that stand alone, in Python."""

    name, soft, endings = "scope", True, b" "
    languages = frozenset({"python"})

    def trigger(self, view: View) -> Trigger | None:
        """See `Monitor.trigger`."""
        found = _READ.search(view.text[view.text.rfind("\n") + 1 :][-200:])
        if found is None or view.place.inside or view.unclosed:
            return None
        statement = view.statement
        if _NO_READ.match(statement) or "lambda" in statement or not statement.strip():
            return None
        written, anchor = found["written"] + view.ahead, anchor_of(view)

        def judge(members: Members) -> Ruling:
            listed = frozenset(member.name.removesuffix("=") for member in members.items)
            end = len(view.text) - len(found["written"])
            names = listed | _words(view.text, end) | KEYWORDS | PREFIXES
            if anchor:  # what was written since the question's text defines names too
                names |= frozenset(_WORD.findall(view.text, view.scene.place.statement, end))
            reason = None
            if "None" not in listed and "int" not in listed:
                reason = "unknown scope"
            elif not any(name.startswith(written) for name in names):
                reason = "no such name"
            return _ruling(names, view, written, found["written"], reason)

        # Asked inside an f-string, where the scope is listed though nothing is typed; one question for all names of a
        # block, or else of a statement. It is called incomplete, but is not.
        question = anchor.scope if anchor else view.instead("f'{", "}'")
        return Trigger(statement.strip()[-40:], COMPLETIONS, question, judge, found["written"])

    def foresee(self, view: View) -> Sequence[tuple[Request[Any], Question]]:
        """See `Foresighted`."""
        anchor = anchor_of(view)
        return [(COMPLETIONS, anchor.scope)] if anchor else []


def _words(text: str, end: int) -> frozenset[str]:
    """The words of a function so far: what some branch of it may have defined is no mistake to read."""
    block = len(text)
    while block > 0:
        block = text.rfind("\n", 0, block - 1) + 1
        if _TOP.match(text, block):
            break
    return frozenset(_WORD.findall(text, block, end))


def _ruling(names: frozenset[str], view: View, written: str, stands: str, reason: str | None) -> Ruling:
    def allows(truth: str) -> bool:
        name = stands + tail_of(truth)
        return not name or name[0].isdigit() or name in names

    return Ruling(lambda masks: masks.perhaps(names, view.scene.tail), len(names), reason, allows)
