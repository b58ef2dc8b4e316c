"""Decodes one text at a model server, under constraints that are checked here.

The server writes freely, and its text is checked as it arrives. At the first piece that leads to nothing legal its
stream is closed, and it is asked to go on from there under a grammar of what is legal. With greedy decoding that gives
the text that masks at every token would have given, for one more request each time a mask would have mattered.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from guiderail.decoding.method import DecodeRequest, Event, Finish, FinishedEvent, TokenEvent
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.sampling import Sampling
from guiderail.prompt.prompt import Prompt
from guiderail.remote.byte_walk import ByteWalk
from guiderail.remote.language import Node
from guiderail.remote.server import End, ModelServer, Piece, Query

log = logging.getLogger(__name__)

MOST_REFUSALS = 32  # in one text
TRIES = 2  # to get past one place


class RemoteDecoder:
    """Decodes one text.

    Parameters
    ----------
    server
        Who writes.
    prompt
        What comes before the text.
    request
        Where the text ends; its `token_bytes` are made here.
    sampling
        How tokens are chosen.
    walk
        Checks the text.
    language
        What must come first: the half-typed word that is written again.

    Attributes
    ----------
    refused
        The pieces that were refused, each with the bytes that were written before its illegal byte, and how many
        pieces were written before it.
    end
        What the server said of its last whole answer.
    requests
        How often it was asked.
    """

    def __init__(
        self,
        server: ModelServer,
        prompt: Prompt,
        request: DecodeRequest,
        sampling: Sampling,
        walk: ByteWalk,
        language: Node | None,
    ) -> None:
        self._server = server
        self._prompt = prompt
        self._bytes: list[bytes] = []  # of each piece: their numbers are the ids of the text
        self._text = PartialText(replace(request, token_bytes=self._bytes))
        self._sampling = sampling
        self._walk = walk
        self._language = language
        self._written: list[Piece] = []
        self.refused: list[tuple[bytes, int, int]] = []
        self.end = End("eos")
        self.requests = 0

    def events(self) -> Iterator[Event]:
        """The events of the text, the last one a FinishedEvent.

        Raises
        ------
        RemoteError
            The server gives no usable answer.
        """
        finish: Finish | None = None
        while finish is None:
            self.requests += 1
            query = Query(self._prompt, self._written, self._text.room, self._sampling, self._language)
            with closing(self._server.write(query, self._text.request.cancelled)) as answer:
                finish = yield from self._read(answer)
        yield FinishedEvent(finish, self._text.text)

    def _read(self, answer: Iterator[Piece | End]) -> Iterator[Event]:
        """Take what the server writes; why the text ended, or None if the server is to be asked again."""
        for part in answer:
            if isinstance(part, End):
                self.end = part
            if isinstance(part, End) and part.reason == "length":
                return "length"
            if isinstance(part, End) or not part.data:
                return "eos" if self._walk.may_end() or not self._turn(b"", 0) else None
            illegal = self._walk.take(part.data)
            if illegal is not None:
                return None if self._turn(part.data, illegal) else "eos"
            self._written.append(part)
            self._bytes.append(part.data)
            self._text = self._text.add(len(self._bytes) - 1)
            if self._text.tokens:
                yield TokenEvent(len(self._bytes) - 1, part.data, part.logprob)
            if self._text.finish:
                return self._text.finish
        return "cancelled"

    def _turn(self, data: bytes, illegal: int) -> bool:
        """Whether the server is to be asked again, for what is legal instead of a piece; the text ends here if not."""
        self.refused.append((data, self._walk.length + illegal, len(self._written)))
        here = sum(count == len(self._written) for _, _, count in self.refused)
        self._language = self._walk.instead(data, illegal) if data else self._walk.at_end()
        if self._language is None or len(self.refused) > MOST_REFUSALS:
            return False
        if here > TRIES:
            log.warning("the model server does not keep to its grammar: a suggestion ends early")
        return here <= TRIES
