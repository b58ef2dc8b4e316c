"""The contract of a monitor: when to ask an analyser, what to ask, and what its answer makes legal.

A monitor is stateless: whether it is triggered depends on the text alone. So decoding may go back, branch and look
ahead; the state of all monitors is the list of open questions after each token (`joint`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from guiderail.monitors.analysis.analyser import Analyser
from guiderail.monitors.analysis.requests import Question, Request
from guiderail.monitors.cursor_context import Snapshot
from guiderail.monitors.masks import Masks

KNOWN = "known"  # the situation in which nothing speaks against an answer


class Legal(Protocol):
    """The texts that are legal after a trigger, as token masks; immutable, shared by all decoders at one cursor."""

    def place(self, written: bytes) -> Literal["inside", "past", "lost"]:
        """Whether a text is still constrained, constrained no more, or not legal."""
        ...

    def mask(self, written: bytes) -> np.ndarray:
        """The tokens that may follow a text that is inside; packed int32 [ceil(vocabulary / 32)]."""
        ...


@dataclass(frozen=True, slots=True)
class Restriction:
    """What an answer allows after a trigger.

    Parameters
    ----------
    legal
        Makes the legal texts for a vocabulary; None if the answer says nothing about them.
    size
        How many names, or other choices, are legal.
    reason
        Why the answer is not to be relied on; None if nothing speaks against it. It is then used at most as a bias,
        and only if it was measured to be right often enough (`trust`).
    allows
        Whether a true continuation, from the trigger on, is legal: what the evaluation replays.
    preferred
        As `legal`, those of its texts that are not made less likely; None for all.
    only
        The one text that is legal next, where there is no choice.
    causes
        What makes the receiver's names unknown, if anything does: what the evaluation counts.
    """

    legal: Callable[[Masks], Legal] | None
    size: int = 0
    reason: str | None = None
    allows: Callable[[str], bool] = lambda _: True
    preferred: Callable[[Masks], Legal] | None = None
    causes: frozenset[str] = frozenset()
    only: str = ""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A point of the text at which a monitor asks the analyser.

    Parameters
    ----------
    label
        What a report shows of it: the receiver, the function, the module.
    request, question
        What is asked, and about which place; without a request the monitor interprets None.
    interpret
        Turns the answer into a restriction.
    written
        The part of the constrained text that is already written.
    word
        Whether only one identifier is constrained: any character that is no part of it ends the restriction.
    lazy
        Whether masks are expensive: one is made only once a token that is not legal was about to be chosen.
    """

    label: str
    request: Request[Any] | None
    question: Question
    interpret: Callable[[Any], Restriction]
    written: str = ""
    word: bool = True
    lazy: bool = False

    def ask(self, analyser: Analyser) -> Future[Any]:
        """The answer, when it comes."""
        if self.request is not None:
            return analyser.ask(self.request, self.question)
        answer: Future[Any] = Future()
        answer.set_result(None)
        return answer


class Monitor(Protocol):
    """Decides from the text being written when to ask an analyser, and what its answer makes legal."""

    @property
    def name(self) -> str:
        """The name by which it is chosen and reported."""
        ...

    @property
    def languages(self) -> frozenset[str]:
        """LSP's identifiers of the languages that it knows."""
        ...

    @property
    def endings(self) -> bytes:
        """The characters (ASCII) one of which ends every text that triggers it, but for a half-typed name."""
        ...

    @property
    def soft(self) -> bool:
        """Whether it only ever biases the scores."""
        ...

    def trigger(self, snapshot: Snapshot) -> Trigger | None:
        """What is to be asked at the end of the text, if anything: a cheap and pure function of the text."""
        ...


@runtime_checkable
class Prefetching(Protocol):
    """A monitor that knows at the cursor what it may ask later."""

    def prefetch(self, snapshot: Snapshot) -> Sequence[tuple[Request[Any], Question]]:
        """What may be asked later on, so that the answer is there by then."""
        ...
