"""Servers that speak OpenAI's completions and nothing more: Ollama, LM Studio, llama-cpp-python and others."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, cast

from guiderail.prompt.fim import FimFormat
from guiderail.remote.connection import Connection
from guiderail.remote.errors import unreadable
from guiderail.remote.probe import CONTEXT
from guiderail.remote.prompt_text import plain
from guiderail.remote.server import End, ModelServer, Piece, Query, TokenHabits

# The text after the cursor is a field of the request; the server knows what its model calls it.
SUFFIX_FIELD = FimFormat("the field suffix", "", "", "")


class OpenAIServer(ModelServer):
    """A server of which only OpenAI's fields are known: it cannot be told what is legal."""

    kind = "an OpenAI-compatible server"
    constrains = False

    @classmethod
    def of(cls, connection: Connection, model: str) -> OpenAIServer:
        """The server of a connection."""
        return cls(connection, model, CONTEXT, SUFFIX_FIELD, TokenHabits())

    def write(self, query: Query, cancelled: Callable[[], bool]) -> Generator[Piece | End, None, None]:
        """See `ModelServer.write`."""
        with closing(self.connection.events("/v1/completions", self._body(query), cancelled)) as events:
            for choice in (choice for event in events for choice in self._choices(event)):
                yield from self._pieces(choice)
                if choice.get("finish_reason"):
                    yield End("length" if choice["finish_reason"] == "length" else "eos")
                    return
        if not cancelled():
            raise unreadable(self.connection.address)

    def _body(self, query: Query) -> dict[str, Any]:
        """The request."""
        before = "".join(plain(one.text) for one in query.prompt.segments if one.kind != "suffix")
        body = {
            "model": self.model,
            "prompt": before + _text(query.written),
            "max_tokens": query.max_tokens,
            "stream": True,
            "temperature": query.sampling.temperature,
            "top_p": query.sampling.top_p,
            "seed": query.sampling.seed,
        }
        suffix = plain(query.prompt.text_of("suffix"))
        return body | ({"suffix": suffix} if suffix else {})

    def _pieces(self, choice: Mapping[str, Any]) -> Iterator[Piece]:
        """The text of an event."""
        if text := choice.get("text"):
            yield Piece(str(text).encode(errors="replace"))

    def _choices(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """The choices of an event; none in one that only counts."""
        choices = event.get("choices")
        if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
            raise unreadable(self.connection.address)
        return cast("list[dict[str, Any]]", choices)


def _text(pieces: Sequence[Piece]) -> str:
    return b"".join(piece.data for piece in pieces).decode(errors="ignore")
