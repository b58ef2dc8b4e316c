"""Where a member is being written after a dot, and whether it may be one that is only now being defined."""

from __future__ import annotations

import re
from dataclasses import dataclass

from guiderail.monitors.lex_state import LexState
from guiderail.text.languages.table import LEXICONS, PYTHON_STATEMENTS
from guiderail.text.languages.table import MEMBERS as MEMBER_SYNTAX

NAME_READ, RECEIVER_READ = 200, 400  # characters of a half-typed name, and before the mark
# A statement that is, so far, expressions of names, members, indices and calls with commas between: all of them can
# still become targets of an assignment. (After an equals sign they can too, but hardly ever do.)
_TARGETS = re.compile(r"[\w.()\[\]'\"\s,*]*$")
_NO_TARGET = re.compile(
    r"\s*(?:return|yield|await|raise|assert|if|elif|while|else|try|except|finally|del|global|lambda|not|import|from|"
    r"class|def|async\s+def|match|case)\b"
)
# Targets that were members, each with an equals sign, up to what may be the next one.
_CHAIN = re.compile(r"\s*+(?:\w++(?:\.\w++)++\s*+=\s*+)+(?:\w++\.)*+\w++$")
MOST_OPENED = 100  # brackets; targets are not nested as deeply
BLANKS_READ = 80  # characters before a bracket
_NAMED = re.compile(r"[\w)\]]$")  # it may be an object that takes new members
_OPERATOR = re.compile(r"[=!<>]=|\b(?:and|or|not|in|is|if|else|lambda)\b")
# As for Python; a condition may come first, and every object takes new members.
_WEB_CONDITION = re.compile(r"(?P<opened>(?:else\s++)?(?:if|for|while)\s*+\()|else\b|do\b")
_WEB_ELSE = re.compile(r"else\b")
_WEB_TARGETS = re.compile(r"[\w.$#()\[\]'\"\s,]*$")
_WEB_NO_TARGET = re.compile(
    r"\s*(?:return|yield|await|throw|while|switch|case|new|typeof|delete|void|const|let|var|class|function|import|"
    r"export|async|if|for)\b"
)


@dataclass(frozen=True, slots=True)
class MemberAccess:
    """A dot whose member is being written.

    Parameters
    ----------
    name_start
        Offset after the dot.
    written
        The part of the name that is already written.
    may_define
        Whether the name may be one that is only now being defined.
    may_be_nameless
        Whether something else than a name may follow.
    is_ambiguous
        Whether the analyser may take a type for a value.
    operator
        The operator before the name.
    may_chain
        Whether it may be, but is hardly ever: an assignment may go on with a further target.
    may_set
        Whether it may be, if the receiver takes new members: it is an object of another class.
    is_own
        Whether the receiver is a method's own object, whose class is known even if a member's type is not.
    is_answering_known
        Whether the receiver's ``__getattr__``, if it has one, was read: whether it answers any name is known.
    """

    name_start: int
    written: str
    may_define: bool
    may_be_nameless: bool = False
    is_ambiguous: bool = False
    operator: str = "."
    may_set: bool = False
    may_chain: bool = False
    is_own: bool = False
    is_answering_known: bool = False


def find_member_access(text: str, state: LexState, language: str) -> MemberAccess | None:
    """The dereference that `text` ends in, if it does; `state` is the lexer's state at its end."""
    syntax, blocks = MEMBER_SYNTAX[language], LEXICONS[language].blocks
    found = syntax.end.search(text, max(0, len(text) - NAME_READ))
    if found is None or state.in_string_or_comment:
        return None
    dot, begin = found.start(), found.end("operator")
    # Where braces hold statements an expression may begin with one and go on over lines.
    receiver = text[max(0 if blocks else state.statement_start, dot - RECEIVER_READ) : dot]
    if state.open_brackets or blocks:
        receiver = receiver.rstrip()  # inside brackets a line may begin with its dot
    if not syntax.is_receiver(receiver, found["operator"]):
        return None
    statement = text[state.statement_start : dot]
    if syntax.skipped and syntax.skipped.match(statement):
        return None
    is_target = found["operator"] == "." and _is_target(statement, state, language)
    may_define = is_target and syntax.definable is not None and syntax.definable.search(receiver) is not None
    is_ambiguous = syntax.ambiguous is not None and syntax.ambiguous.search(statement) is not None
    return MemberAccess(
        begin,
        found["name"],
        may_define,
        found["operator"] in syntax.nameless,
        is_ambiguous,
        found["operator"],
        may_set=is_target and language in PYTHON_STATEMENTS and _NAMED.search(receiver) is not None,
        may_chain=language in PYTHON_STATEMENTS and _CHAIN.match(statement) is not None,
    )


def _is_target(statement: str, state: LexState, language: str) -> bool:
    """Whether `statement.NAME` may turn out to be a target of an assignment, which defines NAME."""
    if MEMBER_SYNTAX[language].definable is None:
        return False
    if language not in PYTHON_STATEMENTS:
        if any(at >= state.statement_start for at in state.open_brackets):
            return False
        words = _without_condition(statement)
        return not _WEB_NO_TARGET.match(words) and bool(_WEB_TARGETS.match(words))
    words = statement.strip()
    if re.match(r"(?:async\s+)?(?:for|with)\b", words):
        return True
    opened = [at - state.statement_start for at in state.open_brackets if at >= state.statement_start]
    if len(opened) > MOST_OPENED or any(_is_call(statement, at) for at in opened):  # and not in a tuple of targets
        return False
    return not (_NO_TARGET.match(words) or _OPERATOR.search(words) or _TARGETS.match(words) is None)


def _is_call(statement: str, bracket: int) -> bool:
    """Whether a bracket is one of a call or an index: a name, another bracket or a string is before it."""
    before = statement[max(0, bracket - BLANKS_READ) : bracket].rstrip()[-1:]
    return before.isalnum() or before in ("_", ")", "]", "}", "'", '"')


def _without_condition(statement: str) -> str:
    """A statement of TypeScript or JavaScript without its first condition, up to the last bracket, or ``else``."""
    closed, at = statement.rfind(")"), 0
    while found := _WEB_CONDITION.search(statement, at):
        at = found.start() + 1
        if found["opened"] and found.end() > closed:
            found = _WEB_ELSE.match(statement, found.start())
        if found:
            end = closed + 1 if found.groupdict().get("opened") else found.end()
            return statement[: found.start()].rstrip() + statement[end:].lstrip()
    return statement
