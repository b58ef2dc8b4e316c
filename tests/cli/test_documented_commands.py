"""Commands in the README and the docs are ones that the command line accepts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from guiderail.cli.main import PROGRAM, cli

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "datasets/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "editors").glob("*.md")),
    *sorted((ROOT / "editors").glob("*/README.md")),
]
PLACEHOLDER = re.compile(r"[A-Z]")  # one letter stands for a number


def examples(page: str) -> Iterator[list[str]]:
    """The arguments of every command in a page's code blocks, fenced or not."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    blocks = [*fenced, "\n".join(line for line in page.splitlines() if line.startswith("    "))]
    for block in blocks:
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            yield from arguments_in(line)


def mentions(page: str) -> Iterator[list[str]]:
    """The arguments of every command in a page's code spans."""
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", page):
        yield from arguments_in(" ".join(span.split()))


def arguments_in(line: str) -> Iterator[list[str]]:
    """The arguments of a line's commands, with all optional parts; none of one that is a pattern of several."""
    for part in re.split(r"\s(?:\||&&)\s", line):
        found = re.match(rf"\s*(?:\w+=\S+ )*(?:\S*/)?{PROGRAM} (?P<arguments>.*)", part)
        if found and "COMMAND" not in part and "…" not in part:
            words = shlex.split(re.sub(r"[\[\]]", "", found["arguments"]), comments=True)
            yield ["1" if PLACEHOLDER.fullmatch(word) else word for word in words]


def parse(arguments: list[str]) -> None:
    """Parse as the command line does, and run nothing; a file need not be there."""
    command: click.Command = cli
    parent: click.Context | None = None
    try:
        while True:
            parent = command.make_context(command.name or PROGRAM, arguments, parent=parent)
            rest = [*parent._protected_args, *parent.args]
            if not isinstance(command, click.Group) or not rest:
                return
            _, found, arguments = command.resolve_command(parent, rest)
            assert found is not None
            command = found
    except (click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):  # help, of a command or a group
        return
    except click.BadParameter as error:
        if not error.format_message().endswith("does not exist."):
            raise


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_is_accepted(page: Path) -> None:
    """By its options and the values that they take; in running text an argument may be missing."""
    text = page.read_text(encoding="utf-8")
    wrong = [shlex.join(found) for found in examples(text) if refusal(found)]
    wrong += [
        shlex.join(found) for found in mentions(text) if not isinstance(refusal(found), click.MissingParameter | None)
    ]
    assert wrong == []


def refusal(arguments: list[str]) -> click.ClickException | None:
    """Why arguments are refused; None if they are not."""
    try:
        parse(arguments)
    except click.ClickException as error:
        return error
    return None


@pytest.mark.parametrize(
    "text",
    [
        "    guiderail complete app.py --nonsense\n",
        "    git show | guiderail complete --line x\n",
        "    guiderail eval run quick \\\n      --no-such-option\n",
        "    guiderail models pull   # nothing named\n",
        "```sh\nA=b .venv/bin/guiderail evaluate\n```\n",
        "    guiderail eval run a b c [--out DIR]   # too many\n",
    ],
)
def test_a_wrong_example_is_found(text: str) -> None:
    """In code blocks, fenced or not, over several lines, alone or after a pipe."""
    (arguments,) = examples(text)
    assert refusal(arguments) is not None


def test_a_wrong_mention_is_found() -> None:
    """Also over a line end."""
    (arguments,) = mentions("See `guiderail\nmodels fetch`.\n")
    assert isinstance(refusal(arguments), click.UsageError)


def test_pages_have_commands() -> None:
    """The README and the docs have enough for the test to say something."""
    counted = [len(list(examples(page.read_text(encoding="utf-8")))) for page in PAGES]
    assert counted[0] > 5 and sum(counted) > 50
