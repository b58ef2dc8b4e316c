"""A candidate text on trial: the project with the text in it, its doctests or its own tests, and what share passes."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import finalize

from guiderail.decoding import sandbox
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from guiderail.decoding.part import Situation

DOCTEST = "doctest"
LARGEST = 50 << 20  # bytes of a project that is copied
LEFT_OUT = ("node_modules", "venv", "__pycache__", "target", "build", "dist")
REPORT = ".share"
# Both write passed and all tests to the report, and nothing if they do not come so far: that share is 0.
RUN_DOCTESTS = """
import doctest, importlib.util, json, sys
sys.path.insert(0, ".")
spec = importlib.util.spec_from_file_location("candidate", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
found = doctest.testmod(module)
json.dump([found.attempted - found.failed, found.attempted], open(sys.argv[2], "w"))
"""
RUN_TESTS = """
import json, sys
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
json.dump([count.passed, count.all], open(sys.argv[2], "w"))
"""


class TrialError(UsageError):
    """A text cannot be tried: there is nothing to test it with, or nowhere safe to run it."""


class Trial:
    """Runs tests over a copy of the project.

    Parameters
    ----------
    situation
        The document, the cursor and the project.
    tests
        ``doctest``, or a path in the project for pytest.
    seconds, megabytes
        Bounds of one run.

    Raises
    ------
    TrialError
        The text is not Python or has no file, the project is too large to copy, the tests are missing, or there is no
        sandbox on this machine.
    """

    def __init__(self, situation: Situation, tests: str, *, seconds: float, megabytes: int) -> None:
        document = situation.document
        if document is None or document.path is None or document.language != "python":
            raise TrialError("pg-td tests Python files", "Name a FILE of Python, or choose another method")
        self._before, self._behind = document.text[: situation.offset], document.text[situation.offset :]
        self._seconds, self._megabytes = seconds, megabytes
        self._copy = Path(tempfile.mkdtemp(prefix="guiderail-trial-")).resolve()
        finalize(self, shutil.rmtree, self._copy, ignore_errors=True)
        path = document.path.absolute()
        root = situation.root.absolute() if situation.root and tests != DOCTEST else path.parent
        if tests != DOCTEST and not (root / tests).exists():
            raise TrialError(f"there are no tests at {root / tests}", "Name a test file or folder of the project")
        _copy(root, self._copy)
        self._file = self._copy / path.relative_to(root)
        script, target = (RUN_DOCTESTS, str(self._file)) if tests == DOCTEST else (RUN_TESTS, tests)
        self._command = [sys.executable, "-c", script, target, REPORT]
        refused = sandbox.run(["true"], self._copy, seconds=seconds, megabytes=megabytes).refused
        if refused:
            raise TrialError(f"there is no sandbox here: {refused}", "pg-td needs Linux with user namespaces")

    def share_passed(self, text: str) -> float:
        """Of the tests, with `text` at the cursor: the share that passes; 0 if the file does not even load."""
        self._file.write_text(self._before + text + self._behind, encoding="utf-8")
        report = self._copy / REPORT
        report.unlink(missing_ok=True)
        sandbox.run(self._command, self._copy, seconds=self._seconds, megabytes=self._megabytes)
        try:
            passed, count = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0.0
        return passed / count if count else 0.0


def _copy(root: Path, to: Path) -> None:
    """The project without what is hidden, installed or built."""

    def unwanted(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if name.startswith(".") or name in LEFT_OUT}

    size = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - unwanted(folder, folders))
        size += sum(file.stat().st_size for name in names if (file := Path(folder, name)).is_file())
        if size > LARGEST:
            raise TrialError(f"{root} is too large to be copied for tests", "Complete in a smaller project")
    shutil.copytree(root, to, ignore=unwanted, dirs_exist_ok=True)
