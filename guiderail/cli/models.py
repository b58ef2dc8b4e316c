"""``guiderail models``: what is on this machine, what it can do, and where more comes from."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.options import resolved
from guiderail.cli.recommend import recommend
from guiderail.cli.terminal import visible
from guiderail.errors import UsageError
from guiderail.settings import Source, checked, names_path, names_server, rule_of, user_file

if TYPE_CHECKING:
    from guiderail.model.info import ModelInfo

DTYPE = "|".join(rule_of("dtype").choices)
LAYOUTS = {None: ["psm", "efim"], "standard": ["psm", "spm", "efim"], "native": ["spm"]}


@click.group()
def models() -> None:
    """List, show, fetch, remove and choose models.

    A model is named 'embedded' (the one that comes with guiderail), by its folder or GGUF file, or by its hub id
    (owner/name).
    """


models.add_command(recommend)


@models.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ls(as_json: bool) -> None:
    """List the models on this machine; * marks the one in use."""
    from guiderail.model.store import pulled

    using = resolved({}).value("model")
    rows = [_row(info, using) for info in pulled()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        _print_table(rows)
    else:
        click.echo("No model is on this machine. Fetch one: guiderail models pull ID", err=True)


@models.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str | None, as_json: bool) -> None:
    """Show one model: the one in use, or NAME."""
    from guiderail.model.load import describe

    using = resolved({}).value("model")
    if names_server(name or using):
        _show_server(name or using, as_json)
        return
    row = _row(describe(name or using), using)
    click.echo(json.dumps(row, indent=2) if as_json else _as_lines(row))


@models.command()
@click.argument("name", metavar="ID[@REVISION]")
@click.option("--file", metavar="NAME", help="The GGUF file to fetch, or its type, such as Q4_K_M.")
@click.option("--use", "chosen", is_flag=True, help="Make it the model of your own settings file too.")
@click.option("--dtype", metavar=DTYPE, help="With --use: its precision in your settings file.")
@click.option("--report", is_flag=True, hidden=True, help="Report progress as JSON lines on standard error.")
def pull(name: str, file: str | None, chosen: bool, dtype: str | None, report: bool) -> None:
    """Fetch a model from the hub and pin its commit.

    Only safetensors weights, configuration, tokenizer and model card are fetched; of a repository with GGUF files
    alone, the most exact file that suits the memory of this machine, or the one that --file names. A broken transfer
    goes on where it stopped when the command is given again.
    """
    from guiderail.model import store
    from guiderail.model.pull import pull as pull_model

    hub_id, _, revision = name.partition("@")
    if not store.is_hub_id(hub_id):
        raise UsageError(f"{hub_id} is not a hub id", "Hub ids have the form owner/name")
    if dtype and not chosen:
        raise UsageError("--dtype has no effect on what is fetched", "Add --use, or leave it out")
    if dtype:
        checked("dtype", dtype, Source("flag", "--dtype"))
    with _reported() if report else _progress(hub_id) as progress:
        info = pull_model(hub_id, revision or None, progress, file)
    advice = "" if chosen else f" Use it: guiderail models use {info.name}"
    click.echo(f"{info.name} at {info.revision} is ready.{advice}", err=True)
    click.echo(info.file or info.folder)
    if chosen:
        _use(info.name, dtype)


@models.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rm(name: str, yes: bool) -> None:
    """Delete a pulled model from this machine."""
    from guiderail.model import store
    from guiderail.model.memory import readable

    size = readable(store.removable(name).size_on_disk)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"{name} would be deleted", "Without a terminal to ask on, say --yes")
        click.confirm(f"Delete {name}, {size}?", abort=True, err=True)
    click.echo(f"{name} deleted, {readable(store.remove(name))} freed", err=True)


@models.command()
@click.argument("name")
@click.option("--dtype", metavar=DTYPE, help="Its precision, written beside it; without, what stands there stays.")
def use(name: str, dtype: str | None) -> None:
    """Make NAME the model of your own settings file."""
    if dtype:
        checked("dtype", dtype, Source("flag", "--dtype"))
    _use(name, dtype)


def _use(name: str, dtype: str | None) -> None:
    from guiderail.model import store
    from guiderail.model.load import check_architecture, configuration, describe

    if names_server(name):
        checked("model", name, Source("flag", "NAME"))
    else:
        info = describe(name)
        check_architecture(configuration(info), info.name)
    store.use(str(Path(name).expanduser().resolve()) if names_path(name) else name, user_file(), dtype)
    click.echo(f"{name} is now the model of {user_file()}", err=True)
    source = resolved({}).source("model")
    if source.kind != "user":
        click.echo(f"Here it has no effect: the model is set by {source}", err=True)


def _show_server(url: str, as_json: bool) -> None:
    """What is known of a model at a server, and where the code goes that it is sent."""
    from guiderail.remote.model import RemoteModel

    checked("model", url, Source("flag", "NAME"))
    model = RemoteModel.load(url, resolved({}).value("api_key_env"))
    known = {
        "name": url,
        "server": model.server.kind,
        "model": model.server.model or "unknown",
        "context": f"{model.info.context_length} tokens",
        "fill-in-the-middle": model.info.fim.name if model.info.fim else "none: prefix only",
        "monitors": "forbid" if model.server.constrains else "the verdict alone: the server cannot be constrained",
        "your code": model.leaves,
    }
    if as_json:
        click.echo(json.dumps(known, indent=2))
    else:
        click.echo("\n".join(visible(f"{key:<19} {value}") for key, value in known.items()))


def _row(info: "ModelInfo", using: str) -> dict[str, Any]:
    from guiderail.model import derived, memory
    from guiderail.model.load import placement

    device, dtype = placement("auto", "auto", info.parameters)
    needed, free = memory.needed_on(device, info, dtype), memory.available(device)
    return {
        "name": info.name,
        "in_use": info.name == using.partition("@")[0] or str(info.file or info.folder) == using,
        "family": info.family,
        "architecture": info.architecture,
        "parameters": info.parameters,
        "bytes_on_disk": info.bytes_on_disk,
        "fim": info.fim.name if info.fim else None,
        "layouts": LAYOUTS[info.fim.spm] if info.fim else ["prefix"],
        "licence": info.licence,
        "context_length": info.context_length,
        "revision": info.revision,
        "folder": str(info.folder),
        "file": info.file.name if info.file else None,
        "device": device,
        "dtype": dtype,
        "bytes_needed": needed,
        "bytes_needed_in": {kind: memory.needed_on(device, info, kind) for kind in _kinds(device)},
        "bytes_kept": derived.size_of(info.weight_files()),
        "bytes_free": free,
        "fits": free is None or needed <= free,
    }


def _kinds(device: str) -> tuple[str, ...]:
    """The precisions that a model can be loaded in there."""
    return ("float32", "bfloat16", "int8") if device == "cpu" else ("float32", "bfloat16", "float16")


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from guiderail.cli.output import wants_colour
    from guiderail.model.memory import readable

    table = Table(box=None, pad_edge=False)
    for title, justify in (("", "left"), ("model", "left"), ("parameters", "right"), ("on disk", "right"),
                           ("family", "left"), ("fill-in-the-middle", "left"), ("licence", "left"),
                           ("fits in memory", "left")):  # fmt: skip
        table.add_column(title, justify=justify, no_wrap=True)  # pyright: ignore[reportArgumentType]
    for row in rows:
        fits = "yes" if row["fits"] else f"no, needs {readable(row['bytes_needed'])}"
        cells = (
            "*" if row["in_use"] else "", row["name"], _count(row["parameters"]), readable(row["bytes_on_disk"]),
            row["family"], row["fim"] or "none", row["licence"] or "unknown", fits,
        )  # fmt: skip
        table.add_row(*(Text(visible(cell)) for cell in cells))  # whoever made the model wrote some: no markup
    colour = wants_colour(sys.stdout)
    Console(force_terminal=colour, no_color=not colour, width=None if sys.stdout.isatty() else 200).print(table)


def _as_lines(row: dict[str, Any]) -> str:
    from guiderail.model.memory import readable

    free = "unknown" if row["bytes_free"] is None else readable(row["bytes_free"])
    others = ", ".join(f"{readable(size)} in {kind}" for kind, size in row["bytes_needed_in"].items()
                       if kind != row["dtype"])  # fmt: skip
    lines = {
        "model": row["name"] + (" (in use)" if row["in_use"] else ""),
        "architecture": f"{row['architecture'] or 'unknown'} ({row['family']})",
        "parameters": _count(row["parameters"]),
        "on disk": readable(row["bytes_on_disk"]),
        "context": f"{row['context_length']} tokens",
        "fill-in-the-middle": f"{row['fim']} ({', '.join(row['layouts'])})" if row["fim"] else "none: prefix only",
        "licence": row["licence"] or "unknown",
        "revision": row["revision"] or "not from the hub",
        "folder": row["folder"],
        **({"file": row["file"]} if row["file"] else {}),
        "memory": f"{readable(row['bytes_needed'])} needed in {row['dtype']} on {row['device']}, {free} free: "
        + ("it fits" if row["fits"] else "it does not fit"),
        "otherwise": others,
        "kept for its start": readable(row["bytes_kept"]) if row["bytes_kept"] else "nothing",
    }
    return "\n".join(visible(f"{key:<19} {value}") for key, value in lines.items())


def _count(parameters: int) -> str:
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.1f} M"


@contextmanager
def _reported() -> Iterator[Callable[[int, int], None]]:
    """Progress for a program: a line each time another hundredth has arrived."""
    last = -1

    def report(done: int, total: int) -> None:
        nonlocal last
        if total and (percent := 100 * done // total) > last:
            last = percent
            click.echo(json.dumps({"done": done, "total": total}), err=True)

    yield report


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
