"""Greedy decoding with a small model that continues another model's text, some bytes of which may be given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.session import Session
from guiderail.prompt.prompt import build_prompt, half_typed
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.model.model import Model

BUDGET = 512  # tokens of a prompt: more makes a draft a little better, and costs a request a pass of the large model
NEAR = 6000  # characters on each side of the cursor that are looked at


@dataclass(frozen=True, slots=True)
class Piece:
    """A token that was written: its new bytes, and its probability among those that were possible."""

    data: bytes
    chance: float


class Writer:
    """Greedy decoding with a small model, after a text that another model decodes.

    Parameters
    ----------
    model
        The small model.
    """

    def __init__(self, model: Model) -> None:
        self._tokenizer = model.tokenizer
        self._fim = model.info.fim
        self._session = Session(model)
        self._vocabulary = Vocabulary(model.tokenizer.token_bytes)
        self._around = ("", "")
        self._prompt: list[int] = []
        self._typed = ""

    def open(self, before: str, after: str) -> None:
        """Continue between these texts from now on."""
        around = before[-NEAR:], after[:NEAR]
        if around != self._around or not self._prompt:
            self._around = around
            prompt = build_prompt(
                Document("".join(around)),
                len(around[0]),
                (),
                self._fim,
                layout=self._fim.preferred if self._fim else "prefix",
                budget=BUDGET,
                count=lambda text: len(self._tokenizer.encode(text)),
                joins=self._tokenizer.joined_blanks,
            )
            self._prompt, self._typed = self._tokenizer.encode_prompt(prompt), prompt.typed

    @torch.inference_mode()
    def write(
        self, written: bytes, required: bytes, tokens: int, goes_on: Callable[[Sequence[float]], bool]
    ) -> list[Piece]:
        """The likeliest continuation of the opened text and `written`, up to the end of its line.

        Parameters
        ----------
        required
            The bytes that it must begin with.
        tokens
            Written at most.
        goes_on
            Asked after every token, with the probabilities of all so far, whether another one is wanted.
        """
        before = self._typed + written.decode("utf-8", "ignore")
        half = half_typed(before[before.rfind("\n") + 1 :], self._tokenizer.joined_blanks)
        kept = before[: len(before) - len(half)]
        again = half.encode()
        rest = again + required
        logits = self._session.fit([*self._prompt, *self._tokenizer.encode(kept)])
        pieces: list[Piece] = []
        while logits is not None and len(pieces) < tokens:
            token, chance = self._best(logits, rest)
            data = self._tokenizer.token_bytes[token]
            if not data:
                break
            pieces.append(Piece(data[len(again) :], chance))
            again, rest = again[len(data) :], rest[len(data) :]
            if (b"\n" in data and not rest) or not goes_on([piece.chance for piece in pieces]):
                break
            logits = self._session.feed([token])
        return pieces

    def _best(self, logits: torch.Tensor, required: bytes) -> tuple[int, float]:
        """The likeliest token among those that can lead to `required`, and its probability among them."""
        logits = logits[: len(self._tokenizer.token_bytes)]
        if not required:
            token = int(logits.argmax())
            return token, float(logits.softmax(-1)[token])
        possible = torch.as_tensor(self._vocabulary.compatible(required), device=logits.device)
        scores = logits[possible]
        best = int(scores.argmax())
        return int(possible[best]), float(scores.softmax(-1)[best])
