"""``guiderail lsp``: the language server that editors start."""

import os
from typing import Any

import click

from guiderail.cli.options import resolved, setting_flags
from guiderail.errors import UsageError
from guiderail.resolution import TOKEN


@click.command()
@click.option("--stdio", is_flag=True, help="Serve one client on standard input and output (the default).")
@click.option("--tcp", metavar="HOST:PORT", help="Serve clients on the network; HOST is 127.0.0.1 if left out.")
@click.option("--token", help=f"What network clients must give; from {TOKEN}, or made and printed, by default.")
@click.option("--clientProcessId", "client", hidden=True, help="Given by VS Code's client library; not needed.")
@setting_flags(
    "model", "api_key_env", "device", "dtype", "threads", "until", "max_tokens", "end_loops", "layout", "context",
    "context_tokens", "prompt_tokens", "project_ngrams", "method", "parameters", "drafter", "draft_model", "verdict",
    "confidence",
    "monitors", "only_monitors", "analyser", "python", "trust", "cache_policy", "cache_mb", "temperature", "top_k",
    "top_p", "min_p", "seed", "offer_models", "log_level",
)  # fmt: skip
def lsp(stdio: bool, tcp: str | None, token: str | None, client: str | None, **flags: Any) -> None:
    """Serve editors: suggestions as people type.

    Editors start this by themselves; see docs/lsp.md for their settings.

    \b
    guiderail lsp
    guiderail lsp --tcp 127.0.0.1:5007
    """
    settings = resolved(flags).settings
    if stdio and tcp is not None:
        raise UsageError("--stdio and --tcp exclude each other", "Leave one out")
    if token is not None and tcp is None:
        raise UsageError("--token needs --tcp", "Leave it out: standard input and output need no token")
    from guiderail.lsp.launch import run_stdio, run_tcp
    from guiderail.lsp.network import address_of

    given = {key: value for key, value in flags.items() if value is not None}
    if tcp is None:
        run_stdio(settings, given)
    run_tcp(settings, given, address_of(tcp), token or os.environ.get(TOKEN) or None)
