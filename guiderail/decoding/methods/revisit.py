"""Switches a session between continuations of one prompt without running their common part again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from guiderail.cache.diff import common_prefix

if TYPE_CHECKING:
    import torch

    from guiderail.decoding.session import Session


def revisit(
    session: Session,
    prompt: int,
    written: Sequence[int],
    logits: torch.Tensor,
    cancelled: Callable[[], bool] = lambda: False,
) -> torch.Tensor | None:
    """Make the session hold a continuation; returns the scores after it, None once cancelled.

    The scores are float32 [at least the vocabulary].

    Parameters
    ----------
    session
        Its sequence is made the prompt and `written`.
    prompt
        Tokens of the prompt.
    written
        The continuation.
    logits
        The scores after the prompt alone, which are not computed again.
    """
    if not written:
        return logits
    held = session.ids[prompt:]
    # The last token is run again where all are held: its scores were not kept.
    same = min(common_prefix(held, written), len(written) - 1)
    session.rollback(len(held) - same)
    return session.feed(list(written[same:]), cancelled=cancelled)


def catch_up(
    session: Session, ids: Sequence[int], cancelled: Callable[[], bool] = lambda: False
) -> torch.Tensor | None:
    """Bring a session, which may hold a beginning of `ids`, up to them; returns the scores after them.

    The scores are float32 [at least the vocabulary]; None once cancelled.
    """
    held = session.length
    if 0 < held < len(ids) and session.ids == list(ids[:held]):
        return session.feed(ids[held:], cancelled=cancelled)
    return session.fit(ids, cancelled=cancelled)
