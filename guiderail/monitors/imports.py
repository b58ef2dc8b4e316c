"""The imports monitor: modules after ``import`` and ``from``, names after ``from m import``.

Modules are what lies on the import path of the project's environment, which is read from disk: no analyser lists them
all. Names of a module are the analyser's, and the modules that the package holds.
"""

from __future__ import annotations

import os
import re
import sys
from itertools import islice
from pathlib import Path

from guiderail.monitors.analysis.answers import Members
from guiderail.monitors.analysis.requests import COMPLETIONS
from guiderail.monitors.cursor_context import Snapshot, tail_of
from guiderail.monitors.monitor import Restriction, Trigger
from guiderail.monitors.python.modules import ModulePath, module_path, modules_of_folder
from guiderail.monitors.python.requirements import inline_requirements, modules_of
from guiderail.monitors.runtime.openness import Openness
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
_CHANGES_PATH = re.compile(r"\bsys\.path\b(?!_)|\baddsitedir\b|\bfrom\s++sys\s++import\s++(?:\w++\s*+,\s*+)*+path\b")
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
            reason = _guarded(snapshot) or ("unknown package" if names is None else _doubt(snapshot, found))
            return _restriction(names or frozenset(), snapshot, found, reason, _elsewhere(snapshot, found))

        return Trigger(found[0].strip(), None, snapshot.question(len(snapshot.text)), interpret, found["written"])

    def _names(self, snapshot: Snapshot, found: re.Match[str]) -> Trigger:
        def interpret(members: Members) -> Restriction:
            modules = _modules(snapshot, found)
            listed = frozenset(member.name for member in members.items)
            reason = _guarded(snapshot)
            openness = _openness(snapshot, found)
            if openness.open or ("__getattr__" in listed and "__getattr__" not in openness.names):
                reason = "dynamic"
            elif found["package"] == snapshot.cursor.path.stem and not found["dots"]:
                reason = "unknown module"  # where it cannot be found, the file is taken for it
            elif all(name.startswith("__") for name in listed) or listed >= _SCOPE:
                reason = "unknown module"
            elif not members.complete:
                reason = "incomplete"
            elif modules is not None and not found["dots"]:
                reason = reason or _doubt_of(snapshot, found["package"])
            reason = reason or _left_out(snapshot, found, modules)
            known = listed | openness.names | (modules or frozenset())
            return _restriction(known, snapshot, found, reason, _elsewhere(snapshot, found))

        # On one line and without brackets, which no analyser minds.
        statement = f"from {found['dots']}{found['package']} import "
        return Trigger(statement.strip(), COMPLETIONS, snapshot.question_with(statement), interpret, found["written"])


def _left_out(snapshot: Snapshot, found: re.Match[str], inside: frozenset[str] | None) -> str | None:
    """A reason if the module may be a package whose folder could not be looked at: any of its modules may be meant."""
    top = found["package"].partition(".")[0]
    if inside is not None or found["dots"] or top in sys.stdlib_module_names:
        return None
    file = snapshot.cursor.runtime.sources.module(found["package"], snapshot.cursor.path)
    return "unknown package" if file is None or file.stem == "__init__" else None


def _openness(snapshot: Snapshot, found: re.Match[str]) -> Openness:
    """What is known of the module's names beside those that the analyser lists."""
    runtime = snapshot.cursor.runtime
    file = runtime.sources.module(found["dots"] + found["package"], snapshot.cursor.path)
    openness = runtime.of_module(file) if file else Openness()
    of_library = found["package"].partition(".")[0] in sys.stdlib_module_names and not found["dots"]
    return Openness(openness.names) if of_library else openness  # what it makes up is in the stubs


def _modules(snapshot: Snapshot, found: re.Match[str]) -> frozenset[str] | None:
    """The modules in the package that is named; None if it has no folder."""
    package, dots = found["package"].strip("."), found["dots"] or ""
    if not dots:
        answers = [path.modules(package) for path in _paths_of(snapshot)]
        known = [names for names in answers if names is not None]
        if not package:  # a script may declare what it needs itself
            own = (modules_of(one.name) for one in inline_requirements(snapshot.text))
            known.append(frozenset(module.partition(".")[0] for modules in own for module in modules))
            answers.append(known[-1])
        return frozenset[str]().union(*known) if known and (package or len(known) == len(answers)) else None
    folder = snapshot.cursor.path.parent.joinpath(*[".."] * (len(dots) - 1), *package.split("."))
    return modules_of_folder(folder, snapshot.cursor.root)


def _elsewhere(snapshot: Snapshot, found: re.Match[str]) -> frozenset[str]:
    """The modules that lie in the project where no import of the file is known to look."""
    if found["dots"]:
        return frozenset()
    return _paths_of(snapshot)[0].elsewhere(found["package"].strip("."))


def _restriction(
    known: frozenset[str], snapshot: Snapshot, found: re.Match[str], reason: str | None, elsewhere: frozenset[str]
) -> Restriction:
    """One of the names, or what begins no name: a dot, a bracket, a star, the end of a list.

    Those of modules elsewhere are less likely.
    """
    written, names, tail = found["written"] + snapshot.upcoming, known | elsewhere, snapshot.cursor.tail
    if not any(name.startswith(written) for name in names):
        reason = reason or "no such name"

    def allows(truth: str) -> bool:
        name = found["written"] + tail_of(truth)
        return not name or name in names

    legal = (lambda masks: masks.names_or_none(names, tail)) if names else None
    preferred = (lambda masks: masks.names_or_none(known, tail)) if known and names != known else None
    return Restriction(legal, len(names), reason, allows, preferred)


def _paths_of(snapshot: Snapshot) -> list[ModulePath]:
    """The import paths of a file: a link has that of its own folder as a module, of what it leads to as a script."""
    cursor = snapshot.cursor
    found = [module_path(cursor.root, cursor.path.parent, cursor.python, cursor.trust)]
    if cursor.path.is_symlink():
        real = Path(os.path.realpath(cursor.path)).parent
        inside = real.is_relative_to(os.path.realpath(cursor.root))
        found.append(module_path(cursor.root if inside else real, real, cursor.python, cursor.trust))
    return found


def _doubt(snapshot: Snapshot, found: re.Match[str]) -> str | None:
    """A reason if a module may exist that is not known: a function imports what need not be installed, say."""
    if found["dots"]:
        return None
    if snapshot.indent and not found["package"]:
        return "optional"
    if _CHANGES_PATH.search(snapshot.text):
        return "dynamic"
    return _doubt_of(snapshot, found["package"].strip("."))


def _doubt_of(snapshot: Snapshot, package: str) -> str | None:
    """Why a package may have modules that are not known."""
    return next((reason for path in _paths_of(snapshot) if (reason := path.doubt(package))), None)


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
