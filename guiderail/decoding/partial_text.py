"""The text of one suggestion while it is decoded: what it says so far, and whether and why it has ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from guiderail.decoding.method import DecodeRequest, Finish, TokenEvent
from guiderail.decoding.stops import loop_end

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class PartialText:
    """A text so far. Immutable: methods that try several continuations keep one for each.

    Parameters
    ----------
    request
        Its stop rule and limits end the text.
    data
        The bytes of its tokens, those that are before the cursor already included.
    text
        The characters after the cursor; once it has finished, those that count.
    tokens
        The ids that were written; a token that ends the text without belonging to it is none of them.
    finish
        Why it ended; None while it goes on.
    """

    request: DecodeRequest
    data: bytes = b""
    text: str = ""
    tokens: tuple[int, ...] = ()
    finish: Finish | None = None

    @property
    def room(self) -> int:
        """Tokens that may still be written."""
        return self.request.max_tokens - len(self.tokens)

    def add(self, token: int) -> PartialText:
        """The text with one more token.

        A character whose bytes have not all come yet is left out; bytes that no character begins with end the text,
        as does a token without bytes.
        """
        request = self.request
        data = request.token_bytes[token]
        text, valid = decoded(self.data + data, request.skip)
        if not data or not valid:
            return replace(self, text=text, finish="eos")
        more = replace(self, data=self.data + data, text=text, tokens=(*self.tokens, token))
        end = request.stop.end(text)
        if end is not None:
            return replace(more, text=text[:end], finish=request.stop_reason)
        if request.end_loops and (end := loop_end(text)) is not None:
            return replace(more, text=text[:end], finish="loop")
        return replace(more, finish="length") if not more.room else more

    def event(self, raw: torch.Tensor) -> TokenEvent:
        """The event of the last token, which was chosen at the scores `raw` (float32 [vocabulary])."""
        token = self.tokens[-1]
        return TokenEvent(token, self.request.token_bytes[token], float(raw[token] - raw.logsumexp(-1)))


def decoded(written: bytes, skip: int) -> tuple[str, bool]:
    """The text after the cursor, and whether it can still become valid UTF-8."""
    try:
        return written[skip:].decode(), True
    except UnicodeDecodeError as error:
        return written[skip:][: error.start].decode(), error.reason == "unexpected end of data"
