"""The attention function against the formula, and the masks of a step."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.errors import GuiderailError
from guiderail.model import attention
from guiderail.model.attention import NAME, UNSUPPORTED, Step, attend, register, running


def formula(query, key, value, mask, scale, softcap) -> torch.Tensor:
    """softmax(cap(q k)) v, head by head and query by query."""
    heads, width, size = query.shape
    out = torch.zeros(heads, width, size, dtype=torch.float64)
    for head in range(heads):
        kv = head * key.shape[0] // heads
        for i in range(width):
            scores = key[kv].double() @ query[head, i].double() * (scale or 1 / math.sqrt(size))
            if softcap:
                scores = torch.tanh(scores / softcap) * softcap
            scores[~mask[i]] = -math.inf
            out[head, i] = torch.softmax(scores, 0) @ value[kv].double()
    return out


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([(4, 4), (4, 2), (6, 1)]), st.integers(1, 5), st.integers(0, 6), st.data())
def test_attention_is_the_formula(heads: tuple[int, int], width: int, before: int, data: st.DataObject) -> None:
    """Grouped or not, one query or many, with a mask or without, softcapped or not."""
    masked = data.draw(st.booleans()) if before == 0 or width == 1 else True
    scale = data.draw(st.sampled_from([None, 0.3]))
    softcap = data.draw(st.sampled_from([None, 2.0]))
    length = before + width
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    query = torch.randn(heads[0], width, 8)
    key, value = torch.randn(2, heads[1], length, 8).unbind()
    mask = torch.ones(width, length, dtype=torch.bool).tril(before)
    if masked:
        mask = mask & (torch.rand(width, length) < 0.7)
        mask[:, 0] = True
    got = attend(query, key, value, mask if masked else None, scale, softcap)
    assert torch.allclose(got.double(), formula(query, key, value, mask, scale, softcap), atol=1e-5)


class Recorder:
    """A store that keeps what is written."""

    def __init__(self, length: int = 0) -> None:
        self.key = self.value = torch.randn(2, length, 8)
        self.written: list[tuple[int, slice | torch.Tensor]] = []

    def write(self, layer: int, slots: slice | torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> None:
        self.written.append((layer, slots))
        self.key, self.value = torch.cat((self.key, key), 1), torch.cat((self.value, value), 1)

    def read(self, layer: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.key[:, :length], self.value[:, :length]


@given(st.integers(1, 5), st.integers(1, 8), st.integers(0, 10), st.booleans())
def test_a_window_hides_what_is_far_or_ahead(width: int, window: int, before: int, masked: bool) -> None:
    """A query sees the window's positions up to its own, by position and not by slot, and no more than the mask."""
    order = torch.randperm(before + width)
    queries = torch.arange(before, before + width)
    mask = torch.rand(width, before + width) < 0.5 if masked else None
    step = Step(Recorder(), slice(0), before + width, mask, queries, order)
    got = step.mask_for(window)
    assert got is not None and step.mask_for(window) is got
    for i, query in enumerate(queries.tolist()):
        for j, key in enumerate(order.tolist()):
            near = query - window < key <= query
            assert bool(got[i, j]) == (near and (mask is None or bool(mask[i, j])))


def test_full_layers_and_models_without_positions_see_the_plain_mask() -> None:
    mask = torch.ones(1, 3, dtype=torch.bool)
    assert Step(Recorder(), slice(2, 3), 3, mask, torch.tensor([2]), torch.arange(3)).mask_for(None) is mask
    assert Step(Recorder(), slice(2, 3), 3, mask).mask_for(2) is mask


class Layer(torch.nn.Module):
    layer_idx = 1


def test_a_layer_writes_its_tokens_and_attends_to_all() -> None:
    """The function that transformers calls stores keys and values of its own layer, then reads to the step's length."""
    store = Recorder(length=3)
    query, key, value = torch.randn(1, 4, 1, 8), torch.randn(1, 2, 1, 8), torch.randn(1, 2, 1, 8)
    with running(Step(store, slice(3, 4), 4)):
        out, _ = attention._attention(Layer(), query, key, value, None, scaling=0.5)
    assert store.written == [(1, slice(3, 4))]
    expected = formula(query[0], store.key, store.value, torch.ones(1, 4, dtype=torch.bool), 0.5, None)
    assert torch.allclose(out[0].transpose(0, 1).double(), expected, atol=1e-5)


@pytest.mark.parametrize("feature", UNSUPPORTED)
def test_what_would_change_the_scores_unseen_is_refused(feature: str) -> None:
    """And nothing is written."""
    store, one = Recorder(), torch.randn(1, 2, 1, 8)
    refused: dict[str, Any] = {feature: torch.ones(1)}
    with running(Step(store, slice(0, 1), 1)), pytest.raises(GuiderailError, match=feature):
        attention._attention(Layer(), one, one, one, None, **refused)
    assert not store.written


def test_a_step_rules_only_while_it_runs() -> None:
    """Steps nest, and after the outermost one there is none."""
    outer, inner = Step(Recorder(), slice(0), 0), Step(Recorder(), slice(0), 0)
    with running(outer):
        with pytest.raises(ZeroDivisionError), running(inner):
            assert attention._current.get() is inner
            raise ZeroDivisionError
        assert attention._current.get() is outer
    with pytest.raises(LookupError):
        attention._current.get()


def test_transformers_knows_the_function() -> None:
    from transformers import AttentionInterface

    assert register() == NAME
    assert AttentionInterface()[NAME] is attention._attention
