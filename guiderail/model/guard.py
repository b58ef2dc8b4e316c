"""What a model hub may answer: the hub client takes names of files and folders from its headers, and we do not.

The client puts a file where its ETag says, in the folder that the commit's header says, and reads whatever comes. All
its requests and answers, those of redirections too, pass here first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from guiderail.errors import GuiderailError

COMMIT = re.compile(r"[0-9a-f]{40}")
LISTING_LIMIT = 32 << 20  # bytes of what the hub says about a model; those of the largest have some hundred kilobytes
SLACK = 1 << 20  # bytes beyond a file's: answers without content, and what is sent twice when a connection breaks

WAIT_LIMIT = 60  # seconds; the client sleeps for as long as it is told to

_WAITS = re.compile(r"(?:^|;\s*t\s*=\s*)(\d+)")  # a number of seconds, or RateLimit's: ``"api";r=0;t=55``
_ETAG = re.compile(r'(?:W/)?"?[0-9a-f]{40}(?:[0-9a-f]{24})?"?')
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_-])?")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_SCHEMES = {"https": ("https",), "http": ("http", "https")}  # where a hub of either may lead


class HostileAnswerError(GuiderailError):
    """The hub's answer would lead out of its cache, or has no end."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The hub's answer is refused: {what}", "Do not use this hub, or report it to its owner")


class BusyHubError(GuiderailError):
    """The hub does not answer now, and says when it will."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"The hub asks to wait {seconds} s", "Try again then: what has arrived is kept")


def is_plain(name: str) -> bool:
    """Whether a name is one file's in its own folder on every system: no path, no device, no odd character."""
    return _PLAIN_NAME.fullmatch(name) is not None and _RESERVED.fullmatch(name) is None


class Guard:
    """Looks at each request and answer of the hub client.

    Parameters
    ----------
    endpoint
        The hub's address.
    """

    def __init__(self, endpoint: str) -> None:
        self._schemes = _SCHEMES.get(endpoint.partition(":")[0], ("https",))
        self._commit: str | None = None
        self._left = LISTING_LIMIT

    def expect(self, size: int, commit: str) -> None:
        """From now on a file of so many bytes of this commit is asked for."""
        self._left = 2 * size + SLACK
        self._commit = commit

    def request(self, request: Any) -> None:
        """Refuse to go where no hub sends its client, and ask for what is not packed: it might unpack without end."""
        if request.url.scheme not in self._schemes:
            raise HostileAnswerError(f"it leads to {request.url.scheme}://")
        request.headers["Accept-Encoding"] = "identity"

    def response(self, response: Any) -> None:
        """Refuse headers that the client would use as names, and bound what follows."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"", "identity"}:
            raise HostileAnswerError("it is compressed, although that was not allowed")
        _check_wait(response)
        if self._commit is not None:
            self._check_names(response)
        kind = import_module(type(response).__module__.partition(".")[0]).SyncByteStream
        response.stream = _bounded(kind)(response.stream, self)

    def take(self, size: int) -> None:
        """Count bytes that came."""
        self._left -= size
        if self._left < 0:
            raise HostileAnswerError("it is longer than it says")

    def _check_names(self, answer: Any) -> None:
        """The checksum and the commit become names; a store that the hub leads to may have other ETags, unused."""
        headers = answer.headers
        if headers.get("x-repo-commit", self._commit) != self._commit:
            raise HostileAnswerError("it is of another commit")
        for name in ("etag", "x-linked-etag"):
            if name in headers and _ETAG.fullmatch(headers[name]) is None:
                if answer.request.method == "HEAD" and (name != "etag" or not answer.is_redirect):
                    raise HostileAnswerError(f"its {name} is no checksum")
                del headers[name]
        headers.pop("x-xet-hash", None)  # a way of its own to the file, past this guard


def _check_wait(answer: Any) -> None:
    """Refuse to sleep for long, silently, because a failure's headers say so."""
    if answer.status_code < 400:
        return
    for name in ("retry-after", "ratelimit"):
        found = _WAITS.search(answer.headers.get(name, "").strip())
        if found and (len(found[1]) > 9 or int(found[1]) > WAIT_LIMIT):
            raise BusyHubError(int(found[1][:9]))


def _bounded(kind: type) -> type:
    """A stream of the HTTP library's kind that tells the guard of all that it reads."""

    class Bounded(kind):
        def __init__(self, stream: Any, guard: Guard) -> None:
            self._stream = stream
            self._guard = guard

        def __iter__(self) -> Iterator[bytes]:
            for chunk in self._stream:
                self._guard.take(len(chunk))
                yield chunk

        def close(self) -> None:
            self._stream.close()

    return Bounded


@contextmanager
def guarded(endpoint: str) -> Iterator[Guard]:
    """Guard everything that the hub client does inside the context."""
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    before, guard = _http._GLOBAL_CLIENT_FACTORY, Guard(endpoint)

    def client() -> Any:
        made = before()
        hooks = made.event_hooks
        made.event_hooks = {
            "request": [*hooks["request"], guard.request],
            "response": [guard.response, *hooks["response"]],
        }
        return made

    set_client_factory(client)
    try:
        yield guard
    finally:
        set_client_factory(before)
