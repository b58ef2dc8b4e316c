"""A monitor's question to an analyser, from when it is asked until decoding has left what it constrains."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass
from typing import Any

import numpy as np

from guiderail.decoding.constraints.identifier_trie import identifier_length
from guiderail.decoding.constraints.name_sets import Names
from guiderail.monitors.analysis.answers import NoAnswer
from guiderail.monitors.masks import Masks
from guiderail.monitors.monitor import Legal, Monitor, Restriction, Trigger
from guiderail.monitors.report import TriggerOutcome
from guiderail.monitors.trust import Trust

log = logging.getLogger(__name__)
_interpreter = ThreadPoolExecutor(1, "guiderail-interpreter")  # one: what it reads is read once
Weigh = Callable[[Monitor, Restriction], Trust]  # how far what a monitor makes of an answer is to be trusted


class PendingQuery:
    """A question on its way, and what is legal once it is answered.

    Parameters
    ----------
    monitor, trigger
        The monitor that asks, and its trigger.
    answer
        The future of the answer.
    until
        How long decoding waits for it (`time.perf_counter`).
    weigh
        How far a restriction is to be trusted.
    """

    def __init__(
        self, monitor: Monitor, trigger: Trigger, answer: Future[Any], until: float, weigh: Weigh, masks: Masks
    ) -> None:
        self.watch = TriggerOutcome(monitor.name, trigger.label)
        self.trigger = trigger
        self.bias = 0.0  # added to the scores of what is not legal
        self._monitor = monitor
        self._until = until
        self._weigh = weigh
        self._masks = masks
        self._legal: Legal | None = None
        self._preferred: Legal | None = None
        self._restriction: Restriction | None = None
        self._interpreted: Future[tuple[Restriction, Legal | None]] = Future()
        answer.add_done_callback(self._begin)

    def is_over(self, written: bytes) -> bool:
        """Whether it is known, without waiting, that nothing is constrained after a text."""
        if self.trigger.word and identifier_length(written) < len(written) and not _is_half(written):
            return True
        return self.watch.abstained is not None or (self._legal is not None and self._legal.place(written) != "inside")

    def legal(self) -> Legal | None:
        """The legal texts; None if the monitor abstains. Waits for the answer once, up to the deadline."""
        if self._restriction is None and self.watch.abstained is None:
            self._settle()
        return self._legal

    @property
    def is_pending(self) -> bool:
        """Whether its answer may still come in time."""
        waiting = self._restriction is None and self.watch.abstained is None
        return waiting and not self._interpreted.done() and time.perf_counter() < self._until

    @property
    def known(self) -> Legal | None:
        """What is legal, if that is known without waiting."""
        return self.legal() if self._restriction is not None or self._interpreted.done() else None

    def legal_after(self, lead: bytes) -> np.ndarray | None:
        """The tokens that do not begin with `lead`, or go on legally after it; packed."""
        if self.legal() is None or self._restriction is None or self._restriction.legal is None:
            return None
        part = self._masks.lead(lead)
        return part.widened(self._restriction.legal(part).mask(self.trigger.written.encode()))

    def preferred(self) -> Legal | None:
        """The legal texts that are not made less likely; None for all of them. Waits as `legal` does."""
        return None if self.legal() is None else self._preferred

    def preferred_mask(self, written: bytes) -> np.ndarray | None:
        """The tokens after a text that are not made less likely; None if that is none, or it has left them already."""
        if self._preferred is None or self.legal() is None or self._preferred.place(written) != "inside":
            return None
        return self._preferred.mask(written)

    def drop(self) -> None:
        """Stop constraining, because together with other questions no token would be left."""
        self._legal = None
        self.watch.abstained = "dropped"

    def _begin(self, answer: Future[Any]) -> None:
        """Have the answer interpreted, on neither the analysers' thread nor decoding's: that may read many files."""
        try:
            if answer.cancelled() or answer.exception() is not None:
                self._interpret(answer)  # there is nothing to read
            else:
                _interpreter.submit(self._interpret, answer)
        except RuntimeError as error:  # the process ends
            self._interpreted.set_exception(error)

    def _interpret(self, answer: Future[Any]) -> None:
        if self.watch.abstained is not None:  # nobody waits any more
            return
        try:
            restriction = self.trigger.interpret(answer.result())
            legal = restriction.legal(self._masks) if restriction.legal is not None else None
            self._preferred = restriction.preferred(self._masks) if restriction.preferred is not None else None
            if legal is not None and not self.trigger.lazy:  # the first mask: the model may still be running
                legal.mask(self.trigger.written.encode())
                legal.place(self.trigger.written.encode() + b"a")  # sorts the names, for the steps that follow
        except Exception as error:
            self._interpreted.set_exception(error)  # `_settle` meets it
        else:
            self._interpreted.set_result((restriction, legal))

    def _settle(self) -> None:
        began = time.perf_counter()
        try:
            self._restriction, legal = self._interpreted.result(max(0.0, self._until - began))
        except (LateError, CancelledError):
            self.watch.abstained = "late"
        except NoAnswer as error:
            self.watch.abstained = f"no answer: {error}"
        except Exception as error:
            log_failure(self._monitor, error)
            self.watch.abstained = "failed"
        else:
            trust = self._weigh(self._monitor, self._restriction)
            self.watch.abstained = trust.reason
            if trust.reason is None and legal is not None:
                self.bias, self.watch.soft = trust.bias, trust.is_soft
                self._legal, self.watch.legal = legal, self._restriction.size
                self.watch.only = "" if trust.is_soft else self._restriction.only
        self.watch.wait_s = time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class OpenQuery:
    """A question that is open at a step, and what has been written since its trigger."""

    query: PendingQuery
    written: bytes

    @property
    def is_closed(self) -> bool:
        """Whether it is known, without waiting, that nothing is constrained any more."""
        return self.query.is_over(self.written)

    def loses(self, data: bytes) -> bool:
        """Whether what comes next leads to nothing legal, where something is."""
        legal = self.query.legal()
        return (
            legal is not None and legal.place(self.written) == "inside" and legal.place(self.written + data) == "lost"
        )

    def leaves(self, legal: Legal | None, tokens: Sequence[int], data: Sequence[bytes]) -> bool:
        """Whether one of the tokens, whose bytes are in `data`, leads out of these texts; nothing leads out of None."""
        written = self.written
        for token in tokens:
            if legal is None or legal.place(written) != "inside":
                return False
            if not legal.mask(written)[token >> 5] >> (token & 31) & 1:
                return True
            written += data[token]
        return False

    def rests(self, most: int) -> Sequence[bytes]:
        """What is still to be written of the legal names, at most so many; empty if that is not known by now."""
        legal = self.query.known
        return legal.rests(self.written, most) if isinstance(legal, Names) else ()

    def mask(self) -> np.ndarray | None:
        """The tokens that may come next; None if any may."""
        legal = self.query.legal()
        return legal.mask(self.written) if legal and legal.place(self.written) == "inside" else None


def log_failure(monitor: Monitor, error: Exception) -> None:
    """Log that a monitor raised an error, with its traceback only where debug messages are logged."""
    shown = log.isEnabledFor(logging.DEBUG)  # a traceback may show the file's text
    log.error("the monitor %s failed and abstains: %s", monitor.name, type(error).__name__, exc_info=shown)


def _is_half(data: bytes) -> bool:
    """Whether bytes end inside a character."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False
