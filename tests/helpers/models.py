"""Tiny models of every family, loaded once a test run through the real loader."""

import tempfile
from functools import cache
from pathlib import Path

from guiderail.model.load import load
from guiderail.model.model import Model
from tests.helpers.tiny import FAMILIES as TINY
from tests.helpers.tiny import HYBRIDS as TINY_HYBRIDS
from tests.helpers.tiny import tiny_model_folder

FAMILIES = tuple(TINY)
HYBRIDS = tuple(TINY_HYBRIDS)
_ROOT = tempfile.TemporaryDirectory(prefix="guiderail-tiny-")


@cache
def tiny_folder(family: str) -> Path:
    """The folder of the family's tiny model."""
    return tiny_model_folder(family, Path(_ROOT.name) / family)


@cache
def tiny_model(family: str) -> Model:
    """The family's tiny model on the CPU in fp32."""
    return load(str(tiny_folder(family)), device="cpu", dtype="float32", threads=1)
