"""One file from the hub into its client's cache, going on where an earlier attempt stopped.

The client keeps whole files of a broken transfer, but not the beginning of one, and a model
is often one file of gigabytes. Large files are therefore received here, with the client's own request code, into a
part beside the cache's blobs; when its checksum is right it becomes the blob, and the client does the rest.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from guiderail.errors import GuiderailError

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

_SHA256 = re.compile(r"[0-9a-f]{64}")


class DamagedTransferError(GuiderailError):
    """What arrived is not what the hub has."""


def fetch_file(hub_id: str, name: str, commit: str, size: int, bar: Any) -> Path:
    """Bring one file of a commit into the hub's cache.

    Parameters
    ----------
    hub_id, name, commit
        Which file.
    size
        Its bytes.
    bar
        A tqdm class, which is told of arriving bytes.

    Returns
    -------
    Path
        The file in its snapshot's folder.

    Raises
    ------
    DamagedTransferError
        If the checksum is wrong; the part is then deleted.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.file_download import repo_folder_name

    if not isinstance(try_to_load_from_cache(hub_id, name, revision=commit), str):
        found = get_hf_file_metadata(hf_hub_url(hub_id, name, revision=commit))
        # Only large files are named by the sha256 of their content; small ones come in one go anyway.
        if found.etag and _SHA256.fullmatch(found.etag):
            repository = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=hub_id, repo_type="model")
            _receive(found, repository / "blobs" / found.etag, size, bar)
    path = Path(hf_hub_download(hub_id, name, revision=commit, tqdm_class=bar))
    if path.stat().st_size != size:
        path.unlink()
        raise DamagedTransferError(f"{name} is not as long as the hub says", "Try again: it is fetched anew")
    return path


def _receive(found: HfFileMetadata, blob: Path, size: int, bar: Any) -> None:
    """Receive what is missing of a blob, and check the whole."""
    from huggingface_hub.file_download import http_get

    if blob.exists():
        return
    blob.parent.mkdir(parents=True, exist_ok=True)
    part = blob.with_name(blob.name + ".part")
    if os.path.lexists(part) and (not _is_file(part) or part.stat().st_size > size):
        part.unlink()
    with open(part, "ab", opener=_opener) as file:
        http_get(
            found.location,
            file,
            resume_size=file.tell(),
            headers=_headers(found.location),
            expected_size=size,
            tqdm_class=bar,
        )
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != blob.name:
        part.unlink()
        raise DamagedTransferError("What arrived is not what the hub has", "Try again: it is fetched anew")
    part.replace(blob)


def _is_file(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _opener(path: str, flags: int) -> int:
    """Open without following a link: in a cache that several people share, another may have put one there."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)


def _headers(location: str) -> dict[str, str]:
    """The client's headers; the person's token goes to the hub only, not to where it keeps its files."""
    from huggingface_hub import constants
    from huggingface_hub.utils import build_hf_headers

    at_hub = urlsplit(location).netloc == urlsplit(constants.ENDPOINT).netloc
    return build_hf_headers(token=None if at_hub else False)
