"""The contract of a kind of model server, and what it is asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from guiderail.decoding.sampling import Sampling
    from guiderail.prompt.fim import FimFormat
    from guiderail.prompt.prompt import Prompt
    from guiderail.remote.connection import Connection
    from guiderail.remote.language import Node


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer, as a rule one token.

    Parameters
    ----------
    data
        Its bytes; none for a control token.
    ids
        Its token ids, where the server tells them.
    logprob
        The logarithm of its probability under the model; 0 where the server does not tell it.
    candidates
        The likeliest tokens in its place, where the server tells them, the likeliest first.
    """

    data: bytes
    ids: tuple[int, ...] = ()
    logprob: float = 0.0
    candidates: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """How an answer ended, and what its prompt took; 0 where the server does not tell."""

    reason: Literal["eos", "length"]
    prompt_tokens: int = 0
    reused_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TokenHabits:
    """How a model's tokenizer cuts code; by default rather too many tokens than too few.

    Parameters
    ----------
    size
        Bytes of code that a token has, on average.
    joins_indent
        Whether the last blank of an indentation is in one token with the word after it.
    """

    size: float = 3.0
    joins_indent: bool = True


@dataclass(frozen=True, slots=True)
class Query:
    """What a server is asked to write.

    Parameters
    ----------
    prompt
        What comes before.
    written
        What it wrote already, after the prompt.
    max_tokens
        Tokens at most.
    sampling
        How to choose them.
    language
        What may be written; None for anything.
    """

    prompt: Prompt
    written: Sequence[Piece]
    max_tokens: int
    sampling: Sampling
    language: Node | None = None


class ModelServer(ABC):
    """A server that was found out to be of one kind.

    Parameters
    ----------
    connection
        Its client.
    model
        The id of the model that it is asked for.
    context_length
        Tokens of prompt and answer that it has room for.
    fim
        The fill-in-the-middle format of the prompt; None if it has none.
    tokens
        What is known of its tokens.
    """

    kind: str = ""
    constrains: bool = True  # whether it can be told what may be written

    def __init__(
        self, connection: Connection, model: str, context_length: int, fim: FimFormat | None, tokens: TokenHabits
    ) -> None:
        self.connection = connection
        self.model = model
        self.context_length = context_length
        self.fim = fim
        self.tokens = tokens

    @abstractmethod
    def write(self, query: Query, cancelled: Callable[[], bool]) -> Generator[Piece | End, None, None]:
        """What the server writes, piece by piece, with an `End` at its end unless `cancelled`.

        Closing the iterator makes the server stop.

        Raises
        ------
        RemoteError
            It gives no usable answer.
        """
