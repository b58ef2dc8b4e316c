"""``guiderail analysers``: who analyses which language on this machine, how to get others, whether they work."""

import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.output import wants_colour
from guiderail.cli.terminal import visible
from guiderail.cli.workspace import leave_out_programs
from guiderail.errors import UsageError
from guiderail.text.languages.table import BY_NAME

if TYPE_CHECKING:
    from guiderail.monitors.analysis.server import Server

CHECK_S = 60.0


@click.group()
def analysers() -> None:
    """See who analyses which language, get the others, and say which workspaces you trust."""
    leave_out_programs()


@analysers.command("ls")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_all(as_json: bool) -> None:
    """List the analysers that guiderail knows."""
    from guiderail.monitors.analysis.servers import choose, known

    rows = [
        {
            "name": server.name,
            "languages": list(server.languages),
            "program": str(server.find() or "") or None,
            "chosen": [language for language in server.languages if choose(language) is server],
            "executes": server.executes,
            "installable": server.source is not None,
            "obtain": server.obtain,
        }
        for server in known()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        get = f"guiderail analysers install {row['name']}" if row["installable"] else row["obtain"]
        place = row["program"] or f"not installed: {get}"
        chosen = "  (taken by auto)" if row["chosen"] else ""
        click.echo(f"{row['name']:<28}{row['languages'][0]:<12}{place}{chosen}")


@analysers.command()
@click.argument("names", nargs=-1, required=True, metavar="LANGUAGE|NAME…")
def install(names: tuple[str, ...]) -> None:
    """Fetch the analysers of languages, or analysers by name, into folders of guiderail's own.

    Nothing else on the machine changes; `uninstall` removes the folder again.
    """
    from guiderail.monitors.analysis import install as installation

    for server in [installation.installable(name) for name in names]:
        click.echo(f"fetching {server.name} …", err=True)
        click.echo(f"{server.name:<28}{installation.install(server)}")


@analysers.command()
@click.argument("names", nargs=-1, required=True, metavar="LANGUAGE|NAME…")
def uninstall(names: tuple[str, ...]) -> None:
    """Remove what `install` fetched."""
    from guiderail.monitors.analysis import install as installation

    for server in [installation.installable(name) for name in names]:
        there = installation.uninstall(server)
        click.echo(f"{server.name} {'removed' if there else 'was not installed by guiderail'}")


@analysers.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--remove", is_flag=True, help="Trust the folder no more.")
@click.option("--list", "as_list", is_flag=True, help="List the folders that are trusted.")
def trust(folder: Path, remove: bool, as_list: bool) -> None:
    """Let analysers run programs of the projects in FOLDER and below: build scripts, its Python.

    Elsewhere only those start that execute nothing of the project.
    """
    from guiderail.monitors.analysis import workspaces

    if as_list:
        for one in workspaces.trusted():
            click.echo(visible(str(one)) if sys.stdout.isatty() else one)
    elif remove:
        if not workspaces.distrust(folder):
            raise UsageError(f"{folder.resolve()} is not on the list", "See guiderail analysers trust --list")
        click.echo(f"{visible(str(folder.resolve()))} is trusted no more")
    else:
        workspaces.trust(folder)
        click.echo(f"{visible(str(folder.resolve()))} is trusted")


@analysers.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(names: tuple[str, ...], as_json: bool) -> None:
    """Start analysers and ask each for the members of a small class; all installed ones by default.

    The exit code is 1 if one of them fails.
    """
    from guiderail.monitors.analysis.servers import known, server_named

    chosen = [server_named(name) for name in names] or [server for server in known() if server.find()]
    if not chosen:
        raise UsageError("no analyser is installed", "Run guiderail analysers install python")
    rows = list(_checked(chosen, quiet=as_json))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    if not all(row["ok"] for row in rows):
        raise click.exceptions.Exit(1)


def _checked(servers: "Iterable[Server]", *, quiet: bool) -> Iterable[dict[str, Any]]:
    for server in servers:
        row = _check(server)
        if not quiet:
            colour = "green" if row["ok"] else "red"
            word = click.style("ok    " if row["ok"] else "failed", fg=colour, bold=True)
            click.echo(f"{word}  {server.name:<28}{row['detail']}", color=wants_colour(sys.stdout))
            sys.stdout.flush()
        yield row


def _check(server: "Server") -> dict[str, Any]:
    from guiderail.monitors.analysis.answers import NoAnswer

    failed = {"name": server.name, "ok": False}
    if server.find() is None:
        return failed | {"detail": f"not installed: {server.obtain}"}
    sampled = next((name for name in server.languages if name in BY_NAME and BY_NAME[name].sample), None)
    if sampled is None:
        return failed | {"detail": f"there is no sample of {server.languages[0]} to ask about"}
    try:
        found, first_ms, next_ms = _asked(server, sampled)
    except (NoAnswer, TimeoutError) as error:
        return failed | {"detail": f"no answer: {error or f'not within {CHECK_S:.0f} s'}"}
    if "left" not in found:
        return failed | {"detail": "answers, but does not know the members of a class"}
    detail = f"first answer {first_ms:.0f} ms, the next {next_ms:.0f} ms"
    return {"name": server.name, "ok": True, "detail": detail, "first_ms": first_ms, "next_ms": next_ms}


def _asked(server: "Server", language: str) -> tuple[set[str], float, float]:
    """The members of the sample, and the times of two answers: the second one is typical while typing."""
    from guiderail.monitors.analysis.analyser import ServerAnalyser
    from guiderail.monitors.analysis.requests import MEMBERS, Question

    sample = BY_NAME[language].sample
    assert sample is not None, "languages without one are reported before"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve() / sample.file
        for name, content in {**sample.others, sample.file: sample.before + sample.after}.items():
            place = Path(folder).resolve() / name
            place.parent.mkdir(exist_ok=True)
            place.write_text(content, encoding="utf-8")
        analyser = ServerAnalyser(server, Path(folder).resolve(), lambda _: None)
        try:
            times, found = [], set()
            for first_line in ("", "\n"):
                began = time.perf_counter()
                before = first_line + sample.before
                question = Question(path, language, before + sample.after, len(before))
                found = {member.name for member in analyser.ask(MEMBERS, question).result(CHECK_S).items}
                times.append(1000 * (time.perf_counter() - began))
        finally:
            analyser.stop()
    return found, times[0], times[1]
