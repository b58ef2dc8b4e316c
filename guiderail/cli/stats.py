"""``guiderail stats``: how many suggestions editors have shown, and a person has accepted."""

import json

import click

from guiderail.errors import GuiderailError
from guiderail.lsp import usage


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def stats(ctx: click.Context, as_json: bool) -> None:
    """Print how many suggestions were shown and accepted, whole or in part, by language and model.

    The servers that editors start count them, in a file on this machine that only you can read. It holds counts, names
    of languages and names of models, and is sent nowhere. A running server adds what it has counted once a minute.
    """
    if ctx.invoked_subcommand is None:
        counted = usage.UsageFile().read()
        click.echo(json.dumps(usage.as_json(counted), indent=2) if as_json else usage.as_text(counted), nl=as_json)


@stats.command()
def reset() -> None:
    """Forget all counts."""
    file = usage.UsageFile()
    try:
        file.reset()
    except OSError as error:
        raise GuiderailError(f"{file.path} cannot be deleted: {error.strerror}", "See who owns it") from error
    click.echo("all counts are forgotten", err=True)
