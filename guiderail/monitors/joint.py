"""Any number of monitors at work in one decoding, as one constraint over one analyser."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.identifier_trie import begins_name, identifier_length
from guiderail.decoding.constraints.masks import allowed
from guiderail.decoding.constraints.name_sets import Names
from guiderail.monitors.analysis.analyser import Analyser
from guiderail.monitors.analysis.answers import NoAnswer
from guiderail.monitors.analysis.requests import Question, Request
from guiderail.monitors.masks import Masks
from guiderail.monitors.monitor import Foresighted, Legal, Monitor, Ruling, Trigger
from guiderail.monitors.report import MonitorReport, Watch
from guiderail.monitors.scene import Scene, View
from guiderail.monitors.trust import Trust

log = logging.getLogger(__name__)
SOFT_SHARE = 0.2  # of the deadline, for answers that forbid nothing: they are not worth much waiting
Weigh = Callable[[Monitor, Ruling], Trust]  # how far what a monitor makes of an answer is to be trusted


class Asked:
    """A question on its way, and what is legal once it is answered.

    Parameters
    ----------
    monitor, trigger
        Who asks, and what.
    answer
        The answer, when it comes.
    until
        How long decoding waits for it (`time.perf_counter`).
    weigh
        How far a ruling is to be trusted.
    """

    def __init__(
        self, monitor: Monitor, trigger: Trigger, answer: Future[Any], until: float, weigh: Weigh, masks: Masks
    ) -> None:
        self.watch = Watch(monitor.name, trigger.label)
        self.trigger = trigger
        self.bias = 0.0  # added to the scores of what is not legal
        self._monitor = monitor
        self._answer = answer
        self._until = until
        self._weigh = weigh
        self._masks = masks
        self._legal: Legal | None = None
        self._ruling: Ruling | None = None
        self._ready: tuple[Ruling, Legal | None] | None = None
        answer.add_done_callback(self._prepare)

    def is_over(self, written: bytes) -> bool:
        """Whether it is known, without waiting, that nothing is constrained after a text."""
        if self.trigger.word and identifier_length(written) < len(written) and not _is_half(written):
            return True
        return self.watch.abstained is not None or (self._legal is not None and self._legal.place(written) != "inside")

    def legal(self) -> Legal | None:
        """What is legal; None if the monitor abstains. Waits for the answer, up to the deadline, once."""
        if self._ruling is None and self.watch.abstained is None:
            self._settle()
        return self._legal

    @property
    def is_pending(self) -> bool:
        """Whether its answer may still come in time."""
        waiting = self._ruling is None and self.watch.abstained is None
        return waiting and not self._answer.done() and time.perf_counter() < self._until

    @property
    def known(self) -> Legal | None:
        """What is legal, if that is known without waiting."""
        return self.legal() if self._ruling is not None or self._answer.done() else None

    def legal_behind(self, lead: bytes) -> np.ndarray | None:
        """The tokens that do not begin with `lead`, or go on legally after it; packed."""
        if self.legal() is None or self._ruling is None or self._ruling.legal is None:
            return None
        part = self._masks.lead(lead)
        return part.widened(self._ruling.legal(part).mask(self.trigger.written.encode()))

    def give_way(self) -> None:
        """Constrain no more: with the others nothing would be left."""
        self._legal = None
        self.watch.abstained = "gave way"

    def _judged(self, answer: Any) -> tuple[Ruling, Legal | None]:
        ruling = self.trigger.judge(answer)
        return ruling, ruling.legal(self._masks) if ruling.legal is not None else None

    def _prepare(self, answer: Future[Any]) -> None:
        """Make the first mask when the answer comes, on the analysers' thread: the model may still be running."""
        if answer.cancelled() or answer.exception() is not None:
            return
        with contextlib.suppress(Exception):  # who wants to know finds out again, and says so
            self._ready = ready = self._judged(answer.result())
            if ready[1] is not None and not self.trigger.lazy:
                ready[1].mask(self.trigger.written.encode())
                ready[1].place(self.trigger.written.encode() + b"a")  # sorts the names, for the steps that follow

    def _settle(self) -> None:
        began = time.perf_counter()
        try:
            answer = self._answer.result(max(0.0, self._until - began))
            self._ruling, legal = self._ready or self._judged(answer)
        except (LateError, CancelledError):
            self.watch.abstained = "late"
        except NoAnswer as error:
            self.watch.abstained = f"no answer: {error}"
        except Exception as error:
            _say_failed(self._monitor, error)
            self.watch.abstained = "failed"
        else:
            trust = self._weigh(self._monitor, self._ruling)
            self.watch.abstained = trust.reason
            if trust.reason is None and legal is not None:
                self.bias, self.watch.soft = trust.bias, trust.is_soft
                self._legal, self.watch.legal = legal, self._ruling.size
        self.watch.wait_s = time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Open:
    """A question that is open at a step, and what has been written since its trigger."""

    asked: Asked
    written: bytes

    @property
    def is_closed(self) -> bool:
        """Whether it is known, without waiting, that nothing is constrained any more."""
        return self.asked.is_over(self.written)

    def loses(self, data: bytes) -> bool:
        """Whether what comes next leads to nothing legal, where something is."""
        legal = self.asked.legal()
        return (
            legal is not None and legal.place(self.written) == "inside" and legal.place(self.written + data) == "lost"
        )

    def rests(self, most: int) -> Sequence[bytes]:
        """What is still to be written of the legal names, at most so many; empty if that is not known by now."""
        legal = self.asked.known
        return legal.rests(self.written, most) if isinstance(legal, Names) else ()

    def mask(self) -> np.ndarray | None:
        """The tokens that may come next; None if any may."""
        legal = self.asked.legal()
        return legal.mask(self.written) if legal and legal.place(self.written) == "inside" else None


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
        Triggers inside tokens that were about to be chosen here, with what stands before them in the token.
    forbidden
        The tokens that would have been written here, each with a question by which it leads to nothing legal; in order,
        once however often the choice is made.
    ahead
        The last token that was looked at, and the state after it.
    """

    written: bytes
    open: tuple[Open, ...]
    begun: tuple[Open, ...]
    strict: list[Asked] = field(default_factory=list)
    crossed: dict[tuple[str, bytes], Asked] = field(default_factory=dict)
    forbidden: dict[tuple[Asked, int], None] = field(default_factory=dict)
    ahead: tuple[int, _Step] | None = None


class JointMonitors(Constraint):
    """The constraint that what is written is legal in the eyes of every monitor.

    Parameters
    ----------
    scene
        Where decoding begins.
    monitors
        Those that know the language.
    analyser
        Whom they ask.
    masks
        Of the model's vocabulary.
    weigh
        How far a ruling is to be trusted.
    deadline_s
        How long decoding may wait for an answer, from the moment it was asked for.
    """

    def __init__(
        self,
        scene: Scene,
        monitors: Sequence[Monitor],
        analyser: Analyser,
        masks: Masks,
        weigh: Weigh,
        deadline_s: float,
    ) -> None:
        self._scene = scene
        self._monitors = monitors
        self._analyser = analyser
        self._masks = masks
        self._weigh = weigh
        self._deadline_s = deadline_s
        self._endings = frozenset(b"".join(monitor.endings for monitor in monitors))
        typed = scene.typed.encode()
        # What is going to be decoded again lengthens a name, or holds the trigger itself: that is asked ahead.
        begun = self._triggered(b"", monitors) if not typed or begins_name(typed) else ()
        self._steps = [_Step(b"", begun, begun)]
        self._walked(self._steps[0], typed)
        self._ask_ahead()

    def _ask_ahead(self) -> None:
        """Ask what is going to be asked: the answers are kept."""
        view = self._scene.view()
        for monitor in self._monitors:
            for request, question in _foreseen(monitor, view):
                self._analyser.ask(request, question)

    @property
    def report(self) -> MonitorReport:
        """What was asked on the way to here, and what came of it; nothing of what was decoded and left behind."""
        asked = [one.asked for step in self._steps for one in step.begun]
        asked += [one for step in self._steps for one in step.crossed.values()]
        watches = {one: replace(one.watch, forbidden=[], at=[]) for one in asked}
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

        If that leaves none, the newest question gives way: decoding never dead-ends.
        """
        while force := self._in_force(hard=True):
            mask = bitmask.copy()
            for _, own in force:
                mask &= own
            if mask.any() or not bitmask.any():
                bitmask[:] = mask
                return
            force[-1][0].give_way()

    def weigh(self, scores: torch.Tensor) -> torch.Tensor:
        """Scores in which what a soft monitor rules out is less likely."""
        for asked, mask in self._in_force(hard=False):
            scores = torch.where(allowed(mask, scores.shape[-1]).to(scores.device), scores, scores + asked.bias)
        return scores

    def admits(self, token: int) -> bool:
        """Whether a chosen token stands; if not, the masks have become narrower, and the choice is to be made again.

        Asked because a trigger may lie inside a token (``.append``): what is legal after the dot can only be asked
        for once such a token is about to be chosen.
        """
        step, data, stands = self._steps[-1], self._masks.token_bytes[token], True
        for one in step.open:
            if one.asked.trigger.lazy and one.asked not in step.strict and one.loses(data):
                step.strict.append(one.asked)
                stands = False
        for one in self._after(token).begun:
            key = (one.asked.watch.monitor, data[: len(data) - len(one.written)])
            if not one.written or key in step.crossed:
                continue
            legal = one.asked.legal()
            if legal is not None and legal.place(one.written) == "lost":
                step.crossed[key] = one.asked
                stands = False
        return stands

    def awaits(self, token: int | None) -> bool:
        """See `Constraint.awaits`."""
        step = self._steps[-1]
        if token is None:
            asked = [one.asked for one in step.open if not one.asked.trigger.lazy or one.asked in step.strict]
            asked += step.crossed.values()
        else:
            asked = [one.asked for one in step.open if one.asked.trigger.lazy]
            asked += [one.asked for one in self._after(token).begun if one.written]
        return any(one.is_pending for one in asked)

    def continuations(self, most: int) -> Sequence[bytes]:
        """See `Constraint.continuations`: the names that the newest question leaves."""
        return next((rests for one in reversed(self._steps[-1].open) if (rests := one.rests(most))), ())

    def accept(self, token: int) -> None:
        """Move on by one token; what it holds may ask the next questions."""
        self._steps.append(self._after(token))

    def rollback(self, tokens: int) -> None:
        """Move back by `tokens` tokens."""
        if tokens:
            del self._steps[-tokens:]

    def forbade(self, token: int) -> None:
        """Be told which token would have been written without this constraint."""
        for asked, mask in self._in_force(hard=True):
            if not mask[token >> 5] >> (token & 31) & 1:
                self._steps[-1].forbidden[asked, token] = None

    def _in_force(self, *, hard: bool) -> list[tuple[Asked, np.ndarray]]:
        """What constrains the next token: each question with the tokens that are legal by it."""
        step = self._steps[-1]
        eager = (one for one in step.open if not one.asked.trigger.lazy or one.asked in step.strict)
        found = [(one.asked, one.mask()) for one in eager]
        found += [(asked, asked.legal_behind(lead)) for (_, lead), asked in step.crossed.items()]
        return [(asked, mask) for asked, mask in found if mask is not None and asked.watch.soft is not hard]

    def _after(self, token: int) -> _Step:
        """The state after a token, found once."""
        step = self._steps[-1]
        if step.ahead is None or step.ahead[0] != token:
            step.ahead = token, self._walked(step, self._masks.token_bytes[token])
        return step.ahead[1]

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

    def _triggered(self, written: bytes, monitors: Sequence[Monitor]) -> tuple[Open, ...]:
        """The questions that the monitors ask after `written`."""
        try:
            view = self._scene.view(written.decode())
        except UnicodeDecodeError:
            return ()
        found = ((monitor, _trigger(monitor, view)) for monitor in monitors)
        return tuple(self._ask(monitor, trigger) for monitor, trigger in found if trigger)

    def _ask(self, monitor: Monitor, trigger: Trigger) -> Open:
        until = time.perf_counter() + (self._deadline_s * SOFT_SHARE if monitor.soft else self._deadline_s)
        answer = trigger.ask(self._analyser)
        asked = Asked(monitor, trigger, answer, until, self._weigh, self._masks)
        return Open(asked, trigger.written.encode())


def _trigger(monitor: Monitor, view: View) -> Trigger | None:
    """What a monitor asks; nothing where it fails: one of an installed package must not cost the suggestion."""
    try:
        return monitor.trigger(view)
    except Exception as error:
        _say_failed(monitor, error)
        return None


def _foreseen(monitor: Monitor, view: View) -> Sequence[tuple[Request[Any], Question]]:
    """What a monitor is going to ask; nothing where it fails, as `_trigger`."""
    try:
        return monitor.foresee(view) if isinstance(monitor, Foresighted) else ()
    except Exception as error:
        _say_failed(monitor, error)
        return ()


def _say_failed(monitor: Monitor, error: Exception) -> None:
    shown = log.isEnabledFor(logging.DEBUG)  # a traceback may show the file's text
    log.error("the monitor %s failed and abstains: %s", monitor.name, type(error).__name__, exc_info=shown)


def _longer(questions: tuple[Open, ...], data: bytes) -> tuple[Open, ...]:
    return tuple(Open(one.asked, one.written + data) for one in questions) if data else questions


def _is_half(data: bytes) -> bool:
    """Whether bytes end inside a character."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False
