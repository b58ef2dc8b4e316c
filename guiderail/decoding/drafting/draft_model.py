"""Another model drafts: any model for any other, by tokens where both have one vocabulary, else by text.

Speculative decoding (Leviathan et al. 2023, arXiv 2211.17192). With one vocabulary the drafting model's probabilities
are used: its drafts may branch (`growth`), and at a temperature they are drawn and accepted by rejection sampling.
Otherwise it drafts text (`by_text`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guiderail.decoding.drafting.by_text import TextSource
from guiderail.decoding.drafting.by_tokens import TokenSource
from guiderail.decoding.drafting.draft import Draft, Drafter, Verified
from guiderail.decoding.drafting.growth import SHAPES, Shape
from guiderail.decoding.drafting.pass_cost import PassCosts, pass_costs_of
from guiderail.decoding.drafting.promise import Promise
from guiderail.decoding.sampling import Sampler, Sampling
from guiderail.decoding.spec import BuildContext, DrafterSpec, Metadata, parameter

if TYPE_CHECKING:
    from guiderail.decoding.constraints.constraint import Constraint
    from guiderail.decoding.stages.ngram_counts import NgramCounts
    from guiderail.model.info import ModelInfo
    from guiderail.model.model import Model
    from guiderail.model.tokenizer import Tokenizer
    from guiderail.prompt.fim import FimFormat

log = logging.getLogger(__name__)

LARGER = 8  # times the embedded model's parameters that a model must have for the embedded model to draft
EMBEDDED = "embedded"
STREAM = -1  # of random numbers: drafts must not be drawn with those that verify them


@dataclass(frozen=True, kw_only=True)
class DraftModelSpec(DrafterSpec):
    """Drafts with another model."""

    metadata = Metadata(
        summary="another model proposes the next tokens, as a chain or as a tree",
        paper="arXiv 2211.17192; trees: RSD 2402.14160, SpecTr 2310.15141, DySpec 2410.11744; where to stop: "
        "SpecDec++ 2405.19715; other vocabularies: SLEM 2502.05202, algorithm 2",
        cost="a pass of that model for each token in a row, and its memory",
        use="for slow models: the embedded one gives Qwen2.5-Coder 0.5B 2.0 tokens a pass, auto, which is free, 3.6",
    )
    model: str = parameter(EMBEDDED, "the model that drafts, named as the setting model; --draft-model sets it")
    tree: str = parameter("dyspec", "the shape of a draft; without a common vocabulary a chain", choices=SHAPES)
    length: int = parameter(12, "most tokens in a row", low=1, high=64)
    nodes: int = parameter(16, "most tokens of a draft", low=1, high=96)
    width: int = parameter(2, "chains of rsd and spectr, tokens of a level of rsd-s", low=1, high=16)
    stop: float = parameter(
        0.0, "stop where a rejection is as likely; 0 stops where a token costs more than it brings", low=0, high=1
    )

    def check(self, info: ModelInfo) -> None:
        """See `Spec.check`: the model that drafts must be there."""
        from guiderail.model.load import describe

        describe(self.model)

    def build(self, context: BuildContext) -> DraftModel:
        """See `DrafterSpec.build`; until the model is loaded, in a thread of its own, nothing is drafted."""
        from guiderail.model.load import describe, load
        from guiderail.model.threads import allowed

        model = context.model
        pass_costs = context.kept(PassCosts, lambda: pass_costs_of(model))
        shape = Shape(tree=self.tree, nodes=self.nodes, depth=self.length, width=self.width)
        drafter = DraftModel(model.tokenizer, model.info.fim, pass_costs, shape, stop=self.stop)
        if self.model != EMBEDDED or model.info.parameters >= LARGER * describe(EMBEDDED).parameters:
            drafter.start(lambda: load(self.model, device=model.device.type, threads=allowed()))
        return drafter


class DraftModel(Drafter):
    """Drafts with another model; proposes nothing until it is started and that model is loaded.

    Parameters
    ----------
    tokenizer, fim
        Of the model that is drafted for.
    pass_costs
        The costs of that model's passes.
    shape
        What a draft may look like.
    stop
        The probability of a rejection at which drafting stops; 0 for where it stops paying.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        fim: FimFormat | None,
        pass_costs: PassCosts,
        shape: Shape | None = None,
        *,
        stop: float = 0.0,
    ) -> None:
        self._tokenizer = tokenizer
        self._fim = fim
        self._shape = shape or Shape()
        self._stop = stop
        self._record = Promise(pass_costs, pass_costs.seconds[0])
        self._source: TextSource | TokenSource | None = None
        self._loading: threading.Thread | None = None
        self._prompt: Sequence[int] = ()
        self._is_open = False  # whether the drafting model was shown this prompt
        self._sampler = Sampler(Sampling())

    @property
    def promise(self) -> float:
        """See `Drafter.promise`."""
        return self._record.tokens if self._source else 0.0

    def start(self, load: Callable[[], Model]) -> None:
        """Load the drafting model in a thread of its own."""
        self._loading = threading.Thread(target=self._load, args=(load,), name="draft model", daemon=True)
        self._loading.start()

    def wait(self) -> None:
        """Wait until the drafting model is loaded, or cannot be."""
        if self._loading is not None:
            self._loading.join()

    def _load(self, load: Callable[[], Model]) -> None:
        try:
            model = load()
            if self._reads_the_same(model):
                self._source = TokenSource(model, self._shape)
            else:
                self._source = TextSource(model, self._tokenizer, self._fim, self._shape)
        except Exception as error:  # a draft is never worth a suggestion
            log.warning("the draft model does not draft: %s", error)

    def _reads_the_same(self, model: Model) -> bool:
        """Whether a model has the same tokens, and a prompt for the one is a prompt for the other."""
        other = model.tokenizer
        is_same = other.token_bytes == self._tokenizer.token_bytes and other.special == self._tokenizer.special
        return is_same and model.info.fim == self._fim and other.bos_id == self._tokenizer.bos_id

    def prepare(self, sampling: Sampling) -> None:
        """See `Drafter.prepare`."""
        self._sampler = Sampler(sampling, STREAM)

    def begin(self, ids: Sequence[int], project: NgramCounts | None) -> None:
        """See `Drafter.begin`."""
        self._prompt = list(ids)
        self._is_open = False

    def propose(self, ids: Sequence[int], constraints: Sequence[Constraint], room: int) -> Draft | None:
        """What the drafting model would write; see `Drafter.propose`."""
        if self._source is None:
            return None
        try:
            with self._record.timed() as passes:
                if not self._is_open:
                    self._source.begin(self._prompt)
                    self._is_open = True
                draft, passes[0] = self._source.draft(ids, constraints, room, self._sampler, self._is_worthwhile())
        except Exception as error:  # a draft is never worth a suggestion
            log.warning("the draft model does not draft any more: %s", error)
            self._source = None
            return None
        return draft

    def _is_worthwhile(self) -> Callable[[float], bool]:
        """Whether a token at a place that is reached with a probability is worth drafting."""
        # What is drawn is run too; of the likeliest tokens those that pay are run.
        nodes = 0 if self._sampler.sampling.greedy else self._shape.nodes
        least = 1 - self._stop if self._stop else self._record.price(nodes)
        return lambda reach: reach > least

    def learn(self, verified: Verified) -> None:
        """See `Drafter.learn`."""
        draft = verified.draft
        if draft is None or draft.owner is not self:
            self._record.rest()
            return
        if self._source is not None:
            self._source.learn(verified)
        self._record.kept(len(verified.path), len(verified.tree))
