"""Plain decoding: one token after the other, greedy or sampled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.decoding.constraints.choice import choose
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.drafting.selector import DraftSelector
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, advance, staged
from guiderail.decoding.methods.speculative import Speculative
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.sampling import Sampler, Sampling
from guiderail.decoding.spec import BuildContext, Metadata, MethodSpec

if TYPE_CHECKING:
    from guiderail.decoding.session import Session


@dataclass(frozen=True, kw_only=True)
class PlainSpec(MethodSpec):
    """Greedy decoding, or sampling where there is a temperature."""

    metadata = Metadata(
        summary="the likeliest token, or with a temperature a drawn one, one after the other",
        paper="sampling: arXiv 1904.09751 (top-p), 2407.01082 (min-p); verified drafts: 2211.17192, 2402.14160",
        cost="one forward pass a token; fewer with drafters",
        use="by default; with a temperature for varied suggestions",
        drafters=True,
    )

    def build(self, context: BuildContext) -> Plain:
        """See `MethodSpec.build`."""
        return Plain(context.sampling, context.index, context.drafting)


class Plain:
    """Greedy decoding or sampling, one forward pass a token.

    With drafters, or with constraints whose answers come late, `Speculative` decodes the same tokens in less time.

    Parameters
    ----------
    sampling
        How a token is chosen.
    index
        Which of several suggestions this is.
    drafting
        The drafters; None for none.
    """

    def __init__(self, sampling: Sampling, index: int = 0, drafting: DraftSelector | None = None) -> None:
        self._choose = Sampler(sampling, index)
        self._drafting = drafting

    def decode(
        self, session: Session, logits: torch.Tensor, request: DecodeRequest, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`."""
        if self._drafting or any(constraint.may_await for constraint in constraints):
            return Speculative(self._choose, self._drafting).decode(session, logits, request, constraints)
        return self._decode(session, logits, request, constraints)

    def _decode(
        self, session: Session, logits: torch.Tensor, request: DecodeRequest, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        text, ids, prompt = PartialText(request), list(session.ids), len(session.ids)
        while not text.finish and not request.cancelled():
            if len(ids) > prompt:
                logits = advance(session, ids[-1])
            raw = logits[: len(request.token_bytes)]
            token = choose(constraints, staged(raw, ids, len(ids) - prompt, request), self._choose)
            for constraint in constraints:
                constraint.accept(token)
            ids.append(token)
            before, text = text, text.add(token)
            if len(text.tokens) > len(before.tokens):  # a token that only ends the text is no event
                yield text.event(raw)
        yield FinishedEvent(text.finish or "cancelled", text.text)
