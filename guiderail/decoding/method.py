"""The contract of a decoding method, with its request, its events and the scores of one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from guiderail.decoding.constraints.choice import apply
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.stages.stage import LogitsStage, StepState
from guiderail.decoding.stops import StopRule

if TYPE_CHECKING:
    import torch

    from guiderail.decoding.session import Session

Finish = Literal["line", "block", "tokens", "loop", "length", "eos", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRequest:
    """What is asked of a decoding method.

    Parameters
    ----------
    token_bytes
        The exact bytes of every id; an id without bytes ends the text.
    stop
        Where the text ends.
    stop_reason
        The name of that end.
    skip
        Bytes at the beginning that are before the cursor already (`constraints.typed_text`); the stop rule does not
        see them.
    max_tokens
        Tokens at most.
    n
        Texts wanted; for methods that write all of them in one go (`Method`).
    spare
        Whether whole texts beyond these are given too, where the method has compared them anyway.
    end_loops
        Whether a text that goes round in circles ends (`stops.loop_end`).
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
    n: int = 1
    spare: bool = False
    end_loops: bool = False
    stages: Sequence[LogitsStage] = ()
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """A token was decoded; `logprob` is under the model's own distribution, before any change of it."""

    id: int
    data: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class PausedEvent:
    """Decoding paused to compare candidates for the next token, which comes next.

    Parameters
    ----------
    entropy
        Of the distribution at this point, nats.
    candidates, scores
        Token ids, the likeliest first, and what each was found to be worth.
    chosen
        The one that is taken; reranked, if it is not the first.
    """

    entropy: float
    candidates: tuple[int, ...]
    scores: tuple[float, ...]
    chosen: int


@dataclass(frozen=True, slots=True)
class FinishedEvent:
    """A text ended; `text` is its part after the cursor, cut where the text ends."""

    reason: Finish
    text: str


Event = TokenEvent | PausedEvent | FinishedEvent


class Method(Protocol):
    """A way to decode; an object is used for one text, or for one request if it writes all its texts."""

    def decode(
        self, session: Session, logits: torch.Tensor, request: DecodeRequest, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """Decode after the session's sequence, whose next scores are `logits`; the last event is a FinishedEvent.

        A method whose `Metadata.all_texts` holds may write up to `request.n` texts, the best first: each is its tokens
        and a FinishedEvent. At the end the session may be longer than before, never changed in what it held; the
        caller takes back what was added. Constraints and stages apply to all that may be decoded.
        """
        ...


def staged(raw: torch.Tensor, ids: Sequence[int], step: int, request: DecodeRequest) -> torch.Tensor:
    """The scores of one step: the model's, changed by the stages in their order.

    Parameters
    ----------
    raw
        The model's, float32 [vocabulary] (without what padded models have after it).
    ids
        The sequence so far, the prompt included.
    step
        How many of `ids` were decoded.
    """
    scores = raw
    if request.stages:
        state = StepState(ids, step)
        for stage in request.stages:
            scores = stage(scores, state)
    return scores


def scored(
    raw: torch.Tensor, ids: Sequence[int], step: int, request: DecodeRequest, constraints: Sequence[Constraint]
) -> torch.Tensor:
    """As `staged`, then masked and weighed by the constraints, which must have accepted exactly the decoded tokens.

    A constraint may still refuse a token that is chosen from these scores (`Constraint.admits`): `choice.choose` asks,
    and `choice.admitted` is for those who choose several.
    """
    scores = staged(raw, ids, step, request)
    return apply(constraints, scores) if constraints else scores


def advance(session: Session, token: int) -> torch.Tensor:
    """Feed one token; the model's scores after it, float32 [at least the vocabulary]."""
    logits = session.feed([token])
    assert logits is not None, "a single token is one chunk"
    return logits
