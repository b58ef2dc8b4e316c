"""javac on one file of a project, against the project's sources."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from guiderail import programs
from guiderail.evaluation.checkers.checker import CannotCheck

TIMEOUT_S = 120
_PACKAGE = re.compile(r"^[ \t]*+package\s++([\w.]++)\s*+;", re.MULTILINE)
_ERROR = re.compile(r"^(?P<file>.+\.java):\d+: error: (?P<what>.*)$")


class Javac:
    """Errors of a file by the JDK's compiler; nothing is written into the project.

    Other files' errors do not count, and what missing dependencies leave unknown is wrong with the author's text too.
    """

    def errors(self, root: Path, path: str, text: str) -> list[str]:
        """See `Checker.errors`."""
        compiler = programs.find("javac", untrusted=root)
        if compiler is None:
            raise CannotCheck("no javac")
        with tempfile.TemporaryDirectory() as work:
            file = Path(work) / "own" / Path(*_package_of(text), Path(path).name)
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
            output = self._compile(compiler, file, [Path(work) / "own", _source_root(root, path, text)], Path(work))
        found = (_ERROR.match(line) for line in output.splitlines())
        return [match["what"] for match in found if match and Path(match["file"]) == file]

    def _compile(self, compiler: str, file: Path, sources: Sequence[Path], work: Path) -> str:
        nothing = work / "nothing"  # else the class path is the working directory, whose plug-ins would be started
        nothing.mkdir()
        words = (
            "-classpath", str(nothing), "-processorpath", str(nothing), "-proc:none",
            "-nowarn", "-implicit:none", "-XDshould-stop.ifError=FLOW", "-Xmaxerrs", "1000", "-d",
            str(work), "-encoding", "UTF-8", "-sourcepath", ":".join(map(str, sources)), str(file),
        )  # fmt: skip
        try:
            done = subprocess.run(
                [compiler, "-J-Duser.language=en", *words],
                capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd=work,
                env=programs.environment(untrusted=work),
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise CannotCheck("late") from error
        return done.stderr

    def stop(self) -> None:
        """Nothing runs on."""


def _package_of(text: str) -> list[str]:
    found = _PACKAGE.search(text)
    return found.group(1).split(".") if found else []


def _source_root(root: Path, path: str, text: str) -> Path:
    """The folder in which the file's package begins."""
    folders = Path(path).parent.parts
    depth = len(_package_of(text))
    return root.joinpath(*folders[: len(folders) - depth]) if depth <= len(folders) else root
