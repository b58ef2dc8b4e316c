"""Decodes one text at a model server, under constraints that are checked here.

The server writes freely, and its text is checked as it arrives. At the first piece that leads to nothing legal its
stream is closed. If the likeliest legal token is among those that the server has told, it takes the piece's place, and
the server goes on after it; else it is asked to go on from there under a grammar of what is legal. With greedy decoding
that gives the text that masks at every token would have given, for one more request each time a mask would have
mattered.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from guiderail.decoding.method import DecodeRequest, Event, Finish, FinishedEvent, TokenEvent
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.sampling import Sampling
from guiderail.prompt.prompt import Prompt
from guiderail.remote.byte_walk import ByteWalk
from guiderail.remote.language import Node, both
from guiderail.remote.server import End, ModelServer, Piece, Query

log = logging.getLogger(__name__)

MOST_REQUESTS = 32  # for one text
MOST_BYTES = 1 << 16  # that are looked at for one text: a token may be of any size
TRIES = 8  # to get past one place


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

    Attributes
    ----------
    refused
        The pieces that were refused, each with the number of pieces before it.
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
    ) -> None:
        self._server = server
        self._prompt = prompt
        self._bytes: list[bytes] = []  # of each piece: their numbers are the ids of the text
        self._text = PartialText(replace(request, token_bytes=self._bytes))
        self._sampling = sampling
        self._walk = walk
        self._language: Node | None = walk.required()
        self._written: list[Piece] = []
        self.refused: list[tuple[bytes, int]] = []
        self.end = End("eos")
        self.requests = 0
        self._size = 0  # of all that came, in bytes
        self._tries: Counter[int] = Counter()  # by the number of pieces before

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
        for part in self._bounded(answer):
            if isinstance(part, End):
                self.end = part
                if part.reason == "length":
                    return "length"
            piece = Piece(b"") if isinstance(part, End) else part
            chosen = self._chosen(piece)
            if chosen is None:
                return "eos" if self._is_stuck else None
            if not chosen.data:
                return "eos"
            yield self._added(chosen)
            if self._text.finish:
                return self._text.finish
            if chosen is not piece:
                self._language = self._walk.required()
                return None
        return "cancelled"

    def _bounded(self, answer: Iterator[Piece | End]) -> Iterator[Piece | End]:
        """What the server writes, up to a number of bytes."""
        for part in answer:
            self._size += len(part.data) if isinstance(part, Piece) else 0
            yield part if self._size <= MOST_BYTES else End("length")

    def _added(self, piece: Piece) -> Event:
        self._written.append(piece)
        self._bytes.append(piece.data)
        self._text = self._text.add(len(self._bytes) - 1)
        return TokenEvent(len(self._bytes) - 1, piece.data, piece.logprob)

    def _chosen(self, piece: Piece) -> Piece | None:
        """The piece to write: this one, or another one that the server has told; None if it is to be asked for one."""
        is_seldom, illegal = self._walk.is_seldom(piece.data), self._walk.take(piece.data)
        if illegal is None and not is_seldom:
            return piece
        if illegal is None:
            self._walk.give_back(len(piece.data))
        else:
            self.refused.append((piece.data, len(self._written)))
        best = self._walk.best(piece.candidates) if self._sampling.greedy else None
        if best is not None and best.ids != piece.ids:
            self._walk.take(best.data)
            return best
        if illegal is None:
            self._walk.take(piece.data)
            return piece
        self._language = self._narrower(self._walk.instead(piece.data, illegal))
        return None

    def _narrower(self, language: Node | None) -> Node | None:
        """What may come here, by all pieces that were refused in this place."""
        place = len(self._written)
        before = self._language if self._tries[place] else None
        self._tries[place] += 1
        return both(before, language) if before and language else language

    @property
    def _is_stuck(self) -> bool:
        """Whether it is no use to ask again here; the text ends then."""
        if self._tries[len(self._written)] > TRIES:
            log.warning("the model server does not keep to its grammar: a suggestion ends early")
            return True
        return self._language is None or self.requests > MOST_REQUESTS
