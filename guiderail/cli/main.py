"""The ``guiderail`` command: finds the sub-command, and turns every failure into one line and an exit code.

    0    done                          70   a bug of ours: the traceback is in a log file
    1    failed (GuiderailError)       130  interrupted
    2    wrong use (UsageError)        141  the reader of our output went away

Nothing heavy is imported before the sub-command is known, so that ``--help`` answers at once.
"""

import difflib
import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

import click

from guiderail import __version__, openmp
from guiderail.cli.terminal import visible
from guiderail.errors import GuiderailError, sentences

PROGRAM = "guiderail"
INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 128 + 2  # what a shell reports for SIGINT
PIPE_CLOSED = 128 + 13  # ... and for SIGPIPE


@dataclass(frozen=True)
class LazyCommand:
    """A command that is imported when it is called; the list of commands shows ``help``."""

    target: str  # "module:attribute"
    help: str

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)


COMMANDS = {
    "complete": LazyCommand("guiderail.cli.complete:complete", "Complete code at a cursor position."),
    "next": LazyCommand("guiderail.cli.next:next_edits", "Find what follows from a change elsewhere."),
    "lsp": LazyCommand("guiderail.cli.lsp:lsp", "Serve editors: suggestions as people type."),
    "serve": LazyCommand("guiderail.cli.serve:serve", "Serve other editors' plug-ins over HTTP."),
    "methods": LazyCommand("guiderail.cli.methods:methods", "List the ways to decode, and what goes together."),
    "calibrate": LazyCommand("guiderail.cli.calibrate:calibrate", "Learn where a model is unsure, for adadec."),
    "models": LazyCommand("guiderail.cli.models:models", "List, show, fetch, remove and choose models."),
    "analysers": LazyCommand("guiderail.cli.analysers:analysers", "List and check the static analysers."),
    "doctor": LazyCommand("guiderail.cli.doctor:doctor", "Check that everything works on this machine."),
    "config": LazyCommand("guiderail.cli.config:config", "Show the settings and where each came from."),
    "stats": LazyCommand("guiderail.cli.stats:stats", "Count what editors showed and you accepted."),
    "eval": LazyCommand("guiderail.cli.eval:evaluate", "Measure how good the suggestions are."),
    "bench": LazyCommand("guiderail.cli.bench:bench", "Measure how fast the suggestions are."),
    "demo": LazyCommand("guiderail.cli.demo:demo", "Complete real code, in colour."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported one by one, when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order a person meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; a wrong name fails here, naming the nearest right one."""
        if cmd_name in COMMANDS:
            return COMMANDS[cmd_name].load()
        near = difflib.get_close_matches(cmd_name, COMMANDS, n=1)
        hint = f", did you mean '{near[0]}'?" if near else ""
        raise click.UsageError(f"there is no command '{cmd_name}'{hint}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the list from the stored lines, so that help imports nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].help) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def cli() -> None:
    """Complete code with a model that runs on your own machine.

    Results go to standard output, progress and messages to standard error.
    """


def run(args: Sequence[str]) -> int:
    """Run the command line ``args`` and return its exit code; never lets an exception out."""
    try:
        try:
            with cli.make_context(PROGRAM, list(args)) as ctx:
                cli.invoke(ctx)
        finally:
            sys.stdout.flush()  # now, while a closed pipe can still be reported as such
    except (Exception, KeyboardInterrupt) as error:
        return _report(error)
    return 0


def _report(error: BaseException) -> int:
    """Say in one line what went wrong; return the exit code."""
    match error:
        case click.exceptions.Exit():
            message, code = "", error.exit_code
        case click.exceptions.NoArgsIsHelpError():
            message, code = "", error.exit_code
            error.show()  # a group without a sub-command prints its help
        case click.ClickException():
            message, code = _one_line(error), error.exit_code
        case GuiderailError():
            message, code = str(error), error.exit_code
        case KeyboardInterrupt() | click.Abort():
            message, code = "interrupted", INTERRUPTED
        case BrokenPipeError():
            message, code = "", PIPE_CLOSED
            _point_at_nothing(sys.stdout.fileno())  # the interpreter's own last flush must stay quiet
        case OSError(errno=errno.ENOSPC):
            message, code = f"cannot write: {error.strerror}. Free some space and try again", GuiderailError.exit_code
            _point_at_nothing(sys.stdout.fileno())
        case _:
            message, code = _internal(error), INTERNAL_ERROR
    if message:
        _complain(message)
    return code


def _one_line(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    return sentences(message, f"See '{context.command_path} --help'" if context else "")


def _complain(message: str) -> None:
    """Print one line on standard error, even if that is closed."""
    try:
        print(f"{PROGRAM}: {visible(' '.join(message.split()))}", file=sys.stderr, flush=True)
    except OSError:
        _point_at_nothing(sys.stderr.fileno())


def _point_at_nothing(descriptor: int) -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def _internal(error: BaseException) -> str:
    """Write the traceback to a log file and say where it is."""
    import datetime
    import traceback

    import platformdirs

    from guiderail import private

    summary = f"internal error: {type(error).__name__}: {error}"
    log = platformdirs.user_state_path("guiderail") / "errors.log"
    try:
        private.folder(log.parent)
        with open(log, "a", encoding="utf-8", opener=private.opener) as file:
            file.write(f"--- {datetime.datetime.now().astimezone().isoformat()} guiderail {__version__}\n")
            file.write("".join(traceback.format_exception(error)))
    except OSError as trouble:
        return f"{summary} (and its traceback could not be written to {log}: {trouble.strerror})"
    return f"{summary}. The traceback is in {log}; please report it"


class ClosedOutput(io.TextIOBase):
    """Stands in for a standard output that was closed before the start: a result must not get lost silently."""

    def __init__(self) -> None:
        # Takes the number of standard output, which a file opened later would get otherwise.
        self._descriptor = os.open(os.devnull, os.O_WRONLY)

    def fileno(self) -> int:
        """The descriptor of the substitute."""
        return self._descriptor

    def write(self, text: str, /) -> int:
        """Refuse any text."""
        if text:
            raise _closed()
        return 0

    @property
    def buffer(self) -> BinaryIO:
        """Refuse bytes too."""
        raise _closed()


def _closed() -> GuiderailError:
    return GuiderailError("cannot write: standard output is closed", "Send it to a file, a pipe or /dev/null")


def _prepare_streams() -> None:
    """Make both streams usable: writing to a closed one fails clearly, an ASCII one escapes what it cannot show."""
    if sys.stdout is None:
        sys.stdout = ClosedOutput()
    else:
        _escaping(sys.stdout)
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (to the end)
    _escaping(sys.stderr)


def _escaping(stream: object) -> None:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def main() -> NoReturn:
    """Run the command line of this process."""
    _prepare_streams()
    openmp.spin_less()
    instruction = os.environ.get("_GUIDERAIL_COMPLETE")
    if instruction:  # the shell asks what could stand after TAB
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(cli, {}, PROGRAM, "_GUIDERAIL_COMPLETE", instruction))
    sys.exit(run(sys.argv[1:]))
