"""Published models that complete code: their sizes, licences, and where they are fetched (`catalogue.toml`)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from guiderail.model.estimate import Decoder
from guiderail.model.shape import ARCHITECTURES

FILE = Path(__file__).with_name("catalogue.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published model.

    Parameters
    ----------
    name
        As people call it.
    parameters
        Its weights, tied ones once.
    licence
        Its identifier.
    free
        Whether the licence allows all uses.
    hub
        The id of its repository.
    bytes
        Size of what is fetched, rounded.
    decoder
        Its sizes.
    file
        The type of the GGUF file; empty for safetensors.
    """

    name: str
    parameters: int
    licence: str
    free: bool
    hub: str
    bytes: int
    decoder: Decoder
    file: str = ""

    @property
    def is_native(self) -> bool:
        """Whether it runs through guiderail's own forward pass on a CPU, which is the one that is measured."""
        decoder = self.decoder
        return decoder.architecture in ARCHITECTURES.values() and decoder.gated and decoder.biases != "all"


@cache
def published() -> tuple[Published, ...]:
    """All published models, from small to large."""
    rows = tomllib.loads(FILE.read_text(encoding="utf-8"))["model"]
    return tuple(Published(**row | {"decoder": Decoder(**row["decoder"])}) for row in rows)
