"""The laws of the command's frame: quick, one line on failure, the right exit code."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from guiderail import __version__
from guiderail.cli import main
from guiderail.cli.main import COMMANDS, LazyCommand, cli
from guiderail.errors import GuiderailError, UsageError
from tests.cli.conftest import SCRIPT, Result

Run = Callable[..., Result]


def raising(error: BaseException) -> Callable[[], None]:
    def callback() -> None:
        raise error

    return callback


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Put a command `fail` into the group that raises what it is told."""

    def prepare(error: BaseException) -> None:
        command = click.Command("fail", callback=raising(error))
        monkeypatch.setattr(LazyCommand, "load", lambda self: command)
        monkeypatch.setitem(COMMANDS, "fail", LazyCommand("none:none", ""))

    return prepare


@pytest.mark.e2e
@pytest.mark.parametrize("args", [["--help"], ["--version"], ["complete", "--help"], ["config", "show"]])
def test_start_up_loads_nothing_heavy(args: list[str]) -> None:
    """Help, version and settings load neither torch nor anything else that is slow, and few modules in all."""
    code = (
        "import sys; from guiderail.cli.main import run; code = run(sys.argv[1:]); "
        "heavy = {'torch', 'transformers', 'rich', 'huggingface_hub', 'tokenizers', 'numpy'} & sys.modules.keys(); "
        "many = len(sys.modules) if len(sys.modules) > 300 else 0; "
        "sys.exit(f'loaded {heavy or many}' if heavy or many else code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_version(guiderail: Run) -> None:
    """--version prints the name and the version."""
    assert guiderail("--version") == Result(0, f"guiderail {__version__}\n", "")


def test_help_lists_every_command(guiderail: Run) -> None:
    """The list shows each command with its line."""
    out = guiderail("--help").out
    for name, command in COMMANDS.items():
        assert f"  {name} " in out and command.help in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists(name: str) -> None:
    """Each target of the table can be imported, is a command, and explains itself."""
    command = COMMANDS[name].load()
    assert isinstance(command, click.Command)
    assert command.help


def test_without_a_command_the_help_goes_to_standard_error(guiderail: Run) -> None:
    """Calling the bare command is wrong use, answered by the help."""
    result = guiderail()
    assert (result.code, result.out) == (2, "")
    assert "Commands:" in result.err


def test_a_misspelt_command_names_the_nearest(guiderail: Run) -> None:
    """An unknown command is one line with the nearest name."""
    result = guiderail("modls")
    assert result.code == 2
    assert result.err == "guiderail: there is no command 'modls', did you mean 'models'? See 'guiderail --help'\n"


def test_an_unknown_option_is_one_line(guiderail: Run) -> None:
    """Wrong flags fail in one line that says where help is."""
    result = guiderail("complete", "--colum", "3")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "--column" in result.err
    assert "guiderail complete --help" in result.err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (GuiderailError("it broke", "Mend it"), 1, "guiderail: it broke. Mend it\n"),
        (UsageError("two\nlines"), 2, "guiderail: two lines\n"),
        (KeyboardInterrupt(), 130, "guiderail: interrupted\n"),
        (click.Abort(), 130, "guiderail: interrupted\n"),
        (click.exceptions.Exit(3), 3, ""),
    ],
)
def test_failures_have_one_line_and_a_code(
    guiderail: Run, failing: Callable[[BaseException], None], error: BaseException, code: int, line: str
) -> None:
    """Each kind of failure has its exit code and never a traceback."""
    failing(error)
    assert guiderail("fail") == Result(code, "", line)


def test_a_bug_leaves_its_traceback_in_a_file(
    guiderail: Run, failing: Callable[[BaseException], None], home: Path
) -> None:
    """What nobody foresaw is one line that names the log file, and the log file has the traceback."""
    failing(ZeroDivisionError("by zero"))
    result = guiderail("fail")
    log = home / "state" / "guiderail" / "errors.log"
    assert result.code == 70
    assert result.err == (
        f"guiderail: internal error: ZeroDivisionError: by zero. The traceback is in {log}; please report it\n"
    )
    assert "raise error" in log.read_text(encoding="utf-8")


def test_a_bug_is_told_even_where_no_log_can_be_written(
    guiderail: Run, failing: Callable[[BaseException], None], home: Path
) -> None:
    """A state folder that cannot be made does not hide the bug."""
    home.mkdir()
    (home / "state").write_text("a file in the way", encoding="utf-8")
    failing(ZeroDivisionError("by zero"))
    result = guiderail("fail")
    assert (result.code, result.err.count("\n")) == (70, 1)
    assert "ZeroDivisionError" in result.err
    assert "could not be written" in result.err


@pytest.mark.e2e
def test_a_closed_pipe_is_quiet() -> None:
    """A reader that goes away is no failure to talk about."""
    with subprocess.Popen([*SCRIPT, "config", "show"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


# Sends the interrupt when a module is looked for, as if somebody had pressed Ctrl-C just then.
INTERRUPTING = """
import os, signal, sys

wanted = sys.argv.pop(1)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
from guiderail.__main__ import main
main()
"""


@pytest.mark.e2e
@pytest.mark.parametrize(
    "module", ["guiderail.cli", "guiderail.cli.main", "click", "guiderail.errors", "guiderail.cli.config", "tomllib"]
)
def test_an_interrupt_while_starting_is_one_line(module: str) -> None:
    """Ctrl-C during an import of the start is one line and exit code 130, never a traceback."""
    command = [sys.executable, "-c", INTERRUPTING, module, "config", "show"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "guiderail: interrupted\n")


CLOSED = b"guiderail: cannot write: standard output is closed. Send it to a file, a pipe or /dev/null\n"


@pytest.mark.e2e
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("--version", 1, CLOSED),
        ("config show --json", 1, CLOSED),
        ("models ls", 1, CLOSED),
        ("complete app.py --max-tokens 4", 1, CLOSED),
        ("complete --positions /dev/null --output out.jsonl", 0, b"0 positions: 0 answered now\n"),
    ],
)
def test_an_answer_is_not_lost_silently(source: Path, command: str, code: int, says: bytes) -> None:
    """With standard output closed what would be written there fails; what writes a file only is done."""
    source.write_text("def f(x):\n    return x", encoding="utf-8")
    line = f"{' '.join(SCRIPT)} {command} >&-"
    done = subprocess.run(line, shell=True, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (code, says)


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("shell", "code", "says"),
    [
        ("> /dev/full", 1, b"guiderail: cannot write: No space left on device. Free some space and try again\n"),
        (">&-", 1, CLOSED),
        ("2>&-", 0, b""),
        ("<&-", 0, b""),
    ],
)
def test_odd_streams(shell: str, code: int, says: bytes) -> None:
    """A full disk and a closed output are one line; other closed streams are nobody's business."""
    command = f"{' '.join(SCRIPT)} config show {shell}"
    done = subprocess.run(command, shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (code, says)


@pytest.mark.e2e
def test_a_narrow_encoding_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stream's encoding cannot show is escaped."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii:strict")
    code = "from guiderail.cli import main, output; main._prepare_streams(); output.write('größe')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"gr\\xf6\\xdfe\n"


def test_the_shell_can_ask_for_completions() -> None:
    """TAB in a shell is answered with command names."""
    env = {"_GUIDERAIL_COMPLETE": "bash_complete", "COMP_WORDS": "guiderail do", "COMP_CWORD": "1"}
    done = subprocess.run(SCRIPT, env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "plain,doctor\n"


def test_exit_codes_are_those_of_a_shell() -> None:
    """130 and 141 are what a shell makes of the signals."""
    assert 128 + signal.SIGINT == main.INTERRUPTED
    assert 128 + signal.SIGPIPE == main.PIPE_CLOSED


def test_the_group_is_the_commands() -> None:
    """Every command that the group lists is one of the table."""
    context = click.Context(cli)
    assert set(cli.list_commands(context)) <= COMMANDS.keys()
