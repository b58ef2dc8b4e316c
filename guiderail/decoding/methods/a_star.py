"""A*: a search over unfinished texts for the best finished one, under a budget of passes.

After A*-decoding (Chatziveroglou 2025, arXiv 2505.13672): the most promising unfinished texts go on first, and a
verifier has a say in what is promising. The cost of a text is its negative log-probability, `penalty` nats more if the
verifier finds a fault in it, and in texts of several lines `length` nats less for each token. What a beginning costs at
least follows from that. Where it is as much as the best finished text costs, the beginning is dropped, and when none is
left that text is proved to be the best that the `branch` likeliest tokens after each beginning make (tested against
enumeration). Until then the order decides: the cost, less what so many tokens cost along likely paths, so that long
texts are not put off.

States that differ in formatting alone are merged, as FETCH (Wang et al. 2025, arXiv 2502.11183) merges states of one
meaning: the cheapest of them stands for all. That is exact as far as formatting does not change what the model goes
on with.
"""

from __future__ import annotations

import heapq
import math
from bisect import insort
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from guiderail.cache.tree import TokenTree
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.method import DecodeRequest, Event, Finish, FinishedEvent
from guiderail.decoding.methods.beam import Hypothesis
from guiderail.decoding.methods.constraint_walker import ConstraintWalker
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.sandbox.project_tests import ProjectTests
from guiderail.decoding.spec import BuildContext, Metadata, MethodSpec, TextVerifier, parameter

if TYPE_CHECKING:
    from guiderail.decoding.session import Session


@dataclass(frozen=True, kw_only=True)
class AStarSpec(MethodSpec):
    """A* search over unfinished texts, with errors, and tests where given, in the cost."""

    metadata = Metadata(
        summary="best-first search for the likeliest text without errors; states that differ in formatting are merged",
        paper="A*-decoding, arXiv 2505.13672; merged states: FETCH, arXiv 2502.11183",
        cost="at most `passes` passes, each as wide as a beam, and an analyser's answer for each text that ends well",
        use="by hand or in a batch, where one line must be right; not for bodies, for which a beam does better",
        sampling="greedy",
        all_texts=True,
    )
    passes: int = parameter(32, "forward passes at most", low=1, high=500)
    width: int = parameter(6, "unfinished texts that go on in one pass", low=1, high=16)
    branch: int = parameter(8, "tokens that are tried after each", low=1, high=1000)
    penalty: float = parameter(8.0, "nats that errors, or tests all of which fail, cost a text", low=0, high=1000)
    length: float = parameter(
        0.5,
        "nats that each token is worth in a text that may have several lines; else the shortest win",
        low=0,
        high=10,
    )
    merge: bool = parameter(True, "merge texts that differ in formatting alone")
    tests: str = parameter("", "doctest, or a test file or folder of the project, for pytest; empty for none")
    seconds: float = parameter(10.0, "that a run of the tests may take", above=0, high=3600)
    megabytes: int = parameter(1024, "memory of a run of the tests", low=64, high=1_000_000)

    @property
    def runs_code(self) -> bool:
        """Whether tests are run."""
        return bool(self.tests)

    def build(self, context: BuildContext) -> AStar:
        """See `MethodSpec.build`.

        Raises
        ------
        TreeError, UntestableError
            Tests are named, and there is nothing to test, or no sandbox.
        """
        reward = None
        if self.tests:
            reward = ProjectTests(context, self.tests, seconds=self.seconds, megabytes=self.megabytes).share_passed
        return AStar(self, context.verifier, reward)


class AStar:
    """Searches for the text of the least cost.

    Parameters
    ----------
    spec
        Budget, width and weights.
    verifier
        Finds faults; None where nothing but likelihood counts.
    reward
        The share of tests that a text passes, in [0, 1]; None for no tests.
    """

    def __init__(
        self, spec: AStarSpec, verifier: TextVerifier | None = None, reward: Callable[[str], float] | None = None
    ) -> None:
        self.spec = spec
        self.verifier = verifier
        self.reward = reward

    def decode(
        self, session: Session, logits: torch.Tensor, request: DecodeRequest, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`; up to `request.n` texts, the best first."""
        walker = ConstraintWalker(session.ids, request, constraints)
        search = _Search(self, request, walker)
        search.run(session, logits)
        walker.move([])
        stopped: Finish = "cancelled" if request.cancelled() else "length"
        for one in search.best():
            yield from one.events
            yield FinishedEvent(one.text.finish or stopped, one.text.text)


@dataclass(order=True, slots=True)
class _Open:
    """An unfinished text: the most promising comes first, of equal ones the oldest.

    `floor` is what a text that begins like this costs at least.
    """

    order: float
    age: int
    floor: float = field(compare=False)
    key: Hashable = field(compare=False)
    state: Hypothesis = field(compare=False)


class _Search:
    def __init__(self, method: AStar, request: DecodeRequest, walker: ConstraintWalker) -> None:
        self.method, self.spec, self.request, self.walker = method, method.spec, request, walker
        self.open: list[_Open] = []
        self.found: list[tuple[float, int, Hypothesis]] = []  # whole texts by their cost
        self.cut: list[Hypothesis] = []  # those that the token budget ended
        self.cheapest: dict[Hashable, float] = {}  # cost, of the states that are one
        self.lead: Hypothesis | None = None  # the greedy text, until it ends: there is always one to show
        self.length = 0.0 if request.stop_reason == "line" else method.spec.length
        self.age = 0
        self.steps, self.spent = 0, 0.0  # how many states went on, and what their likeliest tokens cost

    def run(self, session: Session, logits: torch.Tensor) -> None:
        """Search until the best text is proved, or the budget or the request ends."""
        self.lead = Hypothesis(PartialText(self.request))
        self._expand([self.lead], [logits])
        tree = TokenTree()
        for _ in range(self.spec.passes):
            states = [] if self.request.cancelled() else self._take()
            if not states:
                return
            states = [replace(one, node=tree.add(one.path[-1], one.node)) for one in states]
            if self.lead is not None:
                self.lead = states[0]
            self._expand(states, list(session.feed_tree(tree))[-len(states) :])

    def best(self) -> list[Hypothesis]:
        """The texts to show: the cheapest whole ones, else what was cut, else what is unfinished."""
        whole = [one for _, _, one in self.found]
        texts = [*whole, *sorted(self.cut, key=lambda one: -one.score)]
        if not texts:
            is_led = self.lead is not None and self.lead.path
            texts = [self.lead] if self.lead and is_led else [one.state for one in sorted(self.open)]
        return texts[: max(self.request.n, len(whole) if self.request.spare else 0)]

    @property
    def bound(self) -> float:
        """The cost that a text must be under to be shown."""
        return self.found[self.request.n - 1][0] if len(self.found) >= self.request.n else math.inf

    def _cost(self, one: Hypothesis) -> float:
        return -one.total - self.length * len(one.path)

    def _floor(self, one: Hypothesis) -> float:
        """What a text that begins like this costs at least, as far as the verifier is not asked."""
        return self._cost(one) - (0.0 if one.text.finish else self.length * one.text.room)

    def _take(self) -> list[Hypothesis]:
        """The states that go on in the next pass: the greedy one, and the most promising."""
        bound = self.bound
        if self.lead is not None and self._floor(self.lead) >= bound:
            self.lead = None
        taken = [self.lead] if self.lead is not None else []
        while self.open and len(taken) < self.spec.width:
            one = heapq.heappop(self.open)
            is_cheapest = one.key is None or self.cheapest[one.key] == self._cost(one.state)
            if one.floor < bound and is_cheapest:
                taken.append(one.state)
        return taken

    def _expand(self, states: Sequence[Hypothesis], rows: Sequence[torch.Tensor]) -> None:
        """Add what may follow some states, whose scores are `rows`."""
        lead, grown = self.lead, []
        for state, row in zip(states, rows, strict=True):
            children = self._children(state, row)
            if state is lead:
                self.lead = children[0] if children and not children[0].text.finish else None
            grown += children
        self._end([one for one in grown if one.is_whole])
        self.cut += [one for one in grown if one.text.finish == "length"]
        self._push([one for one in grown if not one.text.finish and one is not self.lead])

    def _children(self, state: Hypothesis, row: torch.Tensor) -> list[Hypothesis]:
        """A state with each of its likeliest tokens, the likeliest first."""
        logprobs = self.walker.logprobs(row, state.path, self.spec.branch)
        best = logprobs.topk(min(self.spec.branch, len(logprobs)))
        self.steps, self.spent = self.steps + 1, self.spent - float(best.values[0])
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        raw = row[: len(self.request.token_bytes)]
        return [state.add(token, logprob, raw) for token, logprob in pairs if logprob > -math.inf]

    def _push(self, grown: Sequence[Hypothesis]) -> None:
        """Take unfinished texts up, unless an equal one is cheaper; where one ends a line, it is verified so far."""
        kept = [one for one in grown if self._floor(one) < self.bound and self._is_cheapest(one)]
        lines = [one for one in kept if b"\n" in self.request.token_bytes[one.path[-1]]]
        faults = dict(zip(map(id, lines), self._faults(lines), strict=True))
        rate = self.spent / self.steps
        for one in kept:
            known = self.spec.penalty * faults.get(id(one), 0.0)
            order, floor = known - one.total - rate * len(one.path), known + self._floor(one)
            self.age += 1
            heapq.heappush(self.open, _Open(order, self.age, floor, self._key(one), one))

    def _end(self, whole: Sequence[Hypothesis]) -> None:
        """Take finished texts up with what the verifier says of them; those too dear without it are not asked about."""
        for one in sorted(whole, key=self._cost):
            if self.found and self.request.cancelled():
                break  # there is a text to show; each of the others may be an analyser's answer to wait for
            if self._cost(one) >= self.bound or not self._is_cheapest(one):
                continue
            (fault,) = self._faults([one])  # one by one: what is known of the cheaper ones may settle the dearer ones
            cost = self._cost(one) + self.spec.penalty * fault
            if self.method.reward and cost < self.bound and not self.request.cancelled():
                cost += self.spec.penalty * (1 - self.method.reward(one.text.text))
            self.age += 1
            insort(self.found, (cost, self.age, one))
        self.found = [one for one in self.found if self._stands(one[2])]

    def _faults(self, texts: Sequence[Hypothesis]) -> Sequence[float]:
        verifier = self.method.verifier
        if verifier is None or not texts:
            return [0.0] * len(texts)
        return verifier.faults([(one.text.text, one.text.finish or "length") for one in texts])

    def _is_cheapest(self, one: Hypothesis) -> bool:
        """Whether no state that it is merged with costs less, or as much; it is the cheapest now."""
        key = self._key(one)
        if key is None:
            return True
        is_new = self._cost(one) < self.cheapest.get(key, math.inf)
        if is_new:
            self.cheapest[key] = self._cost(one)
        return is_new

    def _stands(self, one: Hypothesis) -> bool:
        key = self._key(one)
        return key is None or self.cheapest[key] == self._cost(one)

    def _key(self, one: Hypothesis) -> Hashable:
        """What states that are one have in common; None where none are merged."""
        verifier, text = self.method.verifier, one.text
        if not self.spec.merge or verifier is None:
            return None
        known = self.request.skip + len(text.text.encode()) if len(text.data) >= self.request.skip else 0
        return text.finish is None, verifier.normal_form(text.text), text.data[known:] if not text.finish else b""
