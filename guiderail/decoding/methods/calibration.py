"""Calibrated entropy thresholds, stored by the fingerprint of each model.

`guiderail calibrate` learns them and keeps them in the user's data folder. The embedded model's is shipped, and those
of some published models by their names: people have those in many files, whose precision hardly moves the threshold.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from guiderail import private, projectfile
from guiderail.errors import GuiderailError, UsageError
from guiderail.model.fingerprint import fingerprint
from guiderail.projectfile import ProjectFileError

if TYPE_CHECKING:
    from guiderail.model.info import ModelInfo

_log = logging.getLogger(__name__)

SHIPPED = "calibrated.json"
PUBLISHED = "published"  # its entries by the models' names
# What the names of a published model's files have after it: their format, their precision, their shard.
_SUFFIXES = re.compile(r"([-._](gguf|safetensors|i?q\d\w*|[bf]p?(16|32)|int8|\d{5}-of-\d{5}))*", re.ASCII)


class NotCalibratedError(UsageError):
    """No threshold was learned for the model."""


def threshold_of(info: ModelInfo) -> float:
    """The entropy in nats from which the model is unsure.

    Raises
    ------
    NotCalibratedError
        If none was learned for these weights.
    """
    found = read(info)
    if found is None:
        raise NotCalibratedError(
            f"{info.name} is not calibrated",
            f"Run guiderail calibrate --model {info.name}, or choose: --set adadec.threshold=1",
        )
    return float(found["threshold"])


def read(info: ModelInfo) -> Mapping[str, Any] | None:
    """The calibration of a model, the user's own before the shipped one; None without one."""
    name = fingerprint(info)
    shipped = json.loads(files("guiderail.decoding.methods").joinpath(SHIPPED).read_text(encoding="utf-8"))
    return _own(_file(name), name) or shipped.get(name) or _published(info, shipped.get(PUBLISHED, {}))


def _published(info: ModelInfo, known: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The calibration of the published model that is called, and shaped, as this one is."""
    called = {info.name.rpartition("/")[2], info.folder.name, info.file.stem if info.file else ""}
    for name, entry in known.items():
        is_shaped = (info.family, info.cache_width) == (entry["family"], entry["cache_width"])
        if is_shaped and any(_is_named(one.lower(), name) for one in called):
            return entry
    return None


def _is_named(called: str, name: str) -> bool:
    return called.startswith(name) and _SUFFIXES.fullmatch(called.removeprefix(name)) is not None


def write(info: ModelInfo, found: Mapping[str, Any]) -> Path:
    """Store the calibration of a model; returns the file.

    Raises
    ------
    GuiderailError
        If the folder cannot be written.
    """
    name = fingerprint(info)
    file = _file(name)
    try:
        private.write_text(file, json.dumps({name: dict(found)}, indent=2) + "\n")
    except OSError as error:
        raise GuiderailError(f"cannot write {file}: {error.strerror}", "Free the folder") from error
    return file


def _file(name: str) -> Path:
    return platformdirs.user_data_path("guiderail") / "calibration" / f"{name.replace(':', '-')}.json"


def _own(file: Path, name: str) -> Mapping[str, Any] | None:
    """A model's calibration in a file; None if it is missing or invalid."""
    try:
        found = projectfile.read_json(file)
    except ProjectFileError as error:
        _log.warning("left out: %s", error)
        return None
    entry = found.get(name) if isinstance(found, dict) else None
    threshold = entry.get("threshold") if isinstance(entry, dict) else None
    if isinstance(threshold, (int, float)) and math.isfinite(threshold):
        return entry
    if found is not None:
        _log.warning("left out: %s holds no threshold. Run guiderail calibrate again", file)
    return None
