"""Runs a project's doctests or tests with a candidate text in it, and returns the share that passes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from guiderail.decoding.sandbox import sandbox
from guiderail.decoding.sandbox.project_tree import Entry, read_tree
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from guiderail.decoding.spec import BuildContext

DOCTEST = "doctest"
# Both write passed and all tests to the report, and nothing if they do not come so far: that share is 0.
RUN_DOCTESTS = f"""
import doctest, importlib.util, json, os, sys
sys.path.insert(0, ".")
spec = importlib.util.spec_from_file_location("candidate", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
found = doctest.testmod(module)
os.write({sandbox.REPORT}, json.dumps([found.attempted - found.failed, found.attempted]).encode())
"""
RUN_TESTS = f"""
import json, os, sys
import pytest
class Count:
    passed, all = 0, 0
    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.failed:
            self.all += 1
            self.passed += report.passed
    def pytest_collectreport(self, report):
        self.all += report.failed
count = Count()
pytest.main(["-q", "-p", "no:cacheprovider", sys.argv[1]], plugins=[count])
os.write({sandbox.REPORT}, json.dumps([count.passed, count.all]).encode())
"""


class UntestableError(UsageError):
    """A text cannot be tested: there are no tests, or no sandbox to run them in."""


class ProjectTests:
    """Runs tests over a copy of the project, a fresh one for each text.

    Parameters
    ----------
    context
        The document, the cursor and the project.
    tests
        ``doctest``, or a path in the project for pytest.
    seconds, megabytes
        Bounds of one run.

    Raises
    ------
    TreeError
        The project is too large to copy.
    UntestableError
        The text is not Python or has no file, the file leads out of the project, the tests are missing, or there is no
        sandbox on this machine.
    """

    def __init__(self, context: BuildContext, tests: str, *, seconds: float, megabytes: int) -> None:
        document = context.document
        if document is None or document.path is None or document.language != "python":
            raise UntestableError("only Python files can be tested", "Name a FILE of Python, or choose another method")
        self._before, self._after = document.text[: context.offset], document.text[context.offset :]
        self._seconds, self._megabytes = seconds, megabytes
        path = document.path.resolve()
        project = context.root.resolve() if context.root else path.parent
        if not path.is_relative_to(project):  # a link of the project would have another folder copied
            raise UntestableError(f"{document.path} is not in {project}", "Complete in a file of the project")
        root = path.parent if tests == DOCTEST else project
        self._file = path.relative_to(root).as_posix()
        entries = _with_file(read_tree(root), self._file)
        script, target = (RUN_DOCTESTS, self._file) if tests == DOCTEST else (RUN_TESTS, _place(tests, root, entries))
        self._command = [sys.executable, "-c", script, f"./{target}"]
        self._tree = sandbox.Tree(entries)
        self._try("doctest" if tests == DOCTEST else "pytest")

    def _try(self, runner: str) -> None:
        """Raise UntestableError unless the test runner works in the sandbox."""
        code = f"import importlib.util, sys; sys.exit(not importlib.util.find_spec({runner!r}))"
        found = sandbox.run(
            [sys.executable, "-c", code], sandbox.Tree(), seconds=self._seconds, megabytes=self._megabytes
        )
        if found.refused:
            remedy = "Tests need Linux with user namespaces and seccomp, and are not run without"
            raise UntestableError(f"there is no sandbox here: {found.refused}", remedy)
        if found.code:
            remedy = f"Install it, readable for all, for {sys.executable}"
            raise UntestableError(f"{runner} does not run in the sandbox", remedy)

    def share_passed(self, text: str) -> float:
        """The share of the tests that pass with `text` at the cursor; 0 if the file does not even load."""
        content = (self._before + text + self._after).encode("utf-8", "replace")
        found = sandbox.run(
            self._command,
            self._tree,
            seconds=self._seconds,
            megabytes=self._megabytes,
            files={self._file: content},
        )
        return _share(found.report)


def _share(report: bytes) -> float:
    """The share in a report, which the tested text may have written itself; 0 for anything but a valid share."""
    try:
        match json.loads(report):
            case [int(passed), int(count)] if 0 <= passed <= count and count > 0:
                return passed / count
    except (ValueError, RecursionError):
        pass
    return 0.0


def _place(tests: str, root: Path, entries: list[Entry]) -> str:
    """The path of the tests in the copy."""
    place = (root / tests).resolve()
    found = place.relative_to(root).as_posix() if place.is_relative_to(root) else None
    if found is None or (found != "." and found not in {path for path, _, _ in entries}):
        raise UntestableError(f"there are no tests at {root / tests}", "Name a test file or folder of the project")
    return found


def _with_file(entries: list[Entry], file: str) -> list[Entry]:
    """The tree with the file in it, which may not be on disk yet, or be hidden."""
    known = {path for path, _, _ in entries}
    folders = [parent.as_posix() for parent in reversed(Path(file).parents)][1:]
    missing: list[Entry] = [(folder, 0o755, None) for folder in folders if folder not in known]
    return [*missing, *((file, 0o644, b"") for _ in [0] if file not in known), *entries]
