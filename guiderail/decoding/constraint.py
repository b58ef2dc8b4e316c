"""The contract of what may still be written, and the packed masks that carry it.

A mask is int32 [ceil(vocabulary / 32)], 32 tokens a word, least significant bit first: the layout that llguidance and
xgrammar share.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeGuard, TypeVar, runtime_checkable

import numpy as np
import torch


class Constraint(Protocol):
    """A language over the text still to be written."""

    @property
    def is_satisfied(self) -> bool:
        """Whether everything may be written from here on."""
        ...

    def fill_mask(self, bitmask: np.ndarray) -> None:
        """Clear the bits of the tokens that may not come next (int32, in place)."""
        ...

    def accept(self, token: int) -> None:
        """Move on by one token."""
        ...

    def rollback(self, tokens: int) -> None:
        """Move back by `tokens` tokens."""
        ...


@runtime_checkable
class Reporting(Protocol):
    """A constraint that wants to know what it prevented."""

    def forbade(self, token: int) -> None:
        """Be told the best token of a step at which it was not allowed."""
        ...


@runtime_checkable
class Weighing(Protocol):
    """A constraint that makes some tokens less likely, beside what it forbids."""

    def weigh(self, scores: torch.Tensor) -> torch.Tensor:
        """Changed scores, float32 [vocabulary]; `scores` itself is left as it was."""
        ...


@runtime_checkable
class Foreseeing(Protocol):
    """A constraint that can say only of a chosen token whether it may come."""

    def admits(self, token: int) -> bool:
        """Whether the token stands; if not, the masks have become narrower, and the choice is to be made again.

        It refuses a finite number of times at one step.
        """
        ...


@runtime_checkable
class Fixed(Protocol):
    """A constraint whose language is known before anything is written."""

    @property
    def key(self) -> Hashable:
        """Two constraints with one key allow the same texts."""
        ...


@runtime_checkable
class Awaiting(Protocol):
    """A constraint that asks others, whose answers take their time."""

    def awaits(self, token: int | None) -> bool:
        """Whether the mask (or, of a token, whether it is admitted) depends on an answer that has not come yet.

        Asked nevertheless, the constraint waits for it.
        """
        ...


@runtime_checkable
class Listing(Protocol):
    """A constraint that can list what may come next, for who drafts."""

    def continuations(self, most: int) -> Sequence[bytes]:
        """The texts one of which must come next, as far as that is known without waiting.

        Empty where it is not known, where there are more than `most`, or where anything may come.
        """
        ...


_Kind = TypeVar("_Kind")
_KNOWN: dict[tuple[type, type], bool] = {}


def offers(constraint: object, kind: type[_Kind]) -> TypeGuard[_Kind]:
    """Whether a constraint has a protocol's methods: `isinstance`, which costs microseconds, once for each type."""
    key = type(constraint), kind
    if key not in _KNOWN:
        _KNOWN[key] = isinstance(constraint, kind)
    return _KNOWN[key]


def full_mask(vocabulary: int) -> np.ndarray:
    """A mask that allows every token."""
    return np.full((vocabulary + 31) // 32, -1, dtype=np.int32)


def allowed(bitmask: np.ndarray, vocabulary: int) -> torch.Tensor:
    """The mask as bool [vocabulary]."""
    bits = np.unpackbits(bitmask.view(np.uint8), bitorder="little")[:vocabulary]
    return torch.from_numpy(bits.view(np.bool_))


def permit(bitmask: np.ndarray, tokens: np.ndarray) -> None:
    """Clear every bit of `bitmask` but those of `tokens` (int64 ids) that were set."""
    chosen = np.zeros_like(bitmask).view(np.uint32)
    np.bitwise_or.at(chosen, tokens >> 5, np.uint32(1) << (tokens & 31).astype(np.uint32))
    bitmask &= chosen.view(np.int32)


def choose(constraints: Sequence[Constraint], scores: torch.Tensor, chooser: Callable[[torch.Tensor], int]) -> int:
    """A token that `chooser` takes of the scores that the constraints leave, and that all of them admit."""
    while True:
        token = chooser(apply(constraints, scores))
        if admitted(constraints, token):
            return token


def admitted(constraints: Sequence[Constraint], token: int) -> bool:
    """Whether all constraints that foresee admit a token; if not, masks have become narrower."""
    return not [c for c in constraints if offers(c, Foreseeing) and not c.admits(token)]


def apply(constraints: Sequence[Constraint], logits: torch.Tensor) -> torch.Tensor:
    """Scores with -inf where a constraint forbids the token, changed where one weighs it.

    If all constraints together allow nothing, the newest gives way, then the one before it: decoding never dead-ends.
    """
    waiting = [c for c in constraints if not c.is_satisfied]
    weighed = logits
    for constraint in constraints:
        if offers(constraint, Weighing):
            weighed = constraint.weigh(weighed)
    while waiting:
        mask = full_mask(logits.shape[-1])
        for constraint in waiting:
            constraint.fill_mask(mask)
        allow = allowed(mask, logits.shape[-1])
        if allow.any():
            _tell(waiting, weighed, allow)
            return weighed.masked_fill(~allow.to(logits.device), float("-inf"))
        waiting.pop()
    return weighed


def _tell(constraints: Sequence[Constraint], logits: torch.Tensor, allow: torch.Tensor) -> None:
    """Tell the constraints that want to know, if the best token may not come, that they forbid it (and which do)."""
    if not any(offers(c, Reporting) for c in constraints) or allow[best := int(logits.argmax())]:
        return
    for constraint in constraints:
        mask = full_mask(logits.shape[-1])
        constraint.fill_mask(mask)
        if offers(constraint, Reporting) and not allowed(mask, logits.shape[-1])[best]:
            constraint.forbade(best)
