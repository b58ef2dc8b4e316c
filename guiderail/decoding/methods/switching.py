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

from guiderail.decoding.constraints.choice import choose
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, staged
from guiderail.decoding.methods.adadec import entropy_of
from guiderail.decoding.methods.revisit import catch_up
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.sampling import Sampler
from guiderail.decoding.session import Session
from guiderail.decoding.spec import BuildContext, Metadata, MethodSpec, parameter
from guiderail.errors import UsageError
from guiderail.model.load import load

if TYPE_CHECKING:
    from guiderail.model.model import Model


@dataclass(frozen=True, kw_only=True)
class SwitchingSpec(MethodSpec):
    """EAD, with the loaded model as the large one."""

    small: str = parameter("", "The small model: embedded, a folder, or the id of a pulled one; of the same tokenizer.")
    up: float = parameter(1.0, "Mean entropy, bits, from which the large model writes.", low=0, high=20)
    down: float = parameter(1.0, "Mean entropy, bits, below which the small model writes.", low=0, high=20)
    window: int = parameter(5, "Entropies of the mean.", low=1, high=1000)
    hold: int = parameter(10, "Tokens that a model writes at least.", low=1, high=10_000)
    metadata = Metadata(
        summary="a small model writes, and the loaded one where the small one is unsure",
        paper="EAD: arXiv 2502.06833, section 3",
        cost="one forward pass a token of the model that writes, and one at each switch",
        use="where speed matters more than the large model's own text; else use drafters, which leave it unchanged",
    )

    def build(self, context: BuildContext) -> Switching:
        """See `MethodSpec.build`.

        Raises
        ------
        UsageError
            There is no small model, or it has another tokenizer, or the thresholds cross.
        """
        if not self.small:
            raise UsageError("ead needs a small model", "Add --set ead.small=MODEL")
        if self.down > self.up:
            raise UsageError(f"ead.down ({self.down}) is above ead.up ({self.up})", "Set it to the same or less")
        large = context.model
        session = context.kept(("ead", self.small), lambda: Session(_load(self.small, large)))
        return Switching(self, session, Sampler(context.sampling, context.index))


def _load(name: str, large: Model) -> Model:
    small = load(name, device=large.device.type)
    if small.tokenizer.fingerprint != large.tokenizer.fingerprint:
        raise UsageError(
            f"{small.info.name} and {large.info.name} have different tokenizers",
            "Choose a small model of the same family",
        )
    return small


class Switching:
    """Decodes with the small or the large model, by the recent entropy.

    Parameters
    ----------
    spec
        Thresholds, window and hold.
    small
        The small model's session, kept from request to request.
    sampler
        How tokens are chosen.
    """

    def __init__(self, spec: SwitchingSpec, small: Session, sampler: Sampler) -> None:
        self.spec = spec
        self.small = small
        self.choose = sampler

    def decode(
        self, session: Session, logits: torch.Tensor, request: DecodeRequest, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`; `session` is the large model's."""
        ids, prompt = list(session.ids), session.length
        models, large = (self.small, session), False
        switch, text = Switch(self.spec), PartialText(request)
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
            before, text = text, text.add(token)
            if len(text.tokens) > len(before.tokens):
                yield text.event(raw)
            if text.finish:
                break
            raw = _caught_up(models[large], ids, request)
        yield FinishedEvent(text.finish or "cancelled", text.text)


class Switch:
    """Decides which model writes next.

    Parameters
    ----------
    spec
        Thresholds, window and hold.

    Attributes
    ----------
    held
        Tokens since the last switch, counted by the caller.
    """

    def __init__(self, spec: SwitchingSpec) -> None:
        self._spec = spec
        self._recent: deque[float] = deque(maxlen=spec.window)
        self._large = False
        self.held = spec.hold  # the first choice is free

    def wants(self, bits: float) -> bool:
        """Whether the large model writes, after the entropy of the one that has written was `bits`."""
        self._recent.append(bits)
        mean = sum(self._recent) / len(self._recent)
        if self.held >= self._spec.hold and (mean < self._spec.down if self._large else mean >= self._spec.up):
            self._large = not self._large
        return self._large


def entropy(raw: torch.Tensor) -> float:
    """Entropy of scores float32 [vocabulary], in bits."""
    return entropy_of(raw.log_softmax(-1)) / math.log(2)


def _caught_up(session: Session, ids: Sequence[int], request: DecodeRequest) -> torch.Tensor | None:
    """Bring a session up to `ids`; returns the scores after them, float32 [vocabulary], None once cancelled."""
    raw = catch_up(session, ids, request.cancelled)
    return None if raw is None else raw[: len(request.token_bytes)]
