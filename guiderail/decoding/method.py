"""Plain decoding: one token after the other, greedy or sampled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import torch

from guiderail.decoding.constraint import Constraint, choose
from guiderail.decoding.sampling import Chooser, Sampling
from guiderail.decoding.stage import LogitsStage, StepState
from guiderail.decoding.stops import StopRule

if TYPE_CHECKING:
    from guiderail.decoding.session import Session

Finish = Literal["line", "block", "tokens", "length", "eos", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be decoded.

    Parameters
    ----------
    token_bytes
        The exact bytes of every id; an id without bytes ends the text.
    stop
        Where the text ends.
    stop_reason
        The name of that end.
    skip
        Bytes at the beginning that stand before the cursor already (`healing`); the stop rule does not see them.
    max_tokens
        Tokens at most.
    stages
        Pure changes of the scores, in order.
    cancelled
        Asked before every forward pass.
    """

    token_bytes: Sequence[bytes]
    stop: StopRule
    stop_reason: Finish = "line"
    skip: int = 0
    max_tokens: int = 64
    stages: Sequence[LogitsStage] = ()
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """A token was decoded; `logprob` is under the model's own distribution, before any change of it."""

    id: int
    data: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class FinishedEvent:
    """Decoding ended; `text` is what counts of the characters behind the cursor."""

    reason: Finish
    text: str


Event = TokenEvent | FinishedEvent


class Method(Protocol):
    """A way to decode."""

    def decode(
        self, session: Session, logits: torch.Tensor, request: Request, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """Tokens behind `session`, whose next scores are `logits`, and one FinishedEvent at the end."""
        ...


class Plain:
    """Greedy decoding or sampling, one forward pass a token.

    Parameters
    ----------
    sampling
        How a token is chosen.
    index
        Which of several suggestions this is.
    """

    def __init__(self, sampling: Sampling, index: int = 0) -> None:
        self.choose = Chooser(sampling, index)

    def decode(
        self, session: Session, logits: torch.Tensor, request: Request, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`."""
        written, text, token = b"", "", -1
        for step in range(request.max_tokens):
            if request.cancelled():
                yield FinishedEvent("cancelled", text)
                return
            if step:
                logits = _advance(session, token)
            raw = logits[: len(request.token_bytes)]
            token = choose(constraints, _scores(raw, session, step, request.stages), self.choose)
            data = request.token_bytes[token]
            for constraint in constraints:
                constraint.accept(token)
            text, valid = _decode(written + data, request.skip)
            if not data or not valid:
                yield FinishedEvent("eos", text)
                return
            yield TokenEvent(token, data, float(raw[token] - raw.logsumexp(-1)))
            written += data
            end = request.stop.end(text)
            if end is not None:
                yield FinishedEvent(request.stop_reason, text[:end])
                return
        yield FinishedEvent("length", text)


def _advance(session: Session, token: int) -> torch.Tensor:
    logits = session.feed([token])
    assert logits is not None, "a single token is one chunk"
    return logits


def _scores(raw, session, step, stages) -> torch.Tensor:
    scores = raw
    if stages:
        state = StepState(session.ids, step)
        for stage in stages:
            scores = stage(scores, state)
    return scores


def _decode(written: bytes, skip: int) -> tuple[str, bool]:
    """The text behind the cursor, and whether it can still become valid UTF-8.

    A character whose bytes have not all come yet is left out; bytes that no character begins with end the text.
    """
    try:
        return written[skip:].decode(), True
    except UnicodeDecodeError as error:
        return written[skip:][: error.start].decode(), error.reason == "unexpected end of data"
