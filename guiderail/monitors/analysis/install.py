"""Installs language servers into private folders below the user's data folder; nothing else changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from guiderail import private, programs
from guiderail.errors import GuiderailError, UsageError
from guiderail.monitors.analysis import multilspy_host
from guiderail.monitors.analysis.server import Server
from guiderail.monitors.analysis.servers import known, server_named

TIMEOUT_S = 900


class InstallError(GuiderailError):
    """A language server cannot be fetched."""


def installable(name: str) -> Server:
    """The server to fetch for a language, or of that name.

    Raises
    ------
    UsageError
        There is none, or it is not to be had in this way; the remedy says how else.
    """
    from guiderail.text.language import language_named

    if name in {server.name for server in known()}:
        found = [server_named(name)]
    else:
        language = language_named(name)
        found = [server for server in known() if language in server.languages]
    fetched = [server for server in found if server.source]
    if fetched:
        return fetched[0]
    if not found:
        covered = sorted({language for server in known() for language in server.languages})
        raise UsageError(f"guiderail knows no analyser of {name}", f"Known are those of {', '.join(covered)}")
    raise UsageError(f"{found[-1].name} cannot be fetched by guiderail", _sentence(found[-1].obtain))


def install(server: Server) -> Path:
    """Fetch a server into its folder; returns its program.

    What is there of an earlier installation is replaced only when the new one works.

    Raises
    ------
    InstallError
        A tool is missing, or the network; what had been fetched is removed again.
    """
    assert server.source is not None
    home, before = server.home, server.home.with_name(f"{server.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if home.exists():
        home.rename(before)
    try:
        private.folder(home.parent)
        home.mkdir(mode=0o700)
        for command in _commands(server):
            _run(command, server)
        program = server.find()
        if program is None or not program.is_relative_to(home):
            missing = [name for name in server.needs if programs.find(name) is None]
            what = f"needs {' and '.join(missing)}" if missing else f"brought no {server.command[0]}"
            raise InstallError(f"{server.name} {what}", _sentence(server.obtain))
    except OSError as error:
        raise InstallError(f"cannot write to {home}: {error.strerror}", "Make room there") from error
    except InstallError:
        shutil.rmtree(home, ignore_errors=True)
        if before.exists():
            before.rename(home)
        raise
    shutil.rmtree(before, ignore_errors=True)
    return program


def uninstall(server: Server) -> bool:
    """Remove what `install` fetched; whether anything was there."""
    there = server.home.exists()
    shutil.rmtree(server.home, ignore_errors=True)
    return there


def _commands(server: Server) -> Iterator[Sequence[str]]:
    assert server.source is not None
    home, packages = server.home, server.source.packages
    python = str(home / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    match server.source.registry:
        case "npm":
            npm = _tool("npm", server)
            yield [npm, "install", "--prefix", str(home), "--no-audit", "--no-fund", "--ignore-scripts", *packages]
        case "go":
            yield [_tool("go", server), "install", *packages]
        case registry:
            yield [sys.executable, "-P", "-m", "venv", str(home / "venv")]
            yield [python, "-P", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
            if registry == "multilspy":
                yield [python, "-P", multilspy_host.__file__, server.languages[0], str(home)]


def _tool(name: str, server: Server) -> str:
    found = programs.find(name)
    if found is None:
        what = {"npm": "Node.js, which brings it", "go": "Go"}[name]
        raise InstallError(f"{server.name} is installed by {name}, which is not here", f"Install {what}")
    return found


def _run(command: Sequence[str], server: Server) -> None:
    environment = programs.environment() | {"GOBIN": str(server.home / "bin")}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment, timeout=TIMEOUT_S,
            check=False, cwd=server.home, umask=private.OTHERS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"installing {server.name} took too long", "Check the network and try again") from error
    if done.returncode:
        reason = _reason(done.stderr or done.stdout)
        raise InstallError(f"{server.name} cannot be fetched: {reason}", _remedy(server))


def _reason(output: str) -> str:
    """The line that says most: the first that speaks of an error, else the last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "no such host" in line]
    return ((errors or lines[-1:]) or ["no reason given"])[0][:300]


def _remedy(server: Server) -> str:
    assert server.source is not None
    if server.source.registry == "go" and programs.find("apt-get"):
        rights = "" if getattr(os, "geteuid", lambda: 1)() == 0 else "sudo "
        return f"Check the network, or run {rights}apt-get install gopls"
    if server.source.registry == "multilspy":
        others = (one.obtain for one in known() if one.languages == server.languages and one.source is None)
        return f"Check the network, or do without: {next(others, 'there is no other')}"
    return f"Check the network; by hand: {server.obtain}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] if " " in text and not text.startswith(("pip ", "npm ", "go ")) else f"Run {text}"
