"""The address of a model server."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """Where a model server is asked, and for which of its models.

    Parameters
    ----------
    base
        The URL that the endpoints' paths are appended to, without a slash at its end.
    host
        The host's name or number.
    place
        Host and port, for messages.
    model
        The id of the model; empty for the only one that the server has.
    """

    base: str
    host: str
    place: str
    model: str = ""

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read ``http://host:port/path#model``, a URL that `guiderail.settings` has checked.

        ``/v1`` at the end of the path is left out: OpenAI's clients want it there, and every server has it there.
        """
        parts = urlsplit(url)
        path = parts.path.rstrip("/").removesuffix("/v1")
        host = parts.hostname or ""
        return cls(f"{parts.scheme}://{parts.netloc}{path}", host, parts.netloc, unquote(parts.fragment))

    @property
    def is_loopback(self) -> bool:
        """Whether the server runs on this machine."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_readable(self) -> bool:
        """Whether others on the way can read what is sent: it leaves this machine, and is not encrypted."""
        return not self.is_loopback and self.base.startswith("http:")
