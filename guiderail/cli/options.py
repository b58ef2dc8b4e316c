"""Flags made from the settings, and the settings made from the flags: each setting is described once."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from guiderail.cli.terminal import visible
from guiderail.errors import UsageError
from guiderail.resolution import Resolved, resolve
from guiderail.settings import default_of, flag_of, rule_of, user_file

STDIN = STDOUT = "-"
_NAMED = "guiderail.problems"  # those that a command has named, in its context

_Command = TypeVar("_Command", bound=Callable[..., Any])


class OutputFile(click.ParamType):
    """A file that is written at the end of a long run: whether it can be is found out before the run begins."""

    name = "file"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name as it is; ``-`` is standard output.

        Raises
        ------
        UsageError
            The file cannot be written.
        """
        if value != STDOUT:
            _try_to_write(Path(value))
        return value


class PictureFile(OutputFile):
    """A file for a picture."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name as it is.

        Raises
        ------
        UsageError
            It says that the picture is of another kind, or cannot be written.
        """
        if value != STDOUT and Path(value).suffix.lower() != ".svg":
            raise UsageError(f"cannot write {value}: a picture is SVG", "Name a file that ends in .svg")
        return super().convert(value, param, ctx)


OUTPUT = OutputFile()
PICTURE = PictureFile()


def _try_to_write(path: Path) -> None:
    """Open the file without changing it, and leave none after; a pipe's reader must not be disturbed."""
    place = Path(os.path.realpath(path))
    try:
        is_new = not place.exists()
        if is_new or place.is_file() or place.is_dir():
            place.open("ab").close()
        if is_new:
            place.unlink()
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "Choose another file") from error


def setting_flags(*keys: str) -> Callable[[_Command], _Command]:
    """Add one flag for each of ``keys``; a flag that is not given arrives as None.

    The values stay text: settings check them, so that a flag, a variable and a file fail in the same words.
    """

    def decorate(command: _Command) -> _Command:
        for key in reversed(keys):
            command = _flag(key)(command)
        return command

    return decorate


def _flag(key: str) -> Callable[[_Command], _Command]:
    rule, default, flag = rule_of(key), default_of(key), flag_of(key)
    if isinstance(default, bool):
        return click.option(f"{flag}/--no-{flag[2:]}", key, default=None, help=_help(key))
    if key == "parameters":
        text = f"{_help(key)}  Repeat for several."
        return click.option(flag, key, multiple=True, metavar="[NAME.]KEY=VALUE", callback=_joined, help=text)
    metavar = "|".join(rule.choices) or {int: "N", float: "X", str: key.upper()}[type(default)]
    return click.option(flag, key, default=None, metavar=metavar, help=_help(key))


def _joined(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> str | None:
    """The words of a repeated flag as one text that `shlex` takes apart again."""
    return shlex.join(words) if words else None


def _help(key: str) -> str:
    default = default_of(key)
    shown = str(default).lower() if isinstance(default, bool) else default
    sentence = rule_of(key).help
    return f"{sentence[0].upper()}{sentence[1:]}." + (f"  [default: {shown}]" if shown != "" else "")


def resolved(flags: dict[str, Any], start: Path | None = None) -> Resolved:
    """Settle the settings for work on the file or folder ``start`` (the current folder by default).

    What is left out of the project's file is named on standard error, once for a command.
    """
    from guiderail.prompt.project import find_root

    place = Path.cwd() if start is None else start.absolute()
    found = resolve(flags, os.environ, find_root(place), user_file())
    context = click.get_current_context(silent=True)
    named: set[str] = context.find_root().meta.setdefault(_NAMED, set()) if context else set()
    for problem in dict.fromkeys(found.problems):
        if problem not in named:
            named.add(problem)
            click.echo(f"guiderail: left out: {visible(' '.join(problem.split()))}", err=True)
    return found
