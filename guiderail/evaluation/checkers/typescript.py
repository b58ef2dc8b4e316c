"""tsc on one file of a project; the compiler is the project's, or npm's newest of version 5, fetched once."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from guiderail import private, programs
from guiderail.evaluation.checkers.checker import CannotCheck
from guiderail.evaluation.packages import cache_folder

TIMEOUT_S = 300
COMPILER = "typescript@5.9"
_ERROR = re.compile(r"^(?P<file>[^()]+)\(\d+,\d+\): error (?P<what>TS\d+: .*)$")
_OPTIONS = (
    "--noEmit", "--pretty", "false", "--skipLibCheck", "--strict", "--target", "es2022", "--module", "esnext",
    "--moduleResolution", "bundler", "--esModuleInterop", "--jsx", "preserve", "--allowImportingTsExtensions",
)  # fmt: skip


class Tsc:
    """Errors of a file by TypeScript's compiler; the file is put beside the author's while it runs."""

    def __init__(self) -> None:
        self._program: str | None = None

    def errors(self, root: Path, path: str, text: str) -> list[str]:
        """See `Checker.errors`."""
        file = root / path
        beside = file.with_name(f"guiderail-check-{file.name}")
        try:
            beside.write_text(text, encoding="utf-8")
            output = self._compile(root, beside)
        finally:
            beside.unlink(missing_ok=True)
        found = (_ERROR.match(line) for line in output.splitlines())
        return [match["what"] for match in found if match and (root / match["file"]).name == beside.name]

    def _compile(self, root: Path, file: Path) -> str:
        self._program = self._program or _compiler()
        words = [self._program, *_OPTIONS, str(file.relative_to(root))]
        try:
            done = subprocess.run(
                words, cwd=root, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
                env=programs.environment(untrusted=root),
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise CannotCheck("late") from error
        return done.stdout

    def stop(self) -> None:
        """Nothing runs on."""


def _compiler() -> str:
    folder = cache_folder().parent / "typescript"
    program = folder / "node_modules" / ".bin" / "tsc"
    if not program.exists():
        npm = programs.find("npm")
        if npm is None:
            raise CannotCheck("no npm")
        private.folder(folder)
        flags = ("--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder))
        done = subprocess.run(
            [npm, "install", *flags, COMPILER],
            cwd=folder,
            env=programs.environment(),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise CannotCheck("no tsc")
    return str(program)
