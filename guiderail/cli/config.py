"""``guiderail config``: what is set, to what, and by whom."""

import json
from pathlib import Path

import click

from guiderail.cli.options import resolved
from guiderail.cli.terminal import visible
from guiderail.resolution import Resolved
from guiderail.settings import KEYS, allowed, basic, rule_of, user_file


def _of_projects() -> str:
    """The settings that a project may decide, with the most that it may set."""
    rules = {key: rule_of(key) for key in KEYS if rule_of(key).owner == "both"}
    return ", ".join(
        key if rule.project_most is None else f"{key} ({_at_most(rule.project_most)})" for key, rule in rules.items()
    )


def _at_most(most: int) -> str:
    return "off only" if most is False else f"up to {most}"


def _basic() -> str:
    """The basic settings, one a line."""
    width = max(map(len, basic()))
    return "\n".join(f"    {key:<{width}}  {rule_of(key).help}" for key in basic())


def _advanced() -> str:
    return ", ".join(key for key in KEYS if key not in basic())


@click.group(
    help=f"""Show the settings and where each came from.

    A flag goes before an environment variable (GUIDERAIL_MODEL and so on), that before the project's
    pyproject.toml [tool.guiderail], that before your own config.toml, and that before the default.

    A project may decide: {_of_projects()}. More only where you set more. All else is yours: what a
    project says of it is named and left out.

    The settings to look at first:

    \b
{_basic()}

    Advanced, described by `guiderail config show --json` and docs/cli.md: {_advanced()}.
    """
)
def config() -> None: ...


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(as_json: bool) -> None:
    """Print every setting, its value and its source."""
    now = resolved({})
    click.echo(_as_json(now) if as_json else visible(_as_table(now)))


@config.command()
def path() -> None:
    """Print the files that are read, the strongest first, whether they exist or not."""
    from guiderail.prompt.project import find_root

    root = find_root(Path.cwd())
    if root is not None:
        click.echo(root / "pyproject.toml")
    click.echo(user_file())


def _as_json(now: Resolved) -> str:
    rows = {
        key: {
            "value": now.value(key),
            "source": {"kind": now.source(key).kind, "place": now.source(key).place},
            "allowed": allowed(key),
            "help": rule_of(key).help,
            "owner": rule_of(key).owner,
            "project_most": rule_of(key).project_most,
        }
        for key in KEYS
    }
    return json.dumps(rows, indent=2)


def _as_table(now: Resolved) -> str:
    """One setting a line, in the words of TOML so that a line can be copied into a file."""
    cells = [(key, json.dumps(now.value(key)), str(now.source(key))) for key in KEYS]
    widths = [max(len(row[column]) for row in cells) for column in range(2)]
    return "\n".join(f"{key:<{widths[0]}} = {value:<{widths[1]}}  # {source}" for key, value, source in cells)
