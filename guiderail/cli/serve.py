"""``guiderail serve``: the HTTP server that other editor plug-ins speak to."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import click

from guiderail.cli.options import resolved, setting_flags
from guiderail.errors import UsageError
from guiderail.resolution import API_KEY

KEY_LIMIT = 4096  # bytes of a key's file
NEEDED = ("starlette", "uvicorn")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others than this "
              "machine's own need a key.")  # fmt: skip
@click.option(
    "--port", default=8012, show_default=True, type=click.IntRange(0, 65535), help="0 lets the system choose."
)
@click.option("--root", "roots", multiple=True, metavar="FOLDER", help="A project whose files are found by their text; "
              "repeat for several.  [default: the project of the current folder]")  # fmt: skip
@click.option("--api-key", help=f"What clients must show; others on this machine can see it. Better: {API_KEY}.")
@click.option("--api-key-file", metavar="FILE", help="A file that holds the key.")
@click.option("--ray", "on_ray", is_flag=True, help="Replicas of the model on a Ray cluster: the one RAY_ADDRESS "
              "names, or this machine.")  # fmt: skip
@click.option("--min-replicas", type=click.IntRange(1), default=1, show_default=True, help="On Ray: at least so many.")
@click.option(
    "--max-replicas", type=click.IntRange(1), help="On Ray, under load.  [default: one for each GPU, or for 4 cores]"
)
@setting_flags(
    "model", "api_key_env", "device", "dtype", "threads", "until", "max_tokens", "end_loops", "layout", "context",
    "context_tokens", "prompt_tokens", "project_ngrams", "method", "parameters", "drafter", "draft_model", "verdict",
    "confidence", "monitors", "only_monitors", "analyser", "python", "trust", "cache_policy", "cache_mb",
    "temperature", "top_k", "top_p", "min_p", "seed", "log_level",
)  # fmt: skip
def serve(
    host: str,
    port: int,
    roots: tuple[str, ...],
    api_key: str | None,
    api_key_file: str | None,
    on_ray: bool,
    min_replicas: int,
    max_replicas: int | None,
    **flags: Any,
) -> None:
    """Serve the HTTP endpoints of llama.cpp and OpenAI, for editor plug-ins that speak these.

    docs/serve.md has a block to copy for each plug-in.

    \b
    guiderail serve
    guiderail serve --root ~/app --model ./qwen2.5-coder-0.5b.gguf
    GUIDERAIL_API_KEY=… guiderail serve --host 0.0.0.0
    guiderail serve --ray --max-replicas 4
    """
    _check_installed()
    folders = _folders(roots)
    settings = {None: resolved(flags, folders[0] if folders else None).settings}
    settings |= {folder: resolved(flags, folder).settings for folder in folders}
    key = _key(api_key, api_key_file)
    from guiderail.lsp.network import Address

    address = Address(host.strip("[]"), port)
    if not address.is_loopback and not key:
        raise UsageError(
            f"others can reach {host}, so clients must show a key", f"Set {API_KEY}, or give --api-key-file"
        )
    if max_replicas is not None and max_replicas < min_replicas:
        raise UsageError("--max-replicas is smaller than --min-replicas", "Give a larger one, or leave it out")
    from guiderail.serve.cluster import Replicas
    from guiderail.serve.launch import run

    run(settings, address, key, Replicas(min_replicas, max_replicas) if on_ray else None)


def _check_installed() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"{' and '.join(missing)} must be installed", f"Run pip install {' '.join(missing)}")


def _folders(roots: tuple[str, ...]) -> list[Path]:
    """The projects to serve: those that were named, else the one that the current folder is in, if any."""
    from guiderail.prompt.project import find_root

    if not roots:
        found = find_root(Path.cwd())
        return [found] if found else []
    folders = [Path(os.path.realpath(Path(root).expanduser())) for root in roots]
    for root, folder in zip(roots, folders, strict=True):
        if not folder.is_dir():
            raise UsageError(f"{root} is no folder", "Name a project's folder with --root")
    return list(dict.fromkeys(folders))


def _key(given: str | None, file: str | None) -> str:
    """The key from the flag, a file or the environment; "" for none."""
    if given is not None and file is not None:
        raise UsageError("--api-key and --api-key-file exclude each other", "Leave one out")
    key = given if file is None else _read(Path(file))
    if key is None:
        return os.environ.get(API_KEY, "").strip()
    if not key.strip():
        raise UsageError("the API key is empty", "Give one, or leave the flag out")
    return key.strip()


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(KEY_LIMIT).decode()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {type(error).__name__}", "Name a file that holds the key") from error
