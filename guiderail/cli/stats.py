"""``guiderail stats``: how many suggestions editors have shown, and a person has accepted."""

import json
from dataclasses import asdict

import click

from guiderail.errors import GuiderailError
from guiderail.lsp import feedback, usage


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def stats(ctx: click.Context, as_json: bool) -> None:
    """Print how many suggestions were shown and accepted, whole or in part, by language and model.

    The servers that editors start count them, in a file on this machine that only you can read. It holds counts, names
    of languages and names of models, and is sent nowhere. A running server adds what it has counted once a minute.
    """
    if ctx.invoked_subcommand is None:
        counted, learned = usage.UsageFile().read(), feedback.Feedback().shifts()
        found = usage.as_json(counted) | {"confidence": {name: asdict(shift) for name, shift in learned.items()}}
        text = usage.as_text(counted) + feedback.as_text(learned)
        click.echo(json.dumps(found, indent=2) if as_json else text, nl=as_json)


@stats.command()
def reset() -> None:
    """Forget all counts, and what was learned from them."""
    for file in (usage.UsageFile(), feedback.Feedback()):
        try:
            file.reset()
        except OSError as error:
            raise GuiderailError(f"{file.path} cannot be deleted: {error.strerror}", "See who owns it") from error
    click.echo("all counts are forgotten", err=True)
