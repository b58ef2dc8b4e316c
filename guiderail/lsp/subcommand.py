"""Runs guiderail's own sub-commands in processes that end with this one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable

from guiderail import programs
from guiderail.errors import GuiderailError
from guiderail.monitors.analysis import launcher

_LINE_LIMIT = 1 << 20  # bytes of a line of output; what `models recommend` prints has several kilobytes in all
_PREFIX = "guiderail: "


class SubcommandError(GuiderailError):
    """A sub-command failed; the message is its own last line."""


async def run(*words: str, on_line: Callable[[str], None] = lambda _: None) -> str:
    """Run a sub-command, and return what it prints on standard output.

    It is started in an empty folder, so that nothing of a workspace steers it, and ends when this is cancelled, or with
    this process.

    Parameters
    ----------
    words
        Sub-command and arguments.
    on_line
        Called with each line on standard error.

    Raises
    ------
    SubcommandError
        It failed, or cannot be started.
    """
    try:
        process = await _started(*words)
    except OSError as error:
        raise SubcommandError(f"guiderail {words[0]} cannot be started ({error.strerror})") from error
    try:
        output, last = await asyncio.gather(_text(process.stdout), _lines(process.stderr, on_line))
        code = await process.wait()
    finally:
        _end(process)
        await process.wait()
    if code:
        raise SubcommandError(last.removeprefix(_PREFIX) or f"guiderail {' '.join(words)} ended with code {code}")
    return output


async def _started(*words: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-P", "-m", "guiderail", *words]
    if os.name == "posix":  # it leads a group of its own, and on Linux dies with this process
        command = [sys.executable, "-I", "-S", launcher.__file__, str(os.getpid()), "0", "null", *command]
    nothing = asyncio.subprocess.DEVNULL
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *command, stdin=nothing, stdout=pipe, stderr=pipe, cwd=programs.working_directory(), limit=_LINE_LIMIT
    )


async def _text(stream: asyncio.StreamReader | None) -> str:
    return (await stream.read()).decode(errors="replace") if stream else ""


async def _lines(stream: asyncio.StreamReader | None, on_line: Callable[[str], None]) -> str:
    """Pass on each line, and return the last one."""
    last = ""
    while stream and (data := await stream.readline()):
        last = data.decode(errors="replace").strip() or last
        on_line(last)
    return last


def _end(process: asyncio.subprocess.Process) -> None:
    """End a process that still runs, with all that it started."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
