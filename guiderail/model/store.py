"""The models on this machine: the embedded one, and those pulled from the hub.

Pulled models live in the hub client's own cache, so that other tools share them. What we add is a pin: the commit
that was pulled, so that a model changes only when a person pulls it again.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from logging import CRITICAL
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guiderail import private, projectfile
from guiderail.errors import GuiderailError, UsageError
from guiderail.model import derived
from guiderail.model.guard import COMMIT, Guard, HostileAnswerError, guarded, is_plain
from guiderail.model.info import TEXT_LIMIT, ModelFolderError, ModelInfo, read_info, weight_files
from guiderail.model.transfer import fetch_file
from guiderail.projectfile import ProjectFileError

if TYPE_CHECKING:
    from huggingface_hub import CachedRepoInfo

_log = logging.getLogger(__name__)

EMBEDDED = "embedded"
EMBEDDED_FOLDER = Path(__file__).parent / "embedded" / "weights"
EMBEDDED_LICENCE = "apache-2.0"  # this project's own
# What a pull fetches, from the top folder only: nothing that could hold code or pickles, no second copies.
WANTED = (
    "model*.safetensors", "model*.safetensors.index.json", "config.json", "generation_config.json",
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "README.md", "LICENSE*",
)  # fmt: skip
WEIGHTS = (".safetensors", ".gguf")
MOST_FILES = 2000  # of a model; the largest have some hundred
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")

# Called with bytes done so far and bytes in all (0 while unknown).
Progress = Callable[[int, int], None]


class UnknownModelError(UsageError):
    """No model of that name is on this machine."""


class DownloadError(GuiderailError):
    """The hub cannot be reached, or does not have what was asked for."""


class StorageError(GuiderailError):
    """A file or folder of ours cannot be written."""


def is_hub_id(reference: str) -> bool:
    """Whether a reference has the shape ``owner/name``."""
    return _HUB_ID.fullmatch(reference) is not None


def pulled() -> Iterator[ModelInfo]:
    """The embedded model, then every usable model in the hub's cache, by name."""
    if (EMBEDDED_FOLDER / "config.json").is_file():
        yield embedded_info()
    for hub_id in sorted(_cached_repositories()):
        folder = find(hub_id)
        if folder is None:
            continue
        try:
            yield read_place(model_in(folder, pinned_file(hub_id)), hub_id, folder.name)
        except ModelFolderError:  # a data set, an adapter, a broken transfer: nothing to complete with
            continue


def embedded_info() -> ModelInfo:
    """What the shipped model says about itself.

    Raises
    ------
    ModelFolderError
        If this installation has no embedded model.
    """
    if not (EMBEDDED_FOLDER / "config.json").is_file():
        raise ModelFolderError(
            "This installation has no embedded model",
            "Install guiderail again, or fetch a model: guiderail models pull ID",
        )
    info = read_info(EMBEDDED_FOLDER, EMBEDDED)
    return replace(info, licence=info.licence or EMBEDDED_LICENCE)


def read_place(place: Path, name: str, revision: str | None = None) -> ModelInfo:
    """What a model's folder or GGUF file says about it; raises ModelFolderError."""
    if not place.is_file():
        return read_info(place, name, revision)
    from guiderail.model.gguf.info import read_gguf_info

    return read_gguf_info(place, name, revision)


def model_in(folder: Path, chosen: str | None = None) -> Path:
    """Where the model of a folder is: the GGUF file chosen for it, the folder itself, or its only GGUF file.

    Parameters
    ----------
    folder
        A folder.
    chosen
        The name of the GGUF file that was chosen for it.

    Raises
    ------
    ModelFolderError
        If the weights are missing, or several GGUF files are there and none is chosen.
    """
    from guiderail.model.gguf.choice import only_file

    if chosen and (found := only_file(folder, chosen)):
        return found
    if (folder / "config.json").is_file() and next(folder.glob("model*.safetensors"), None):
        weight_files(folder)
        return folder
    found = only_file(folder)
    if found is None:
        weight_files(folder)  # says what is missing
    return found or folder


def pinned_file(hub_id: str) -> str | None:
    """The GGUF file that was pulled last of a hub model, by its name; None for one in safetensors."""
    return pins().get(_file_key(hub_id))


def _file_key(hub_id: str) -> str:
    return f"{hub_id}@:file"  # no branch or tag may hold a colon


def find(hub_id: str, revision: str | None = None) -> Path | None:
    """The folder of a hub model in the local cache: at the commit pinned for it, else at `revision` or the newest."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    pinned = pins().get(_reference(hub_id, revision))
    for wanted in dict.fromkeys((pinned, revision or "main")):
        if wanted is None:
            continue
        try:
            return Path(snapshot_download(hub_id, revision=wanted, local_files_only=True))
        except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError):
            continue
    return None


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
        now = {hub_id: commit, _reference(hub_id, revision): commit} | ({_file_key(hub_id): chosen} if chosen else {})
        _write_pins({key: value for key, value in pins().items() if key != _file_key(hub_id)} | now)
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
    from guiderail.model.gguf.choice import best, named, offers

    given = offers(sizes)
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
    with _storing("look at", existing):
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
        raise DownloadError(f"{hub_id} has no such revision", "Check the name behind @") from error
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


def removable(name: str) -> CachedRepoInfo:
    """What the cache has of a pulled model.

    Raises
    ------
    UnknownModelError
        As `remove`.
    """
    if name == EMBEDDED:
        raise UnknownModelError("The embedded model is part of guiderail and cannot be removed")
    repository = _cached_repositories().get(name)
    if repository is None:
        raise UnknownModelError(f"{name} is not among the pulled models", "See guiderail models ls")
    return repository


def remove(name: str) -> int:
    """Delete a pulled model from the cache, all its revisions, and what was made from them; returns the bytes freed.

    Raises
    ------
    UnknownModelError
        If the cache has no such model; the embedded one cannot be removed.
    StorageError
        If its files cannot be deleted.
    """
    repository = removable(name)
    # Not by its revisions, as the client would: a copy of a repository has the same commits.
    with _storing("delete", repository.repo_path):
        shutil.rmtree(repository.repo_path)
    made = derived.forget(repository.repo_path)
    pinned = pins()
    others = {reference: commit for reference, commit in pinned.items() if reference.partition("@")[0] != name}
    if others != pinned:
        _write_pins(others)
    return repository.size_on_disk + made


def use(name: str, file: Path, dtype: str | None = None) -> None:
    """Make `name` the model of the user's configuration file, keeping its other keys and comments.

    Parameters
    ----------
    name
        ``embedded``, a folder, or the hub id of a pulled model.
    file
        The TOML file; made if missing.
    dtype
        The precision, if that is to be changed too.

    Raises
    ------
    UsageError
        If the file is not valid TOML.
    StorageError
        If it cannot be read or written.
    """
    import tomlkit
    from tomlkit.exceptions import ParseError

    try:
        with _storing("read", file):
            document = tomlkit.parse(file.read_text(encoding="utf-8") if file.is_file() else "")
    except (ParseError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{file} is not valid TOML ({error})", "Correct it or delete it") from error
    document["model"] = name
    if dtype:
        document["dtype"] = dtype
    _write(Path(os.path.realpath(file)), tomlkit.dumps(document))  # a link to a person's other files stays one


def pins() -> dict[str, str]:
    """The commit of each pulled model, and of each branch or tag (``owner/name@revision``) that was pulled."""
    try:
        values = projectfile.read_json(_pin_file())
    except ProjectFileError as error:  # damaged: the hub's own reference is used instead
        _log.warning("left out: %s", error)
        return {}
    return {key: pin for key, pin in values.items() if isinstance(pin, str)} if isinstance(values, dict) else {}


def _reference(hub_id: str, revision: str | None) -> str:
    return f"{hub_id}@{revision}" if revision else hub_id


def _write_pins(values: dict[str, str]) -> None:
    _write(_pin_file(), json.dumps(dict(sorted(values.items())), indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all; raises StorageError."""
    with _storing("write", path):
        private.write_text(path, text)


@contextmanager
def _storing(verb: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "Check its permissions and the free space, or name the model by --model or GUIDERAIL_MODEL"
        raise StorageError(f"cannot {verb} {path}: {error.strerror}", remedy) from error


def _pin_file() -> Path:
    import platformdirs

    return platformdirs.user_data_path("guiderail") / "models.json"


def _cached_repositories() -> dict[str, CachedRepoInfo]:
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return {
            repo.repo_id: repo for repo in scan_cache_dir(constants.HF_HUB_CACHE).repos if repo.repo_type == "model"
        }
    except CacheNotFound:
        return {}


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
