"""Fixed-shape steps, and their capture on a GPU."""

import pytest
import torch

from guiderail.cache.graphs import WIDTHS, DecodeGraphs, FixedStep, bucket
from guiderail.decoding.session import Session
from guiderail.model.load import load
from tests.helpers.models import FAMILIES, tiny_folder, tiny_model

PROMPT = list(range(5, 75))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fixed_step_equals_the_plain_step(family: str) -> None:
    """Reading a whole bucket under a mask gives the logits of reading what is there (fp32: within 1e-5)."""
    model = tiny_model(family)
    plain, fixed = Session(model), Session(model)
    plain.feed(PROMPT)
    fixed.feed(PROMPT)
    for width in (1, 4):
        start, ids = plain.length, PROMPT[10 : 10 + width]
        step = FixedStep(model, fixed.buffers, width, bucket(start + width, fixed.buffers.capacity))
        step.ids.copy_(torch.tensor(ids))
        step.positions.copy_(torch.arange(start, start + width))
        want = plain.feed(ids)
        assert want is not None
        assert (step.run()[-1] - want).abs().max() <= 1e-5 * want.abs().max()


def test_buckets_are_few_and_large_enough() -> None:
    """Every length has a bucket that holds it, at most one for each power of two."""
    buckets = {bucket(n, 4096) for n in range(1, 4097)}
    assert all(bucket(n, 4096) >= n for n in range(1, 4097))
    assert buckets == {256, 512, 1024, 2048, 4096}
    assert bucket(300, 400) == 400


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need an NVIDIA GPU")
@pytest.mark.parametrize("family", FAMILIES)
def test_replayed_graphs_equal_the_plain_step(family: str) -> None:
    """Greedy tokens through captured graphs are those of the same model without graphs, across a growing buffer."""
    model = load(str(tiny_folder(family)), device="cuda", dtype="float32")
    with_graphs, without = Session(model), Session(model)
    without.cache._runner._graphs = None
    assert isinstance(with_graphs.cache._runner._graphs, DecodeGraphs)
    one, other = with_graphs.feed(PROMPT), without.feed(PROMPT)
    for _ in range(300):
        assert one is not None and other is not None
        token = int(other.argmax())
        assert int(one.argmax()) == token
        one, other = with_graphs.feed([token]), without.feed([token])
    for width in WIDTHS:
        one, other = with_graphs.feed(PROMPT[:width]), without.feed(PROMPT[:width])
        assert one is not None and other is not None
        assert (one - other).abs().max() <= 1e-4 * other.abs().max()
