"""Calibrated entropy thresholds, stored by the fingerprint of each model.

`guiderail calibrate` learns them and keeps them in the user's data folder; the embedded model's is shipped.
"""

from __future__ import annotations

import json
import logging
import math
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
    return _own(_file(name), name) or shipped.get(name)


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
