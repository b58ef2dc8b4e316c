"""``guiderail analysers``: who analyses which language on this machine, and whether they work."""

import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.output import wants_colour
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from guiderail.monitors.analysis.server import Server

CHECK_S = 60.0
# A class whose members must be listed behind the last dot, by language.
SAMPLES = {
    "python": ("sample.py", "class Point:\n    def __init__(self):\n        self.left = 1\n\n\nPoint().", {"left"}),
}


@click.group()
def analysers() -> None:
    """See who analyses which language, and whether they work."""


@analysers.command("ls")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_all(as_json: bool) -> None:
    """List the analysers that guiderail knows."""
    from guiderail.monitors.analysis.server import SERVERS, choose

    rows = [
        {
            "name": server.name,
            "languages": list(server.languages),
            "program": str(server.find() or "") or None,
            "chosen": [language for language in server.languages if choose(language) is server],
            "obtain": server.obtain,
        }
        for server in SERVERS
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        place = row["program"] or f"not installed: {row['obtain']}"
        chosen = "  (taken by auto)" if row["chosen"] else ""
        click.echo(f"{row['name']:<14}{', '.join(row['languages']):<10}{place}{chosen}")


@analysers.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(names: tuple[str, ...], as_json: bool) -> None:
    """Start analysers and ask each for the members of a small class; all installed ones by default.

    The exit code is 1 if one of them fails.
    """
    from guiderail.monitors.analysis.server import SERVERS, server_named

    chosen = [server_named(name) for name in names] or [server for server in SERVERS if server.find()]
    if not chosen:
        raise UsageError("no analyser is installed", "Run pip install pyrefly")
    rows = list(_checked(chosen, quiet=as_json))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    if not all(row["ok"] for row in rows):
        raise click.exceptions.Exit(1)


def _checked(servers: "Iterable[Server]", *, quiet: bool) -> list[dict[str, Any]]:
    rows = []
    for server in servers:
        rows.append(_check(server))
        if not quiet:
            colour = "green" if rows[-1]["ok"] else "red"
            word = click.style("ok    " if rows[-1]["ok"] else "failed", fg=colour, bold=True)
            click.echo(f"{word}  {server.name:<14}{rows[-1]['detail']}", color=wants_colour(sys.stdout))
            sys.stdout.flush()
    return rows


def _check(server: "Server") -> dict[str, Any]:
    """Ask twice about a sample: the second answer is what typing feels like."""
    from guiderail.monitors.analysis.analyser import ServerAnalyser
    from guiderail.monitors.analysis.answers import NoAnswer
    from guiderail.monitors.analysis.requests import MEMBERS, Question

    file, text, wanted = SAMPLES[server.languages[0]]
    if server.find() is None:
        return {"name": server.name, "ok": False, "detail": f"not installed: {server.obtain}"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve() / file
        path.write_text(text, encoding="utf-8")
        analyser = ServerAnalyser(server, path.parent, lambda _: None)
        try:
            times = []
            for ahead in ("", "\n"):
                began = time.perf_counter()
                question = Question(path, server.languages[0], ahead + text, len(ahead + text))
                found = {member.name for member in analyser.ask(MEMBERS, question).result(CHECK_S).items}
                times.append(1000 * (time.perf_counter() - began))
        except NoAnswer as error:
            return {"name": server.name, "ok": False, "detail": f"no answer: {error}"}
        except TimeoutError:
            return {"name": server.name, "ok": False, "detail": f"no answer within {CHECK_S:.0f} s"}
        finally:
            analyser.stop()
    detail = f"first answer {times[0]:.0f} ms, the next {times[1]:.0f} ms"
    if not wanted <= found:
        return {"name": server.name, "ok": False, "detail": "answers, but does not know the members of a class"}
    return {"name": server.name, "ok": True, "detail": detail, "first_ms": times[0], "next_ms": times[1]}
