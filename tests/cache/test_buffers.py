"""Laws of the buffers, against lists that concatenate."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.cache.buffers import GRAIN, SMALLEST, SPARE, CacheShape, KeyValueBuffers

SHAPE = CacheShape(layers=2, heads=2, head_dim=4, dtype=torch.float32, device=torch.device("cpu"))


def numbered(start: int, count: int, layer: int) -> torch.Tensor:
    """Keys that tell token and layer: [heads, count, head_dim]."""
    tokens = torch.arange(start, start + count, dtype=torch.float32)
    return (tokens + 1000 * layer)[None, :, None].expand(SHAPE.heads, count, SHAPE.head_dim)


def filled(count: int, capacity: int) -> KeyValueBuffers:
    buffers = KeyValueBuffers(SHAPE, capacity)
    buffers.reserve(count)
    for layer in range(SHAPE.layers):
        buffers.write(layer, slice(0, count), numbered(0, count, layer), -numbered(0, count, layer))
    return buffers


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=10), st.integers(1, 30))
def test_what_is_written_is_read_however_often_the_buffers_grow(pieces: list[int], capacity: int) -> None:
    """Tokens appended in pieces are read back in order, keys and values, layer by layer."""
    buffers, length = KeyValueBuffers(SHAPE, capacity), 0
    for piece in pieces:
        buffers.reserve(length + piece)
        for layer in range(SHAPE.layers):
            keys = numbered(length, piece, layer)
            buffers.write(layer, slice(length, length + piece), keys, -keys)
        length += piece
    for layer in range(SHAPE.layers):
        keys, values = buffers.read(layer, length)
        assert torch.equal(keys, numbered(0, length, layer))
        assert torch.equal(values, -keys)


def test_growth_leaves_a_twentieth_spare() -> None:
    """So that few appended tokens copy the others, and memory stays near what the tokens take; room is never taken."""
    buffers = KeyValueBuffers(SHAPE)
    assert buffers.capacity == SMALLEST
    buffers.reserve(SMALLEST)
    assert buffers.capacity == SMALLEST
    for slots in (SMALLEST + 1, 1000, 4001, 32_768):
        buffers.reserve(slots)
        assert slots + slots // SPARE <= buffers.capacity < slots + slots // SPARE + GRAIN
        assert buffers.nbytes == buffers.capacity * SHAPE.bytes_per_token
    assert buffers.nbytes <= 1.1 * 32_768 * SHAPE.bytes_per_token
    before = buffers.capacity
    buffers.reserve(10)
    assert buffers.capacity == before


def test_reading_copies_nothing() -> None:
    """What is read is a view: a later write shows in it."""
    buffers = filled(3, 8)
    keys, values = buffers.read(0, 3)
    buffers.write(0, torch.tensor([1]), torch.full((2, 1, 4), 7.0), torch.full((2, 1, 4), 8.0))
    assert keys[0, 1, 0] == 7 and values[0, 1, 0] == 8


@given(st.data())
def test_slots_may_be_given_one_by_one(data: st.DataObject) -> None:
    """Writing by indices changes those slots, in the order given, and no other; copies taken before bring all back."""
    count = 12
    slots = torch.tensor(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=count, unique=True)))
    buffers = filled(count, count)
    kept = buffers.copy_out(slots)
    fresh = numbered(500, len(slots), 0)
    buffers.write(0, slots, fresh, fresh)
    expected = numbered(0, count, 0).clone()
    expected[:, slots] = fresh
    assert torch.equal(buffers.read(0, count)[0], expected)
    assert torch.equal(buffers.read(1, count)[0], numbered(0, count, 1))
    buffers.copy_in(slots, kept)
    for layer in range(SHAPE.layers):
        keys, values = buffers.read(layer, count)
        assert torch.equal(keys, numbered(0, count, layer)) and torch.equal(values, -keys)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(1, 6))
def test_moving_may_overlap(source: int, target: int, count: int) -> None:
    """Slots arrive as they were before the move, keys turned and values as they are."""
    buffers = filled(12, 12)
    where = torch.arange(source, source + count), torch.arange(target, target + count)
    buffers.move(*where, lambda layer, keys: keys + 0.5 + layer)
    for layer in range(SHAPE.layers):
        keys, values = buffers.read(layer, 12)
        assert torch.equal(keys[:, where[1]], numbered(source, count, layer) + 0.5 + layer)
        assert torch.equal(values[:, where[1]], -numbered(source, count, layer))


@pytest.mark.parametrize("value_dim", [None, 5])
def test_the_size_of_a_token_is_that_of_its_tensors(value_dim: int | None) -> None:
    """Bytes per token times slots are the bytes that the buffers take; values may have a width of their own."""
    shape = CacheShape(3, 2, 8, torch.bfloat16, torch.device("cpu"), value_dim)
    buffers = KeyValueBuffers(shape, 10)
    keys, values = buffers.read(0, 10)
    assert (keys.shape[2], values.shape[2]) == (8, value_dim or 8)
    assert 3 * (keys.nbytes + values.nbytes) == 10 * shape.bytes_per_token
