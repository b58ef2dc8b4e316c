"""PG-TD: search over tokens for a text that passes tests ("Planning with Large Language Models for Code Generation",
Zhang et al. 2023, arXiv 2303.05510, section 3 and algorithm 1).

A node is a beginning of the text, its children are its `width` likeliest tokens. A round walks down by

    argmax_a  Q(s, a) + beta(s) P(a | s) sqrt(ln N(s)) / (1 + n(s, a)),   beta(s) = ln((N(s) + 10 + 1) / 10) + explore

(P over the children alone, Q the best reward seen below, not the mean), opens the leaf, finishes the text greedily from
there, runs the tests, and carries the share that passes up to the root. The finished text with the best share is
taken; of equals the first, which is greedy's.

The two caches of the paper are here: what was met while finishing greedily opens a leaf without the model, and a
beginning of an earlier greedy text is not finished again. Tests run in the sandbox (`decoding.sandbox`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import torch

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, TokenEvent, staged
from guiderail.decoding.methods.revisit import revisit
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.sandbox.project_tests import ProjectTests
from guiderail.decoding.spec import BuildContext, Metadata, MethodSpec, parameter

if TYPE_CHECKING:
    from guiderail.decoding.session import Session

BASE = 10.0  # c_base of the paper

Beginning = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class PlanningSpec(MethodSpec):
    """PG-TD: planning-guided decoding by tests."""

    tests: str = parameter("doctest", "doctest, or a test file or folder of the project, for pytest.")
    rollouts: int = parameter(16, "Texts that are finished, at most.", low=1, high=10_000)
    width: int = parameter(3, "Tokens that are tried at a place.", low=1, high=100)
    explore: float = parameter(4.0, "Weight of what was seldom tried.", low=0, high=100)
    seconds: float = parameter(10.0, "That a run of the tests may take.", above=0, high=3600)
    megabytes: int = parameter(1024, "Memory of a run of the tests.", low=64, high=1_000_000)
    metadata = Metadata(
        summary="searches for a text that passes the doctests, or the project's own tests, in a sandbox",
        paper="PG-TD: arXiv 2303.05510, algorithm 1",
        cost="a whole text and a run of the tests for each rollout",
        use="by hand, in code with doctests or tests; not while typing: it takes seconds and runs the code",
        constraints=False,
        runs_code=True,
        sampling="greedy",
    )

    def build(self, context: BuildContext) -> Planning:
        """See `MethodSpec.build`.

        Raises
        ------
        TreeError, UntestableError
            There is nothing to test, or no sandbox.
        """
        trial = ProjectTests(context, self.tests, seconds=self.seconds, megabytes=self.megabytes)
        return Planning(self, trial.share_passed)


class _Row(NamedTuple):
    """The likeliest tokens after a prefix, their probabilities among themselves, and their log-probabilities."""

    tokens: list[int]
    priors: list[float]
    logprobs: list[float]


@dataclass(slots=True)
class _Node:
    """An expanded prefix: its children's tokens and probabilities (normalised over them), visits and rewards."""

    tokens: list[int]
    priors: list[float]
    visits: int = 1
    tried: list[int] = field(default_factory=list)
    best: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tried = [0] * len(self.tokens)
        self.best = [0.0] * len(self.tokens)

    def choose(self, explore: float) -> int:
        """The index of the child to visit; of equals the likeliest."""
        beta = math.log((self.visits + BASE + 1) / BASE) + explore
        root = math.sqrt(math.log(self.visits))
        worth = [q + beta * p * root / (1 + n) for q, p, n in zip(self.best, self.priors, self.tried, strict=True)]
        return max(range(len(worth)), key=lambda place: (worth[place], self.priors[place]))


class Planning:
    """Searches for a text that passes tests.

    Parameters
    ----------
    spec
        Width, rollouts and weight.
    reward
        The share of tests that a text passes, in [0, 1].
    """

    def __init__(self, spec: PlanningSpec, reward: Callable[[str], float]) -> None:
        self.spec = spec
        self.reward = reward

    def decode(
        self, session: Session, logits: torch.Tensor, request: DecodeRequest, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`; the tokens come at once, when the search has ended."""
        search = _Search(self, session, logits, request)
        best = search.run()
        if best is None:
            yield FinishedEvent("cancelled", "")
            return
        yield from best.events
        yield FinishedEvent(best.text.finish or "length", best.text.text)


@dataclass(slots=True)
class _Finished:
    """A finished text and its events."""

    text: PartialText
    events: list[TokenEvent]


class _Search:
    def __init__(self, method: Planning, session: Session, logits: torch.Tensor, request: DecodeRequest) -> None:
        self.method, self.session, self.request, self.logits = method, session, request, logits
        self.prompt = list(session.ids)
        self.nodes: dict[Beginning, _Node] = {}
        self.rows: dict[Beginning, _Row] = {}
        self.greedy: dict[Beginning, _Finished] = {}
        self.rewards: dict[str, float] = {}

    def run(self) -> _Finished | None:
        """The best text; None if the search was cancelled before there was one."""
        best, most = None, -1.0
        for _ in range(self.method.spec.rollouts):
            path, here = self._walk_down()
            found = self._finish(here)
            if found is None:
                break
            reward = self._reward(found.text.text)
            if reward > most:
                best, most = found, reward
            for node, place in path:
                node.visits += 1
                node.tried[place] += 1
                node.best[place] = max(node.best[place], reward)
            if reward == 1.0:
                break
        return best

    def _walk_down(self) -> tuple[list[tuple[_Node, int]], Beginning]:
        """Descend from the root to a prefix that is not expanded yet, and expand it unless the text ends there."""
        path: list[tuple[_Node, int]] = []
        here: Beginning = ()
        while here in self.nodes:
            node = self.nodes[here]
            place = node.choose(self.method.spec.explore)
            path.append((node, place))
            here = (*here, node.tokens[place])
        if not self._written(here).finish and (row := self._row(here)):
            self.nodes[here] = _Node(row.tokens, row.priors)
        return path, here

    def _written(self, here: Beginning) -> PartialText:
        text = PartialText(self.request)
        for token in here:
            text = text.add(token)
        return text

    def _finish(self, here: Beginning) -> _Finished | None:
        """The prefix continued greedily; None once cancelled."""
        if here in self.greedy:
            return self.greedy[here]
        ids, text, met = here, self._written(here), [here]
        while not text.finish:
            row = self._row(ids)
            if row is None:
                return None
            ids, text = (*ids, row.tokens[0]), text.add(row.tokens[0])
            met.append(ids)
        found = _Finished(text, [self._event(ids[:n], token) for n, token in enumerate(text.tokens)])
        self.greedy |= dict.fromkeys(met, found)
        return found

    def _event(self, before: Beginning, token: int) -> TokenEvent:
        row = self.rows[before]
        return TokenEvent(token, self.request.token_bytes[token], row.logprobs[row.tokens.index(token)])

    def _row(self, here: Beginning) -> _Row | None:
        """The likeliest tokens after a prefix, computed if they are not cached; None once cancelled."""
        if here not in self.rows:
            cancelled = self.request.cancelled
            raw = None if cancelled() else revisit(self.session, len(self.prompt), here, self.logits, cancelled)
            if raw is None:
                return None
            raw = raw[: len(self.request.token_bytes)]
            scores = staged(raw, [*self.prompt, *here], len(here), self.request)
            top = scores.topk(min(self.method.spec.width, len(scores)))
            logprobs = (raw[top.indices] - raw.logsumexp(-1)).tolist()
            self.rows[here] = _Row(top.indices.tolist(), top.values.softmax(-1).tolist(), logprobs)
        return self.rows[here]

    def _reward(self, text: str) -> float:
        if text not in self.rewards:
            self.rewards[text] = self.method.reward(text)
        return self.rewards[text]
