"""The imports monitor: modules after ``import`` and ``from``, names after ``from m import``.

Modules are what lies on the import path of the project's environment, which is read from disk: no analyser lists them
all. Names of a module are the analyser's, and the modules that the package holds.
"""

from __future__ import annotations

import re
from itertools import islice

from guiderail.monitors.analysis.answers import Members
from guiderail.monitors.analysis.requests import COMPLETIONS
from guiderail.monitors.cursor_context import Snapshot, tail_of
from guiderail.monitors.modules import inside, module_path
from guiderail.monitors.monitor import Restriction, Trigger
from guiderail.text.backwards import lines_above
from guiderail.text.languages.table import PYTHON_STATEMENTS

_MODULE = re.compile(
    r"\s*+(?:import\s++(?:[\w.]++(?:\s++as\s++\w++)?+\s*+,\s*+)*+|from\s++(?P<dots>\.*+))"
    r"(?P<package>(?:\w++\.)*+)(?P<written>\w*+)$"
)
_NAME = re.compile(
    r"\s*+from\s++(?P<dots>\.*+)(?P<package>[\w.]*+)\s++import\b\s*+(?:\(\s*+)?+"
    r"(?:\w++(?:\s++as\s++\w++)?+\s*+,\s*+(?:#[^\n]*+\n\s*+)*+)*+(?P<written>\w*+)$"
)
_GUARD = re.compile(r"[ \t]*(?:(?:try|else)\s*:|(?:except|if|elif|with)\b)")
_SCOPE = frozenset({"ArithmeticError", "BaseException"})  # some list these of a module that they do not know
MANY = 40  # lines above that are searched for what an import is indented under


class Imports:
    """The monitor of what is imported in Python."""

    name, soft, endings = "imports", False, b" .,("
    languages = PYTHON_STATEMENTS

    def trigger(self, snapshot: Snapshot) -> Trigger | None:
        """See `Monitor.trigger`."""
        if "import" not in snapshot.text[-400:] and "from" not in snapshot.text[-400:]:
            return None
        statement = snapshot.statement
        if snapshot.lex_state.in_string_or_comment or not re.match(r"\s*(?:from|import)\s", statement):
            return None
        if found := _NAME.match(statement):
            return self._names(snapshot, found)
        if found := _MODULE.match(statement):
            return self._modules(snapshot, found)
        return None

    def _modules(self, snapshot: Snapshot, found: re.Match[str]) -> Trigger:
        def interpret(_: None) -> Restriction:
            names = _modules(snapshot, found)
            reason = _guarded(snapshot) or ("unknown package" if names is None else _deferred(snapshot, found))
            return _restriction(names or frozenset(), snapshot, found, reason)

        return Trigger(found[0].strip(), None, snapshot.question(len(snapshot.text)), interpret, found["written"])

    def _names(self, snapshot: Snapshot, found: re.Match[str]) -> Trigger:
        def interpret(members: Members) -> Restriction:
            listed = frozenset(member.name for member in members.items)
            reason = _guarded(snapshot)
            if "__getattr__" in listed:
                reason = "dynamic"
            elif all(name.startswith("__") for name in listed) or listed >= _SCOPE:
                reason = "unknown module"
            elif not members.complete:
                reason = "incomplete"
            return _restriction(listed | (_modules(snapshot, found) or frozenset()), snapshot, found, reason)

        # On one line and without brackets, which no analyser minds.
        statement = f"from {found['dots']}{found['package']} import "
        return Trigger(statement.strip(), COMPLETIONS, snapshot.question_with(statement), interpret, found["written"])


def _modules(snapshot: Snapshot, found: re.Match[str]) -> frozenset[str] | None:
    """The modules in the package that is named; None if it has no folder."""
    package, dots = found["package"].strip("."), found["dots"] or ""
    if not dots:
        return module_path(snapshot.cursor.root).modules(package)
    folder = snapshot.cursor.path.parent.joinpath(*[".."] * (len(dots) - 1), *package.split("."))
    return inside(folder, snapshot.cursor.root)


def _restriction(names: frozenset[str], snapshot: Snapshot, found: re.Match[str], reason: str | None) -> Restriction:
    """One of the names, or what begins no name: a dot, a bracket, a star, the end of a list."""
    written = found["written"] + snapshot.upcoming
    if not any(name.startswith(written) for name in names):
        reason = reason or "no such name"

    def allows(truth: str) -> bool:
        name = found["written"] + tail_of(truth)
        return not name or name in names

    return Restriction(
        (lambda masks: masks.names_or_none(names, snapshot.cursor.tail)) if names else None, len(names), reason, allows
    )


def _deferred(snapshot: Snapshot, found: re.Match[str]) -> str | None:
    """A reason if a function imports a module: it may do so there because that need not be installed."""
    return "optional" if snapshot.indent and not found["package"] and not found["dots"] else None


def _guarded(snapshot: Snapshot) -> str | None:
    """A reason if the import may be one of something that is not installed: it is indented under a condition."""
    line = snapshot.statement.lstrip("\r\n")
    indent = len(line) - len(line.lstrip())
    for above in islice(lines_above(snapshot.text, snapshot.lex_state.statement_start), MANY):
        depth = len(above) - len(above.lstrip())
        if above.strip() and depth < indent:
            if _GUARD.match(above):
                return "optional"
            indent = depth
        if not indent:
            break
    return None
