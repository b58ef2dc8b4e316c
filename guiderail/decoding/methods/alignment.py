"""Grammar-aligned sampling: inside a grammar without bending the model's distribution (ASAp and CARS).

A mask at every step makes each text valid, but not as likely as it should be: a token counts with all that may follow
it, though most of that is forbidden. Wanted is Q(w) = P(w) / P(L) for w in L.

ASAp (Park et al. 2024, "Grammar-Aligned Decoding", arXiv 2405.21047, algorithm 1) weighs every token by an upper bound
on the share of its futures that is valid, learned from the samples before (`SampleTrie`). It is Q in the limit.

CARS ("Constrained Adaptive Rejection Sampling", arXiv 2510.01902) draws new ground without the mask and begins again at
the first violation; what is then known to be invalid is never drawn again. Every text that it accepts is drawn from Q
exactly. It was chosen before AWRS (arXiv 2504.05410) because our constraints fill a whole mask in microseconds, and
because an editor wants single texts: AWRS is made for constraints that can only check one token, and is exact only as
a weighted population of particles.

Drawing without the mask is done as it is cheaper: after a new beginning the violation is drawn first, with the
forbidden tokens' probability, and otherwise one of the allowed.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.masks import allowed, full_mask
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, TokenEvent
from guiderail.decoding.methods.revisit import revisit
from guiderail.decoding.methods.sample_trie import NOTHING, Node, SampleTrie
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.spec import BuildContext, Metadata, MethodSpec, parameter
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from guiderail.decoding.session import Session

_log = logging.getLogger(__name__)

LARGEST = 2_000_000  # allowed tokens in all nodes of a trie (40 MB); a larger one is begun anew
PROMPTS = 8  # tries that are kept


@dataclass(frozen=True, kw_only=True)
class AsapSpec(MethodSpec):
    """Approximate grammar-aligned sampling."""

    metadata = Metadata(
        summary="samples inside a grammar, weighed by how likely each token's futures are valid",
        paper="ASAp: arXiv 2405.21047, algorithm 1",
        cost="one forward pass for each beginning that is new",
        use="for many samples of one prompt; not for a single one, which is drawn as under a plain mask",
        stages=False,
        sampling="sampled",
        needs=("grammar",),
    )

    def build(self, context: BuildContext) -> Aligned:
        """See `MethodSpec.build`."""
        return Aligned(context.sampling, context.index, context.kept(Tries, Tries), attempts=0)


@dataclass(frozen=True, kw_only=True)
class CarsSpec(MethodSpec):
    """Exact sampling inside a grammar."""

    attempts: int = parameter(64, "Attempts at one text; the one after the last is ASAp's.", low=1, high=10_000)
    metadata = Metadata(
        summary="samples inside a grammar exactly as the model would, had it to stay inside",
        paper="CARS: arXiv 2510.01902",
        cost="one forward pass for each beginning that is new, over all attempts",
        use="for exact samples from the first on; not where the model seldom stays inside: attempts are given up",
        stages=False,
        sampling="sampled",
        needs=("grammar",),
    )

    def build(self, context: BuildContext) -> Aligned:
        """See `MethodSpec.build`."""
        return Aligned(context.sampling, context.index, context.kept(Tries, Tries), attempts=self.attempts)


class Tries:
    """The tries of the last prompts, of one model."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, SampleTrie] = {}

    def trie(self, prompt: Sequence[int], temperature: float, constraints: Sequence[Constraint]) -> SampleTrie:
        """The trie of a prompt and a temperature under constraints.

        Raises
        ------
        UsageError
            If the language of one of them is not known in advance (a monitor's, say).
        """
        keys = [constraint.key for constraint in constraints]
        if None in keys:
            raise UsageError("sampling inside a grammar does not work with monitors", "Add --no-monitors")
        key = (tuple(prompt), temperature, tuple(keys))
        trie = self._kept.pop(key, None)
        self._kept[key] = trie = SampleTrie() if trie is None or trie.size > LARGEST else trie
        if len(self._kept) > PROMPTS:
            del self._kept[next(iter(self._kept))]
        return trie


class Aligned:
    """Both samplers: ASAp is CARS without attempts that may be given up.

    Parameters
    ----------
    sampling
        The temperature, and the seed; P is the model's distribution at that temperature.
    index
        Which of several suggestions this is.
    tries
        What earlier samples have taught.
    attempts
        Attempts that may be given up at a violation; after them, or with 0, a text is drawn with its masks.

    Raises
    ------
    UsageError
        If the sampling truncates: the truncated distribution is not the model's.
    """

    def __init__(self, sampling: Sampling, index: int, tries: Tries, *, attempts: int) -> None:
        if sampling.greedy or sampling.top_k or sampling.top_p < 1 or sampling.min_p:
            raise UsageError(
                "sampling inside a grammar follows the model's whole distribution",
                "Set temperature above 0, and leave out top_k, top_p and min_p",
            )
        self.temperature = sampling.temperature
        self.rng = np.random.default_rng([sampling.seed, index])
        self.tries = tries
        self.attempts = attempts

    def decode(
        self, session: Session, logits: torch.Tensor, request: DecodeRequest, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`; the tokens come at once, when the text is accepted."""
        walk = _Walk(self, session, logits, request, constraints)
        for left in range(self.attempts, -1, -1):
            if walk.attempt(rejects=left > 0) or request.cancelled():
                break
        else:
            _log.warning("no text of the grammar was found in %d tokens", request.max_tokens)
        yield from walk.events
        yield FinishedEvent("cancelled" if request.cancelled() else walk.text.finish or "length", walk.text.text)


class _Walk:
    """Attempts at one text: down the trie, then with the model."""

    def __init__(
        self,
        method: Aligned,
        session: Session,
        logits: torch.Tensor,
        request: DecodeRequest,
        constraints: Sequence[Constraint],
    ) -> None:
        self.method, self.session, self.request = method, session, request
        self.logits, self.constraints = logits, constraints
        self.prompt = session.length
        self.trie = method.tries.trie(session.ids, method.temperature, constraints)
        self.path: list[tuple[Node, int]] = []
        self.text = PartialText(request)
        self.events: list[TokenEvent] = []

    def attempt(self, *, rejects: bool) -> bool:
        """Draw one text; whether it is accepted. Without `rejects` new nodes are drawn from under their mask."""
        self._begin_again()
        while not self.text.finish and not self.request.cancelled():
            node, fresh = self._node()
            dead = fresh and rejects and self.path and self.method.rng.random() >= np.exp(node.log_c)
            place = None if dead else node.draw(self.method.rng)
            if place is None:
                self.trie.update(self.path, node.log_c)
                return False
            self._take(node, place)
        ended = self.text.finish != "length"
        if self.text.finish:
            self.trie.update(self.path, 0.0 if ended else NOTHING)
        return ended or not rejects

    def _begin_again(self) -> None:
        for constraint in self.constraints:
            constraint.rollback(len(self.path))
        self.path, self.events, self.text = [], [], PartialText(self.request)

    def _take(self, node: Node, place: int) -> None:
        token = int(node.ids[place])
        self.path.append((node, place))
        for constraint in self.constraints:
            constraint.accept(token)
        before, self.text = self.text, self.text.add(token)
        if len(self.text.tokens) > len(before.tokens):
            logprob = float(self.method.temperature * node.logp[place] + node.shift)
            self.events.append(TokenEvent(token, self.request.token_bytes[token], logprob))

    def _node(self) -> tuple[Node, bool]:
        """The node of what is written, and whether it is new."""
        parent, place = self.path[-1] if self.path else (None, 0)
        known = self.trie.root if parent is None else parent.children.get(place)
        if known is not None:
            return known, False
        node = self._visit()
        self.trie.add(parent, place, node)
        return node, True

    def _visit(self) -> Node:
        """Run the model after what is written; tokens of known nodes that it has not seen go in the same pass."""
        size = len(self.request.token_bytes)
        raw = self._scores()[:size].double().cpu()
        scaled = raw / self.method.temperature
        norm = scaled.logsumexp(-1)
        shift = float(self.method.temperature * norm - raw.logsumexp(-1))
        mask = full_mask(size)
        for constraint in self.constraints:
            if not constraint.is_satisfied:
                constraint.fill_mask(mask)
        return Node((scaled - norm).numpy(), allowed(mask, size).numpy(), shift)

    def _scores(self) -> torch.Tensor:
        written = [int(node.ids[place]) for node, place in self.path]
        logits = revisit(self.session, self.prompt, written, self.logits)
        assert logits is not None, "it is not cancelled"
        return logits
