"""The mix-in over whole texts, and the search for its weights."""

from __future__ import annotations

import math

import pytest
import torch

from guiderail.decoding.stages.ngram import WEIGHTS, NgramMix
from guiderail.decoding.stages.ngram_counts import NgramCounts
from guiderail.decoding.stages.stage import StepState
from guiderail.evaluation.likelihood import Scores
from guiderail.evaluation.mixing import Trace, fit, mixed_bits

IDS = [1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3, 4, 0, 2]


def project() -> NgramCounts:
    counts = NgramCounts()
    counts.set_text("other", [1, 2, 3, 4, 0, 1, 2, 5])
    return counts


def scores_of(logits: torch.Tensor) -> Scores:
    logprobs = logits.log_softmax(-1)
    rows = torch.arange(len(IDS))
    return Scores(logprobs[rows, IDS], logprobs.amax(-1))


def test_a_text_costs_what_the_stage_says_step_by_step() -> None:
    torch.manual_seed(0)
    logits = torch.randn(len(IDS), 8)
    trace = Trace.read(IDS, project())
    stage = NgramMix(project(), WEIGHTS)
    expected = 0.0
    for i, token in enumerate(IDS):
        mixed = stage(logits[i], StepState(IDS[:i], i)).log_softmax(-1)
        expected -= float(mixed[token]) / math.log(2)
    assert mixed_bits(trace, scores_of(logits), WEIGHTS) == pytest.approx(expected, rel=1e-4)


def test_fitted_weights_cost_no_more_than_the_shipped_ones() -> None:
    torch.manual_seed(1)
    trace = Trace.read(IDS, project())
    scores = scores_of(torch.randn(len(IDS), 8))
    fitted = fit([(trace, scores)])
    assert mixed_bits(trace, scores, fitted) <= mixed_bits(trace, scores, WEIGHTS)


def test_a_model_that_is_always_right_is_left_alone() -> None:
    logits = torch.full((len(IDS), 8), -20.0)
    logits[torch.arange(len(IDS)), IDS] = 20.0
    trace = Trace.read(IDS, project())
    scores = scores_of(logits)
    assert mixed_bits(trace, scores, fit([(trace, scores)])) == pytest.approx(0.0, abs=0.1)


def test_nothing_to_fit_is_an_error() -> None:
    trace = Trace.read([1, 2, 3], NgramCounts())
    with pytest.raises(ValueError, match="twice"):
        fit([(trace, Scores(*torch.zeros(2, 3).unbind()))])
