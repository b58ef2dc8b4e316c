"""``guiderail complete``: one cursor, or a file of many."""

import sys
from pathlib import Path
from typing import Any

import click

from guiderail.cli.cursor import request_at
from guiderail.cli.loading import load_engine
from guiderail.cli.options import STDIN, resolved, setting_flags
from guiderail.cli.terminal import visible
from guiderail.engine.engine import Engine
from guiderail.engine.notices import notices
from guiderail.engine.request import CompletionRequest
from guiderail.errors import UsageError
from guiderail.text.document import Document


@click.command()
@click.argument("file", required=False)
@click.option("--line", type=int, help="Line of the cursor, from 1.  [default: the last line]")
@click.option("--column", type=int, help="Code points before the cursor, from 0.  [default: the line's end]")
@click.option("--language", metavar="NAME", help="Language of the text, where the file name does not say it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md has the schema).")
@click.option("--watch", is_flag=True, help="Follow FILE as it is saved; say what the cache does with each change.")
@click.option("--positions", metavar="FILE.jsonl", help="Complete at every position listed in this file.")
@click.option("--output", metavar="FILE.jsonl", default=STDIN, help="Where --positions writes; resumed if it exists.")
@setting_flags(
    "suggestions", "until", "end_loops", "max_tokens", "context", "context_tokens", "prompt_tokens", "layout",
    "cache_policy", "model", "api_key_env", "device", "dtype", "threads", "project_ngrams", "monitors", "only_monitors",
    "analyser", "python", "trust", "method", "drafter", "draft_model", "parameters", "temperature", "top_k", "top_p",
    "min_p", "seed", "log_level", "cache_mb", "verdict", "confidence",
)  # fmt: skip
def complete(
    file: str | None,
    line: int | None,
    column: int | None,
    language: str | None,
    as_json: bool,
    watch: bool,
    positions: str | None,
    output: str,
    **flags: Any,
) -> None:
    """Complete code at a cursor in FILE, or in the text on standard input.

    \b
    guiderail complete app.py --line 12 --column 8
    git show HEAD:app.py | guiderail complete --language python
    guiderail complete --positions cursors.jsonl --output answers.jsonl
    guiderail complete --watch app.py
    """
    if positions is not None:
        given = {"FILE": file, "--line": line, "--column": column, "--language": language, "--watch": watch or None}
        _refuse(given, "stands in each line of --positions already")
        from guiderail.cli.positions import complete_all

        complete_all(positions, output, resolved(flags).settings)
        return
    if watch:
        _watch(file, {"--line": line, "--column": column, "--language": language}, as_json, flags)
        return
    _refuse({"--output": None if output == STDIN else output}, "needs --positions")
    document = _read(file, language)
    request = request_at(document, line, column, resolved(flags, document.path).settings)
    for notice in notices(request.settings, document.language, "Name it with --language"):
        click.echo(f"guiderail: {visible(notice)}", err=True)
    _show(load_engine(request.settings, request), request, as_json)


def _watch(file: str | None, given: dict[str, object], as_json: bool, flags: dict[str, Any]) -> None:
    """Follow a file; the cursor is at its last change."""
    _refuse(given, "is not for --watch")
    if file is None or file == STDIN:
        raise UsageError("--watch needs a FILE", "Name the file that you edit")
    from guiderail.cli.watch import watch

    path = Path(file)
    watch(path, resolved(flags, path).settings, as_json=as_json)


def _refuse(given: dict[str, object], why: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} {why}", "Leave it out")


def _show(engine: Engine, request: CompletionRequest, as_json: bool) -> None:
    from guiderail.cli import output

    found = engine.complete(request)
    if as_json:
        output.write(output.as_json(request, found, engine.described))
    elif any(suggestion.text for suggestion in found.suggestions):
        text = output.as_text(
            request.document, found, colour=output.wants_colour(sys.stdout), terminal=sys.stdout.isatty()
        )
        output.write(text)
    else:
        reasons = found.why_less
        nothing = "the model has nothing to suggest here"
        click.echo(visible(f"nothing to suggest; dropped: {'; '.join(reasons)}") if reasons else nothing, err=True)


def _read(file: str | None, language: str | None) -> Document:
    from guiderail.text.language import language_named
    from guiderail.text.source import read_source, read_stream

    name = language_named(language) if language else None
    if file not in {None, STDIN}:
        return read_source(Path(str(file)), name)
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("nothing to complete", "Name a FILE, or send a text to standard input")
    document = read_stream(sys.stdin.buffer, name)
    if not document.text:
        raise UsageError("standard input is empty", "Send the text before the cursor")
    return document
