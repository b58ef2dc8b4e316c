"""Fetches models from the hub."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fnmatch import fnmatchcase
from logging import CRITICAL
from pathlib import Path
from typing import Any

from guiderail import private
from guiderail.errors import GuiderailError
from guiderail.model.guard import COMMIT, Guard, HostileAnswerError, guarded, is_plain
from guiderail.model.info import TEXT_LIMIT, ModelInfo
from guiderail.model.store import StorageError, file_key, pins, read_place, reference_of, storing, write_pins
from guiderail.model.transfer import fetch_file

# What a pull fetches, from the top folder only: nothing that could hold code or pickles, no second copies.
WANTED = (
    "model*.safetensors", "model*.safetensors.index.json", "config.json", "generation_config.json",
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "README.md", "LICENSE*",
)  # fmt: skip
WEIGHTS = (".safetensors", ".gguf")
MOST_FILES = 2000  # of a model; the largest have some hundred
# Called with bytes done so far and bytes in all (0 while unknown).
Progress = Callable[[int, int], None]


class DownloadError(GuiderailError):
    """The hub cannot be reached, or does not have what was asked for."""


def pull(
    hub_id: str, revision: str | None = None, progress: Progress | None = None, file: str | None = None
) -> ModelInfo:
    """Fetch a model into the hub's cache and pin its commit; what an earlier attempt fetched is kept.

    Parameters
    ----------
    hub_id
        ``owner/name``.
    revision
        A branch, tag or commit; the main branch by default.
    progress
        Called as bytes arrive.
    file
        The GGUF file that is wanted, or its type; without it the one for this machine is taken, and only of a
        repository that has no safetensors.

    Raises
    ------
    DownloadError
        If the hub cannot be reached or has no such model, or the model has neither safetensors nor GGUF weights.
    UsageError
        If no GGUF file can be chosen, or there is none of that name.
    StorageError
        If the model is here but its commit cannot be pinned; it can be used by naming the commit.
    """
    with _explained(hub_id), private.umask(), _guarded() as guard:
        commit, sizes, chosen = _wanted_files(hub_id, revision, file)
        folder = _fetch(hub_id, commit, sizes, guard, progress)
    info = read_place(folder / chosen if chosen else folder, hub_id, commit)
    try:
        # The cache knows commits only: a branch or tag is found again by what it was when it was pulled.
        now = {hub_id: commit, reference_of(hub_id, revision): commit} | ({file_key(hub_id): chosen} if chosen else {})
        write_pins({key: value for key, value in pins().items() if key != file_key(hub_id)} | now)
    except StorageError as error:
        raise StorageError(
            f"{hub_id} is fetched, but its commit is not pinned: {error.message}", f"Name it {hub_id}@{commit}"
        ) from error
    return info


def _wanted_files(hub_id: str, revision: str | None, file: str | None) -> tuple[str, dict[str, int], str | None]:
    """The commit that `revision` is now, the files to fetch with their sizes, and the GGUF file among them to load."""
    from huggingface_hub import HfApi

    found = HfApi().model_info(hub_id, revision=revision, files_metadata=True)
    if found.sha is None:
        raise DownloadError(f"The hub names no commit of {hub_id}", "Try again later")
    if not isinstance(found.sha, str) or COMMIT.fullmatch(found.sha) is None:
        raise HostileAnswerError("its commit is none")
    listed: dict[str, int] = {}
    known: set[str] = set()  # in lower case
    for one in found.siblings or ():
        if _is_wanted(one.rfilename) and one.rfilename.lower() not in known:
            listed[one.rfilename] = _checked_size(one.rfilename, one.size)
            known.add(one.rfilename.lower())
    if len(listed) > MOST_FILES:
        raise HostileAnswerError(f"it lists {len(listed)} files of a model")
    sizes = {name: size for name, size in listed.items() if not name.lower().endswith(".gguf")}
    chosen = None
    if file or not any(name.endswith(".safetensors") for name in sizes):
        sizes, chosen = _gguf_files(hub_id, listed, file)
    _check_room(hub_id, sum(sizes.values()))
    return found.sha, sizes, chosen


def _gguf_files(hub_id: str, sizes: dict[str, int], file: str | None) -> tuple[dict[str, int], str]:
    """The files to fetch of a repository with GGUF files, and the one to load."""
    from guiderail.model import memory
    from guiderail.model.gguf.choice import best, named, variants

    given = variants(sizes)
    if not given:
        what = "GGUF files" if file else "safetensors weights, and no GGUF file"
        raise DownloadError(f"{hub_id} has no {what}", "Choose a model that has")
    chosen = named(given, file) if file else best(given, memory.available("cpu"))
    cards = {name: size for name, size in sizes.items() if name == "README.md" or fnmatchcase(name, "LICENSE*")}
    return cards | {name: sizes[name] for name in chosen.files}, chosen.name


def _is_wanted(name: Any) -> bool:
    return isinstance(name, str) and is_plain(name) and _is_of_a_model(name)


def _is_of_a_model(name: str) -> bool:
    return name.lower().endswith(".gguf") or any(fnmatchcase(name, pattern) for pattern in WANTED)


def _checked_size(name: str, size: Any) -> int:
    """A file's size as the listing says; what is no weights is small."""
    if type(size) is not int or size < 0:
        raise HostileAnswerError(f"{name} has no size")
    if size > TEXT_LIMIT and not name.lower().endswith(WEIGHTS):
        raise HostileAnswerError(f"{name} has {size} bytes")
    return size


def _check_room(hub_id: str, size: int) -> None:
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    existing = next((path for path in (folder, *folder.parents) if path.is_dir()), folder)
    with storing("look at", existing):
        free = shutil.disk_usage(existing).free
    if size > free:
        raise DownloadError(f"{hub_id} has {size} bytes, and {existing} has room for {free}", "Make room")


def _guarded() -> AbstractContextManager[Guard]:
    from huggingface_hub import constants

    return guarded(constants.ENDPOINT)


def _fetch(hub_id: str, commit: str, sizes: dict[str, int], guard: Guard, progress: Progress | None) -> Path:
    """Fetch the files one after the other."""
    total, done, folder = sum(sizes.values()), 0, Path()
    for name, size in sorted(sizes.items()):
        bar = _reporting(progress, done, total) if progress else _reporting(_silent, 0, 0)
        guard.expect(size, commit)
        folder = fetch_file(hub_id, name, commit, size, bar).parent
        done += size
        if progress:
            progress(done, total)
    return folder


@contextmanager
def _explained(hub_id: str) -> Iterator[None]:
    """Turn what the hub client raises into one line each, and keep it from writing more."""
    from huggingface_hub import errors
    from huggingface_hub.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity(CRITICAL)
    try:
        yield
    except GuiderailError:
        raise
    except errors.GatedRepoError as error:
        raise DownloadError(
            f"{hub_id} is gated: its owner gives access on request", f"See https://huggingface.co/{hub_id}"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise DownloadError(f"{hub_id} has no such revision", "Check the name after @") from error
    except errors.RepositoryNotFoundError as error:
        raise DownloadError(f"The hub has no model {hub_id}", "Check the name") from error
    except errors.OfflineModeIsEnabled as error:
        raise DownloadError("The hub client is set to work offline", "Unset HF_HUB_OFFLINE") from error
    except Exception as error:  # the client lets its HTTP library's errors through
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DownloadError(
            f"{hub_id} could not be fetched ({reason})", "Try again: what has arrived is kept"
        ) from error
    finally:
        logging.set_verbosity(level)


def _silent(_done: int, _total: int) -> None: ...


def _reporting(progress: Progress, before: int, total: int) -> Any:
    """A progress bar class, as the hub client wants one, that calls `progress` instead of drawing.

    `before` bytes of `total` were there before this file.
    """
    from tqdm.auto import tqdm

    class Reporting(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs | {"disable": True})
            self.n = kwargs.get("initial") or 0

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            progress(before + int(self.n), total)

    return Reporting
