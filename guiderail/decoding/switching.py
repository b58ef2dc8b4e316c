"""EAD: a small model writes, and a large one where the small one is unsure ("Entropy Adaptive Decoding: Dynamic Model
Switching for Efficient Inference", arXiv 2502.06833, section 3).

    H_t  = - sum p log2 p, bits, of the model that writes, before any temperature
    mean = of the last `window` entropies
    the large model writes from a mean of `up` on, the small one below `down`; neither before `hold` tokens in a row

The paper has one threshold for both directions, though two models' entropies differ in scale; `up` equal to `down` is
the paper. Each model keeps its own cache; on a switch it reads what the other wrote in one pass. Unlike drafts that
are verified, this changes what is decoded: where both models are at hand, compare it with drafting.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.decoding.choice import choose
from guiderail.decoding.constraint import Constraint
from guiderail.decoding.method import Event, FinishedEvent, Request, staged
from guiderail.decoding.part import About, MethodPart, Situation, parameter
from guiderail.decoding.sampling import Chooser
from guiderail.decoding.session import Session
from guiderail.decoding.writing import Writing
from guiderail.errors import UsageError
from guiderail.model.load import load

if TYPE_CHECKING:
    from guiderail.model.model import Model


@dataclass(frozen=True, kw_only=True)
class SwitchingPart(MethodPart):
    """EAD, with the loaded model as the large one."""

    small: str = parameter("", "The small model: embedded, a folder, or the id of a pulled one; of the same tokenizer.")
    up: float = parameter(1.0, "Mean entropy, bits, from which the large model writes.", low=0, high=20)
    down: float = parameter(1.0, "Mean entropy, bits, below which the small model writes.", low=0, high=20)
    window: int = parameter(5, "Entropies of the mean.", low=1, high=1000)
    hold: int = parameter(10, "Tokens that a model writes at least.", low=1, high=10_000)
    about = About(
        summary="a small model writes, and the loaded one where the small one is unsure",
        paper="EAD: arXiv 2502.06833, section 3",
        cost="one forward pass a token of the model that writes, and one at each switch",
    )

    def build(self, situation: Situation) -> Switching:
        """See `MethodPart.build`.

        Raises
        ------
        UsageError
            There is no small model, or it has another tokenizer, or the thresholds cross.
        """
        if not self.small:
            raise UsageError("ead needs a small model", "Add --set ead.small=MODEL")
        if self.down > self.up:
            raise UsageError(f"ead.down ({self.down}) is above ead.up ({self.up})", "Set it to the same or less")
        large = situation.model
        session = situation.kept(("ead", self.small), lambda: Session(_load(self.small, large)))
        return Switching(self, session, Chooser(situation.sampling, situation.index))


def _load(name: str, large: Model) -> Model:
    small = load(name, device=large.device.type)
    if small.tokenizer.fingerprint != large.tokenizer.fingerprint:
        raise UsageError(
            f"{small.info.name} and {large.info.name} have different tokenizers",
            "Choose a small model of the same family",
        )
    return small


class Switching:
    """The method of EAD.

    Parameters
    ----------
    part
        Thresholds, window and hold.
    small
        The small model's session, kept from request to request.
    chooser
        How tokens are chosen.
    """

    def __init__(self, part: SwitchingPart, small: Session, chooser: Chooser) -> None:
        self.part = part
        self.small = small
        self.choose = chooser

    def decode(
        self, session: Session, logits: torch.Tensor, request: Request, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`; `session` is the large model's."""
        ids, prompt = list(session.ids), session.length
        models, large = (self.small, session), False
        switch, writing = Switch(self.part), Writing(request)
        raw = _caught_up(self.small, ids, request)
        while raw is not None and not request.cancelled():
            if switch.wants(entropy(raw)) != large:
                large = not large
                switch.held = 0
                # Nothing was written yet: the large model's scores came with the prompt.
                raw = logits if large and len(ids) == prompt else _caught_up(models[large], ids, request)
                if raw is None:
                    break
                raw = raw[: len(request.token_bytes)]
            token = choose(constraints, staged(raw, ids, len(ids) - prompt, request), self.choose)
            for constraint in constraints:
                constraint.accept(token)
            ids.append(token)
            switch.held += 1
            before, writing = writing, writing.add(token)
            if len(writing.tokens) > len(before.tokens):
                yield writing.event(raw)
            if writing.finish:
                break
            raw = _caught_up(models[large], ids, request)
        yield FinishedEvent(writing.finish or "cancelled", writing.text)


class Switch:
    """Says which model writes next.

    Parameters
    ----------
    part
        Thresholds, window and hold.

    Attributes
    ----------
    held
        Tokens since the last switch, counted by the caller.
    """

    def __init__(self, part: SwitchingPart) -> None:
        self._part = part
        self._recent: deque[float] = deque(maxlen=part.window)
        self._large = False
        self.held = part.hold  # the first choice is free

    def wants(self, bits: float) -> bool:
        """Whether the large model writes, after the entropy of the one that has written was `bits`."""
        self._recent.append(bits)
        mean = sum(self._recent) / len(self._recent)
        if self.held >= self._part.hold and (mean < self._part.down if self._large else mean >= self._part.up):
            self._large = not self._large
        return self._large


def entropy(raw: torch.Tensor) -> float:
    """Of scores float32 [vocabulary], in bits."""
    logp = raw.log_softmax(-1)
    return float(-(logp.exp() * logp.clamp(min=-1e4)).sum()) / math.log(2)


def _caught_up(session: Session, ids: Sequence[int], request: Request) -> torch.Tensor | None:
    """The scores after `ids`, of which the session runs what it has not; None once cancelled."""
    missing = list(ids[session.length :]) if list(ids[: session.length]) == session.ids else []
    raw = (
        session.feed(missing, cancelled=request.cancelled) if missing else session.fit(ids, cancelled=request.cancelled)
    )
    return None if raw is None else raw[: len(request.token_bytes)]
