"""Going back and forth between continuations of one prompt: only what they do not share is run again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

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
    """The scores after a continuation, float32 [at least the vocabulary]; None once cancelled.

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
    same = next(
        (i for i, (a, b) in enumerate(zip(held, written, strict=False)) if a != b), min(len(held), len(written))
    )
    same = min(same, len(written) - 1)  # the last token is run again where all are held: its scores were not kept
    session.rollback(len(held) - same)
    return session.feed(list(written[same:]), cancelled=cancelled)
