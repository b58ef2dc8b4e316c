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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from guiderail import private, projectfile
from guiderail.errors import GuiderailError, UsageError
from guiderail.model import derived
from guiderail.model.errors import ModelFolderError
from guiderail.model.info import ModelInfo, read_info, weight_files
from guiderail.projectfile import ProjectFileError

if TYPE_CHECKING:
    from huggingface_hub import CachedRepoInfo

_log = logging.getLogger(__name__)

EMBEDDED = "embedded"
EMBEDDED_FOLDER = Path(__file__).parent / "embedded" / "weights"
EMBEDDED_LICENCE = "apache-2.0"  # this project's own
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


class UnknownModelError(UsageError):
    """No model of that name is on this machine."""


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
    return pins().get(file_key(hub_id))


def file_key(hub_id: str) -> str:
    return f"{hub_id}@:file"  # no branch or tag may hold a colon


def find(hub_id: str, revision: str | None = None) -> Path | None:
    """The folder of a hub model in the local cache: at the commit pinned for it, else at `revision` or the newest."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    pinned = pins().get(reference_of(hub_id, revision))
    for wanted in dict.fromkeys((pinned, revision or "main")):
        if wanted is None:
            continue
        try:
            return Path(snapshot_download(hub_id, revision=wanted, local_files_only=True))
        except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError):
            continue
    return None


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
    with storing("delete", repository.repo_path):
        shutil.rmtree(repository.repo_path)
    made = derived.forget(repository.repo_path)
    pinned = pins()
    others = {reference: commit for reference, commit in pinned.items() if reference.partition("@")[0] != name}
    if others != pinned:
        write_pins(others)
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
        with storing("read", file):
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


def reference_of(hub_id: str, revision: str | None) -> str:
    return f"{hub_id}@{revision}" if revision else hub_id


def write_pins(values: dict[str, str]) -> None:
    _write(_pin_file(), json.dumps(dict(sorted(values.items())), indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all; raises StorageError."""
    with storing("write", path):
        private.write_text(path, text)


@contextmanager
def storing(verb: str, path: Path) -> Iterator[None]:
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
