"""All monitors of one decoding, joined into one constraint over one analyser."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.identifier_trie import begins_name
from guiderail.decoding.constraints.masks import allowed
from guiderail.monitors.analysis.analyser import Analyser
from guiderail.monitors.analysis.requests import Question, Request
from guiderail.monitors.cursor_context import CursorContext, Snapshot
from guiderail.monitors.masks import Masks
from guiderail.monitors.monitor import Legal, Monitor, Prefetching, Trigger
from guiderail.monitors.pending_query import OpenQuery, PendingQuery, Weigh, log_failure
from guiderail.monitors.report import MonitorReport

SELDOM_BIAS = -4.6  # of what is legal but hardly ever meant: the log odds of one in a hundred
SOFT_SHARE = 0.2  # of the deadline, for answers that forbid nothing: they are not worth much waiting


@dataclass(slots=True)
class _Step:
    """The state after a token.

    Parameters
    ----------
    written
        The bytes decoded.
    open
        The questions that are open, the oldest first.
    begun
        The questions that the token asked, with what it holds after their triggers.
    strict
        Which of the lazy questions have masks here: those that refused a token.
    crossed
        Triggers inside tokens that were about to be chosen here, with the bytes before them in the token.
    forbidden
        The tokens that would have been written here, each with a question by which it leads to nothing legal; in order,
        once however often the choice is made.
    successor
        The last token that was looked at, and the state after it.
    """

    written: bytes
    open: tuple[OpenQuery, ...]
    begun: tuple[OpenQuery, ...]
    strict: list[PendingQuery] = field(default_factory=list)
    crossed: dict[tuple[str, bytes], PendingQuery] = field(default_factory=dict)
    forbidden: dict[tuple[PendingQuery, int], None] = field(default_factory=dict)
    successor: tuple[int, _Step] | None = None


class JointMonitors(Constraint):
    """The constraint that all monitors allow what is written.

    Parameters
    ----------
    context
        Where decoding begins.
    monitors
        Those that know the language.
    analyser
        The analyser that they ask.
    masks
        Of the model's vocabulary.
    weigh
        How far a restriction is to be trusted.
    deadline_s
        How long decoding may wait for an answer, from the moment it was asked for.
    """

    def __init__(
        self,
        context: CursorContext,
        monitors: Sequence[Monitor],
        analyser: Analyser,
        masks: Masks,
        weigh: Weigh,
        deadline_s: float,
    ) -> None:
        self._scene = context
        self._monitors = monitors
        self._analyser = analyser
        self._masks = masks
        self._weigh = weigh
        self._deadline_s = deadline_s
        self._endings = frozenset(b"".join(monitor.endings for monitor in monitors))
        typed = context.typed.encode()
        # What is going to be decoded again lengthens a name, or holds the trigger itself: that is asked now. A blank
        # ends a name, but not what is longer.
        begun = self._triggered(b"", monitors, words=not typed or begins_name(typed))
        self._steps = [_Step(b"", begun, begun)]
        self._walked(self._steps[0], typed)
        self._prefetch()

    def _prefetch(self) -> None:
        """Ask in advance what monitors may ask later; the analyser caches the answers."""
        snapshot = self._scene.snapshot()
        for monitor in self._monitors:
            for request, question in _prefetched(monitor, snapshot):
                self._analyser.ask(request, question)

    @property
    def report(self) -> MonitorReport:
        """The triggers on the path to here and their outcomes; those of dropped tokens are left out."""
        asked = [one.query for step in self._steps for one in step.begun]
        asked += [one for step in self._steps for one in step.crossed.values()]
        watches = {one: replace(one.watch, forbidden=[], at=[], only="") for one in asked}
        for one in () if self._scene.typed.strip() else self._steps[0].open:  # what is written later was a choice
            watches[one.query].only = one.query.watch.only
        for at, step in enumerate(self._steps):
            for one, token in step.forbidden:
                watches[one].forbidden.append(self._masks.token_bytes[token].decode(errors="replace"))
                watches[one].at.append(at)
        return MonitorReport(self._analyser.name, list(watches.values()))

    @property
    def is_satisfied(self) -> bool:
        """Whether anything may come next; waits for the analyser if its answer is needed now."""
        return not self._in_force(hard=True)

    def fill_mask(self, bitmask: np.ndarray) -> None:
        """Clear the bits of the tokens that lead to nothing legal.

        If that leaves none, the newest question is dropped: decoding never dead-ends.
        """
        while force := self._in_force(hard=True):
            mask = bitmask.copy()
            for _, own in force:
                mask &= own
            if mask.any() or not bitmask.any():
                bitmask[:] = mask
                return
            force[-1][0].drop()

    def weigh(self, scores: torch.Tensor) -> torch.Tensor:
        """Scores in which what a soft monitor rules out, or a hard one would rather not have, is less likely."""
        for query, mask in self._in_force(hard=False):
            scores = _lowered(scores, mask, query.bias)
        for one in self._steps[-1].open:
            mask = one.query.preferred_mask(one.written) if not one.query.trigger.lazy else None
            scores = scores if mask is None else _lowered(scores, mask, SELDOM_BIAS)
        return scores

    def admits(self, token: int) -> bool:
        """Whether a chosen token is legal; if not, the masks have become narrower, and the choice is to be made again.

        A trigger may lie inside a token (``.append``): only once such a token is about to be chosen can it be asked
        what is legal after the dot.
        """
        step, data, admitted = self._steps[-1], self._masks.token_bytes[token], True
        for one in step.open:
            if one.query.trigger.lazy and one.query not in step.strict and one.loses(data):
                step.strict.append(one.query)
                admitted = False
        for one in self._after(token).begun:
            key = (one.query.watch.monitor, data[: len(data) - len(one.written)])
            if not one.written or key in step.crossed:
                continue
            legal = one.query.legal()
            if legal is not None and legal.place(one.written) == "lost":
                step.crossed[key] = one.query
                admitted = False
        return admitted

    def awaits(self, token: int | None) -> bool:
        """See `Constraint.awaits`."""
        step = self._steps[-1]
        if token is None:
            asked = [one.query for one in step.open if not one.query.trigger.lazy or one.query in step.strict]
            asked += step.crossed.values()
        else:
            asked = [one.query for one in step.open if one.query.trigger.lazy]
            asked += [one.query for one in self._after(token).begun if one.written]
        return any(one.is_pending for one in asked)

    def continuations(self, most: int) -> Sequence[bytes]:
        """See `Constraint.continuations`: the names that the newest question leaves."""
        return next((rests for one in reversed(self._steps[-1].open) if (rests := one.rests(most))), ())

    @property
    def constraining(self) -> tuple[tuple[Legal, bytes], ...]:
        """The legal texts of each question that forbids something here, and what has been written since its trigger."""
        step = self._steps[-1]
        eager = (one for one in step.open if not one.query.trigger.lazy or one.query in step.strict)
        found = [(one, one.query.legal()) for one in eager]
        hard = ((one, legal) for one, legal in found if legal and not one.query.watch.soft)
        return tuple((legal, one.written) for one, legal in hard if legal.place(one.written) == "inside")

    def penalty(self, tokens: Sequence[int]) -> float:
        """What `weigh` would add to the score of one token that has the bytes of these together."""
        step, data = self._steps[-1], self._masks.token_bytes
        total = 0.0
        for one in step.open:
            query = one.query
            if query.trigger.lazy and query not in step.strict:
                continue
            if one.leaves(query.legal(), tokens, data) and query.watch.soft:
                total += query.bias
            if not query.trigger.lazy and one.leaves(query.preferred(), tokens, data):
                total += SELDOM_BIAS
        return total

    def accept(self, token: int) -> None:
        """Move on by one token; what it holds may ask the next questions."""
        self._steps.append(self._after(token))

    def rollback(self, tokens: int) -> None:
        """Move back by `tokens` tokens."""
        if tokens:
            del self._steps[-tokens:]

    def forbade(self, token: int) -> None:
        """Called with the token that would have been decoded without this constraint."""
        for query, mask in self._in_force(hard=True):
            if not mask[token >> 5] >> (token & 31) & 1:
                self._steps[-1].forbidden[query, token] = None

    def _in_force(self, *, hard: bool) -> list[tuple[PendingQuery, np.ndarray]]:
        """What constrains the next token: each question with the tokens that are legal by it."""
        step = self._steps[-1]
        eager = (one for one in step.open if not one.query.trigger.lazy or one.query in step.strict)
        found = [(one.query, one.mask()) for one in eager]
        found += [(query, query.legal_after(lead)) for (_, lead), query in step.crossed.items()]
        return [(query, mask) for query, mask in found if mask is not None and query.watch.soft is not hard]

    def _after(self, token: int) -> _Step:
        """The state after a token, found once."""
        step = self._steps[-1]
        if step.successor is None or step.successor[0] != token:
            step.successor = token, self._walked(step, self._masks.token_bytes[token])
        return step.successor[1]

    def _walked(self, step: _Step, data: bytes) -> _Step:
        """The state after the bytes of a token: each may end an identifier, or a text that asks a question."""
        still, begun, at = step.open, (), 0
        for end, byte in enumerate(data, 1):
            if byte not in self._endings:
                continue
            still, begun = _longer(still, data[at:end]), _longer(begun, data[at:end])
            waking = [monitor for monitor in self._monitors if byte in monitor.endings]
            begun, at = (*begun, *self._triggered(step.written + data[:end], waking)), end
        still, begun = _longer(still, data[at:]), _longer(begun, data[at:])
        return _Step(step.written + data, tuple(one for one in (*still, *begun) if not one.is_closed), begun)

    def _triggered(self, written: bytes, monitors: Sequence[Monitor], *, words: bool = True) -> tuple[OpenQuery, ...]:
        """The questions that the monitors ask after `written`; with or without those about a single word."""
        try:
            snapshot = self._scene.snapshot(written.decode())
        except UnicodeDecodeError:
            return ()
        found = ((monitor, _trigger(monitor, snapshot)) for monitor in monitors)
        return tuple(
            self._ask(monitor, trigger) for monitor, trigger in found if trigger and (words or not trigger.word)
        )

    def _ask(self, monitor: Monitor, trigger: Trigger) -> OpenQuery:
        until = time.perf_counter() + (self._deadline_s * SOFT_SHARE if monitor.soft else self._deadline_s)
        answer = trigger.ask(self._analyser)
        query = PendingQuery(monitor, trigger, answer, until, self._weigh, self._masks)
        return OpenQuery(query, trigger.written.encode())


def _lowered(scores: torch.Tensor, mask: np.ndarray, bias: float) -> torch.Tensor:
    """Scores in which tokens that are not in a mask are less likely."""
    return torch.where(allowed(mask, scores.shape[-1]).to(scores.device), scores, scores + bias)


def _trigger(monitor: Monitor, snapshot: Snapshot) -> Trigger | None:
    """What a monitor asks; nothing if it raises: a faulty plug-in must not cost the suggestion."""
    try:
        return monitor.trigger(snapshot)
    except Exception as error:
        log_failure(monitor, error)
        return None


def _prefetched(monitor: Monitor, snapshot: Snapshot) -> Sequence[tuple[Request[Any], Question]]:
    """What a monitor may ask later; nothing if it raises, as in `_trigger`."""
    try:
        return monitor.prefetch(snapshot) if isinstance(monitor, Prefetching) else ()
    except Exception as error:
        log_failure(monitor, error)
        return ()


def _longer(questions: tuple[OpenQuery, ...], data: bytes) -> tuple[OpenQuery, ...]:
    return tuple(OpenQuery(one.query, one.written + data) for one in questions) if data else questions
