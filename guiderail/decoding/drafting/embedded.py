"""The embedded model drafts for a larger one: it proposes text, which the larger one's tokenizer cuts into tokens.

Speculative decoding (Leviathan et al. 2023, arXiv 2211.17192) between models of different vocabularies, by strings: the
string-level exact match of Timor et al. 2025 (arXiv 2502.05202, algorithm 2). Before every draft the small model reads
what the large one has decided, less the word that may still grow, which it has to write again
(`constraints.typed_text`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guiderail.cache.tree import TokenTree
from guiderail.decoding.constraints.typed_text import TypedText
from guiderail.decoding.drafting.draft import Draft, Drafter, Verified
from guiderail.decoding.drafting.pass_cost import PassCosts, pass_costs_of
from guiderail.decoding.drafting.rates import HitRates
from guiderail.decoding.drafting.writer import Piece, Writer
from guiderail.decoding.spec import BuildContext, DrafterSpec, Metadata, parameter

if TYPE_CHECKING:
    from guiderail.decoding.constraints.constraint import Constraint
    from guiderail.decoding.stages.ngram_counts import NgramCounts
    from guiderail.model.model import Model
    from guiderail.model.tokenizer import Tokenizer
    from guiderail.prompt.fim import FimFormat

log = logging.getLogger(__name__)

LARGER = 8  # times the embedded model's parameters that a model must have to be drafted for
CLASSES = 10  # classes of tokens by the small model's probability
STEP = 0.2  # passes of the large model that a token of the small one takes, before that is measured
PRIOR = 1.5  # tokens in the time of one pass that it promises before anything is known
RECENT = 0.1  # weight of the last observation in a running mean
CURIOUS = 0.02  # how fast a promise recovers while nothing is asked


@dataclass(frozen=True, kw_only=True)
class EmbeddedSpec(DrafterSpec):
    """Drafts with the embedded model."""

    metadata = Metadata(
        summary="the embedded model proposes the next tokens; for models of eight times its size or more",
        paper="SLEM, arXiv 2502.05202, algorithm 2; speculative decoding, arXiv 2211.17192",
        cost="a pass of the embedded model for each token of a draft, and its memory",
        use="for slow models; where the file repeats itself suffix is faster",
    )
    length: int = parameter(12, "most tokens that the embedded model writes for a draft", low=1, high=64)

    def build(self, context: BuildContext) -> EmbeddedDrafter:
        """See `DrafterSpec.build`; until the model is loaded, in a thread of its own, nothing is drafted."""
        from guiderail.model.load import describe, load
        from guiderail.model.store import EMBEDDED
        from guiderail.model.threads import allowed

        model = context.model
        pass_costs = context.kept(PassCosts, lambda: pass_costs_of(model))
        drafter = EmbeddedDrafter(model.tokenizer, model.info.fim, pass_costs, self.length)
        if model.info.parameters >= LARGER * describe(EMBEDDED).parameters:
            drafter.start(lambda: load(EMBEDDED, device=model.device.type, threads=allowed()))
        return drafter


class EmbeddedDrafter(Drafter):
    """Drafts with a small model; proposes nothing until it is started and its model is loaded.

    Parameters
    ----------
    tokenizer, fim
        Of the model that is drafted for.
    pass_costs
        The costs of that model's passes.
    length
        Tokens that the small model writes for a draft at most.
    """

    def __init__(self, tokenizer: Tokenizer, fim: FimFormat | None, pass_costs: PassCosts, length: int = 12) -> None:
        self._tokenizer = tokenizer
        self._fim = fim
        self._pass_costs = pass_costs
        self._length = length
        self._rates = HitRates([(one + 0.5) / CLASSES for one in range(CLASSES)])
        self._writer: Writer | None = None
        self._loading: threading.Thread | None = None
        self._prompt: Sequence[int] = ()
        self._is_open = False  # whether the small model was shown this prompt
        self._step = STEP
        self._spent = 0.0  # passes of the large model that the last draft took
        self._promise = PRIOR

    @property
    def promise(self) -> float:
        """See `Drafter.promise`."""
        return self._promise if self._writer else 0.0

    def start(self, load: Callable[[], Model]) -> None:
        """Load the small model in a thread of its own."""
        self._loading = threading.Thread(target=self._load, args=(load,), name="draft model", daemon=True)
        self._loading.start()

    def wait(self) -> None:
        """Wait until the small model is loaded, or cannot be."""
        if self._loading is not None:
            self._loading.join()

    def _load(self, load: Callable[[], Model]) -> None:
        try:
            self._writer = Writer(load())
        except Exception as error:  # a draft is never worth a suggestion
            log.warning("the embedded model does not draft: %s", error)

    def begin(self, ids: Sequence[int], project: NgramCounts | None) -> None:
        """See `Drafter.begin`."""
        self._prompt = list(ids)
        self._is_open = False

    def propose(self, ids: Sequence[int], constraints: Sequence[Constraint], room: int) -> Draft | None:
        """What the small model writes, in the large one's tokens; see `Drafter.propose`."""
        if self._writer is None:
            return None
        began = time.perf_counter()
        written = self._tokenizer.decode_bytes(ids[len(self._prompt) :])
        typed = next((one.remaining for one in constraints if isinstance(one, TypedText)), b"")
        try:
            if not self._is_open:
                self._writer.open(*around(self._prompt, self._tokenizer, self._fim))
                self._is_open = True
            pieces = self._writer.write(written, typed, self._length, self._is_worthwhile)
        except Exception as error:  # a draft is never worth a suggestion
            log.warning("the embedded model does not draft any more: %s", error)
            self._writer = None
            return None
        draft = self._cut(pieces, room)
        seconds = time.perf_counter() - began
        self._spent = seconds / self._pass_costs.seconds[0]
        self._step += RECENT * (self._spent / (len(pieces) + 1) - self._step)
        return draft

    def _is_worthwhile(self, chances: Sequence[float]) -> bool:
        """Whether to draft on after tokens of these probabilities: another token must save more time than it costs."""
        arrive = 1.0
        for chance in chances:
            arrive *= self._rates[_label(chance)]
        return arrive > self._step

    def _cut(self, pieces: Sequence[Piece], room: int) -> Draft | None:
        """The pieces' text in the large model's tokens, each with the chance of the pieces that it takes part in.

        The last token is left out unless it ends a line: the word that it ends might go on, and be cut otherwise.
        """
        data = b"".join(piece.data for piece in pieces)
        tokens = self._tokenizer.encode(data.decode("utf-8", "ignore"))
        if not data.endswith(b"\n") and len(tokens) > 1:
            tokens.pop()
        labels, chances, end, begun, place, arrive = [], [], 0, 0, 0, 1.0
        for token in tokens[:room]:
            end += len(self._tokenizer.token_bytes[token])
            chance = 1.0
            while place < len(pieces) and begun < end:
                chance *= pieces[place].chance
                begun += len(pieces[place].data)
                place += 1
            labels.append(_label(chance))
            arrive *= self._rates[labels[-1]]
            chances.append(arrive)
        return Draft(TokenTree.chain(tokens[:room]), chances, labels=labels) if labels else None

    def learn(self, verified: Verified) -> None:
        """See `Drafter.learn`."""
        draft = verified.draft
        if draft is None or draft.owner is not self:
            self._promise += CURIOUS * (PRIOR - self._promise)
            return
        self._rates.learn(verified, self)
        gain = len(verified.path) / (self._pass_costs(len(verified.tree)) + self._spent)
        self._promise += RECENT * (gain - self._promise)


def _label(chance: float) -> int:
    return min(int(chance * CLASSES), CLASSES - 1)


def around(ids: Sequence[int], tokenizer: Tokenizer, fim: FimFormat | None) -> tuple[str, str]:
    """The text before and after the cursor that a prompt shows.

    In every layout the text before the cursor is what follows the prefix's sentinel, and then what follows the middle's
    (`fim`); without sentinels it is all.
    """
    names = {tokenizer.special[name]: name for name in fim.sentinels if name in tokenizer.special} if fim else {}
    if fim is None or tokenizer.special.get(fim.suffix) not in ids:
        return tokenizer.decode(ids), ""
    parts: dict[str, list[int]] = {}
    name = ""
    for token in ids:
        if token in names:
            name = names[token]
        else:
            parts.setdefault(name, []).append(token)
    before = parts.get(fim.prefix, []) + (parts.get(fim.middle, []) if fim.middle else [])
    return tokenizer.decode(before), tokenizer.decode(parts.get(fim.suffix, ()))
