"""The imports monitor: modules after ``import`` and ``from``, names after ``from m import``.

Modules are what lies on the import path of the project's environment, which is read from disk: no analyser lists them
all. Names of a module are the analyser's, and the modules that the package holds.
"""

from __future__ import annotations

import re
from itertools import islice

from guiderail.monitors.analysis.answers import Members
from guiderail.monitors.analysis.requests import COMPLETIONS
from guiderail.monitors.modules import inside, module_path
from guiderail.monitors.monitor import Ruling, Trigger
from guiderail.monitors.scene import View, tail_of
from guiderail.text.backwards import lines_above

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
    languages = frozenset({"python"})

    def trigger(self, view: View) -> Trigger | None:
        """See `Monitor.trigger`."""
        if "import" not in view.text[-400:] and "from" not in view.text[-400:]:
            return None
        statement = view.statement
        if view.place.inside or not re.match(r"\s*(?:from|import)\s", statement):
            return None
        if found := _NAME.match(statement):
            return self._names(view, found)
        if found := _MODULE.match(statement):
            return self._modules(view, found)
        return None

    def _modules(self, view: View, found: re.Match[str]) -> Trigger:
        def judge(_: None) -> Ruling:
            names = _modules(view, found)
            reason = _guarded(view) or ("unknown package" if names is None else _deferred(view, found))
            return _ruling(names or frozenset(), view, found, reason)

        return Trigger(found[0].strip(), None, view.question(len(view.text)), judge, found["written"])

    def _names(self, view: View, found: re.Match[str]) -> Trigger:
        def judge(members: Members) -> Ruling:
            listed = frozenset(member.name for member in members.items)
            reason = _guarded(view)
            if "__getattr__" in listed:
                reason = "dynamic"
            elif all(name.startswith("__") for name in listed) or listed >= _SCOPE:
                reason = "unknown module"
            elif not members.complete:
                reason = "incomplete"
            return _ruling(listed | (_modules(view, found) or frozenset()), view, found, reason)

        # On one line and without brackets, which no analyser minds.
        statement = f"from {found['dots']}{found['package']} import "
        return Trigger(statement.strip(), COMPLETIONS, view.instead(statement), judge, found["written"])


def _modules(view: View, found: re.Match[str]) -> frozenset[str] | None:
    """The modules in the package that is named; None if it has no folder."""
    package, dots = found["package"].strip("."), found["dots"] or ""
    if not dots:
        return module_path(view.scene.root).modules(package)
    folder = view.scene.path.parent.joinpath(*[".."] * (len(dots) - 1), *package.split("."))
    return inside(folder, view.scene.root)


def _ruling(names: frozenset[str], view: View, found: re.Match[str], reason: str | None) -> Ruling:
    """One of the names, or what begins no name: a dot, a bracket, a star, the end of a list."""
    written = found["written"] + view.ahead
    if not any(name.startswith(written) for name in names):
        reason = reason or "no such name"

    def allows(truth: str) -> bool:
        name = found["written"] + tail_of(truth)
        return not name or name in names

    return Ruling((lambda masks: masks.perhaps(names, view.scene.tail)) if names else None, len(names), reason, allows)


def _deferred(view: View, found: re.Match[str]) -> str | None:
    """A reason if a function imports a module: it may do so there because that need not be installed."""
    return "optional" if view.indent and not found["package"] and not found["dots"] else None


def _guarded(view: View) -> str | None:
    """A reason if the import may be one of something that is not installed: it is indented under a condition."""
    line = view.statement.lstrip("\r\n")
    indent = len(line) - len(line.lstrip())
    for above in islice(lines_above(view.text, view.place.statement), MANY):
        depth = len(above) - len(above.lstrip())
        if above.strip() and depth < indent:
            if _GUARD.match(above):
                return "optional"
            indent = depth
        if not indent:
            break
    return None
