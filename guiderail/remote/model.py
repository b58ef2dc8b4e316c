"""A model that runs elsewhere, described as far as its server tells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from guiderail.model.info import ModelInfo
from guiderail.remote.find import find_server
from guiderail.remote.server import ModelServer

ALONE = "which cannot be told what is legal: the verdict alone is used, no monitor"


@dataclass(frozen=True)
class RemoteModel:
    """A model of a server.

    Parameters
    ----------
    name
        The URL, as in the settings.
    server
        The server.
    """

    name: str
    server: ModelServer

    precision = "unknown"

    @classmethod
    def load(cls, url: str, key_env: str) -> RemoteModel:
        """The model at a URL; raises as `find_server` does."""
        return cls(url, find_server(url, key_env))

    @property
    def device(self) -> str:
        """Where it runs, and what cannot be done there."""
        what = f"{self.server.kind} at {self.server.connection.address.place}"
        return what if self.server.constrains else f"{what}, {ALONE}"

    @property
    def leaves(self) -> str:
        """Where the code goes that the model is to complete."""
        address = self.server.connection.address
        where = "this process, not this machine" if address.is_loopback else f"this machine, to {address.place}"
        return f"the text around the cursor leaves {where}"

    @cached_property
    def info(self) -> ModelInfo:
        """What is known of it."""
        return ModelInfo(
            name=self.name,
            folder=Path(),
            revision=None,
            family=self.server.model or "unknown",
            parameters=0,
            bytes_on_disk=0,
            licence=None,
            context_length=self.server.context_length,
            fim=self.server.fim,
            architecture=self.server.kind,
            cache_width=0,
        )
