"""Attention over our own key and value buffers, inside transformers' own layers.

transformers calls the registered attention function in every layer. It finds the current `Step` in a context variable
(not every architecture hands unknown keyword arguments down to its layers): where the new keys and values go, how far
to read, and who may see whom. The layers stay theirs; buffers, positions and masks are ours, for every architecture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn.functional import scaled_dot_product_attention

from guiderail.errors import GuiderailError

if TYPE_CHECKING:
    from guiderail.model.recurrent import Continuation
    from guiderail.model.recurrent_tree import TreePass

NAME = "guiderail"
# Arguments that change the scores in ways this function does not implement: refuse, never compute something else.
UNSUPPORTED = ("s_aux", "position_bias", "block_table")


class KeyValueStore(Protocol):
    """The store of a sequence's keys and values; `guiderail.cache` implements it."""

    def write(self, layer: int, slots: slice | torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> None:
        """Store `key` and `value` ([heads, q, head_dim]) of `layer` in `slots`."""
        ...

    def read(self, layer: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Views of the first `length` keys and values of `layer` ([heads, length, head_dim] each)."""
        ...


@dataclass(slots=True)
class Step:
    """What one forward pass needs to know about the cache.

    Parameters
    ----------
    store
        The sequence's buffers.
    slots
        Where the new tokens' keys and values go: a slice, or int64 [q] on a fixed-shape path.
    length
        How many slots are read, the new ones included.
    mask
        bool [q, length], True where a query may attend. None: the query sees everything read (one token), or, from
        an empty cache, what stands before it (plain causal).
    query_positions, key_positions
        int64 [q] and [length]; needed by layers with a sliding window only.
    recurrent
        The state that recurrent layers start from, and where they leave theirs; None: they start from nothing.
    rows
        Which of the store's layers each layer of the model has, set by the model; None: the same.
    """

    store: KeyValueStore
    slots: slice | torch.Tensor
    length: int
    mask: torch.Tensor | None = None
    query_positions: torch.Tensor | None = None
    key_positions: torch.Tensor | None = None
    recurrent: Continuation | TreePass | None = None
    rows: dict[int, int] | None = None
    _windowed: dict[int, torch.Tensor] = field(default_factory=dict)

    def mask_for(self, window: int | None) -> torch.Tensor | None:
        """The mask of a layer whose sliding window is `window` tokens (None: full attention)."""
        if window is None or self.key_positions is None or self.query_positions is None:
            return self.mask
        if window not in self._windowed:
            distance = self.query_positions[:, None] - self.key_positions[None, :]
            near = (distance >= 0) & (distance < window)
            self._windowed[window] = near if self.mask is None else near & self.mask
        return self._windowed[window]


_current: ContextVar[Step] = ContextVar("guiderail_step")


def current() -> Step | None:
    """The step of the pass that this thread is running."""
    return _current.get(None)


@contextmanager
def running(step: Step) -> Iterator[None]:
    """Set the step that this thread's attention function uses."""
    token = _current.set(step)
    try:
        yield
    finally:
        _current.reset(token)


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float | None,
    softcap: float | None = None,
) -> torch.Tensor:
    """Grouped-query attention of one sequence.

    Parameters
    ----------
    query
        [query heads, q, head_dim].
    key, value
        [kv heads, length, head_dim].
    mask
        bool [q, length] or None (see `Step.mask`).
    scale
        Factor on the scores; None is 1/sqrt(head_dim).
    softcap
        Gemma 2's bound on the scores, `cap * tanh(score / cap)`.

    Returns
    -------
    Tensor
        [query heads, q, head_dim].
    """
    heads, width, size = query.shape  # values may have a width of their own (MLA)
    groups = heads // key.shape[0]
    if width == 1:
        # One query: its heads of a group stand in as the queries of one kv head, so no key is repeated.
        query = query.view(key.shape[0], groups, size)
    elif groups > 1:
        key, value = key.repeat_interleave(groups, 0), value.repeat_interleave(groups, 0)
    causal = mask is None and width > 1
    if softcap:
        out = _softcapped(query, key, value, mask, scale, softcap, causal=causal)
    else:
        out = scaled_dot_product_attention(
            query[None], key[None], value[None], attn_mask=mask, is_causal=causal, scale=scale
        )[0]
    return out.reshape(heads, width, value.shape[-1])


def _softcapped(query, key, value, mask, scale, softcap, *, causal: bool) -> torch.Tensor:
    scores = query @ key.transpose(1, 2) * (scale if scale is not None else query.shape[-1] ** -0.5)
    scores = torch.tanh(scores / softcap) * softcap
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, -1, dtype=torch.float32).to(value.dtype) @ value


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """The function transformers calls in every layer: query, key and value are [1, heads, q, head_dim]."""
    for name in UNSUPPORTED:
        if kwargs.get(name) is not None:
            raise GuiderailError(
                f"{type(module).__name__} uses the attention feature '{name}'",
                "This architecture cannot be run yet",
            )
    step = _current.get()
    layer: int = module.layer_idx  # type: ignore[assignment]
    layer = layer if step.rows is None else step.rows[layer]
    step.store.write(layer, step.slots, key[0], value[0])
    keys, values = step.store.read(layer, step.length)
    window = kwargs.get("sliding_window")
    out = attend(query[0], keys, values, step.mask_for(window), scaling, kwargs.get("softcap"))
    return out.transpose(0, 1)[None], None


def register() -> str:
    """Make the attention function known to transformers; returns the name to load models with."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attention)
    return NAME
