"""Learning from which entropy on a model is unsure."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from guiderail.decoding.methods import calibration
from guiderail.decoding.methods.calibration import NotCalibratedError
from guiderail.errors import UsageError
from guiderail.evaluation.calibrate import LEAD, TokenStatistics, auc, fit_threshold, source_files, token_statistics
from guiderail.model import store
from tests.helpers.models import tiny_model


def places(count: int = 4000, seed: int = 0) -> TokenStatistics:
    """Places where the model is wrong with the probability 1 / (1 + exp(4 - 3 entropy))."""
    source = np.random.default_rng(seed)
    entropies = source.exponential(0.8, count)
    wrong = source.random(count) < 1 / (1 + np.exp(4 - 3 * entropies))
    return TokenStatistics(entropies, np.where(wrong, source.integers(2, 6, count), 1))


def test_the_threshold_is_where_being_wrong_becomes_likelier() -> None:
    """With enough places it is found where the truth is even: at 4/3 nats."""
    found = fit_threshold(places(40_000))
    assert found["threshold"] == pytest.approx(4 / 3, abs=0.15)
    assert found["flat_from"] <= found["threshold"] <= found["flat_to"]
    assert found["accuracy"] > found["majority"]
    shares = [found[f"paused_rank_{name}"] for name in ("1", "2_3", "over_3")]
    assert sum(shares) == pytest.approx(1)


def test_the_figures_are_counts() -> None:
    seen = places()
    found = fit_threshold(seen)
    paused = seen.entropies >= found["threshold"]
    assert found["pause_rate"] == pytest.approx(paused.mean())
    assert found["caught"] == pytest.approx(paused[seen.ranks > 1].mean())
    rate = (seen.entropies >= found["threshold_at_papers_rate"]).mean()
    assert rate == pytest.approx(0.0759, abs=2e-3)


def test_auc_is_the_share_of_pairs_in_order() -> None:
    """Against counting all pairs; ties count half."""
    source = np.random.default_rng(1)
    scores, positive = source.integers(0, 8, 60).astype(float), source.random(60) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    assert auc(scores, positive) == pytest.approx(np.mean(pairs))


def test_a_model_that_is_always_right_teaches_nothing() -> None:
    with pytest.raises(UsageError, match="too few places"):
        fit_threshold(TokenStatistics(np.ones(100), np.ones(100, dtype=int)))


def test_places_are_the_models_own_at_every_token(tmp_path: Path) -> None:
    """Entropy and rank of the true token, as a full forward pass gives them."""
    model = tiny_model("qwen3")
    (tmp_path / "a.py").write_text("def f(x):\n    return x + 1\n" * 12, encoding="utf-8")
    (found,) = token_statistics(model, source_files(tmp_path, 0), 10, 0)
    ids = model.tokenizer.encode("def f(x):\n    return x + 1\n" * 12)
    assert 0 < len(found.ranks) <= len(ids) - LEAD
    assert found.entropies.max() <= math.log(model.vocab_size)
    tail = ids[-len(found.ranks) - LEAD - 1 :]
    logits = torch.stack([_logits(model, tail[: LEAD + 1 + i]) for i in range(3)])
    logprobs = logits[:, : len(model.tokenizer.token_bytes)].double().log_softmax(-1)
    truth = torch.tensor(tail[LEAD + 1 : LEAD + 4])
    expected = [(row > row[token]).sum() + 1 for row, token in zip(logprobs, truth, strict=True)]
    assert found.ranks[:3].tolist() == [int(rank) for rank in expected]
    assert found.entropies[:3] == pytest.approx(-(logprobs.exp() * logprobs).sum(-1).numpy(), abs=1e-4)


def _logits(model, ids: list[int]) -> torch.Tensor:
    from guiderail.decoding.session import Session

    logits = Session(model).feed(ids)
    assert logits is not None
    return logits


def test_no_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# no code", encoding="utf-8")
    with pytest.raises(UsageError, match="there is no code"):
        source_files(tmp_path, 0)


def test_a_threshold_is_kept_for_exactly_these_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_data_path", lambda name: tmp_path)
    one, other = tiny_model("qwen3"), tiny_model("qwen2")
    with pytest.raises(NotCalibratedError, match="guiderail calibrate --model"):
        calibration.threshold_of(one.info)
    calibration.write(one.info, {"threshold": 1.25})
    assert calibration.threshold_of(one.info) == 1.25
    with pytest.raises(NotCalibratedError):
        calibration.threshold_of(other.info)


def test_the_embedded_model_ships_calibrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the threshold of exactly these weights: after a training it is learned anew (`guiderail calibrate`)."""
    monkeypatch.setattr("platformdirs.user_data_path", lambda name: tmp_path)
    found = calibration.read(store.embedded_info())
    assert found is not None
    assert 0 < found["pause_rate"] < 1


@pytest.mark.parametrize(
    ("name", "file", "cache_width", "is_known"),
    [
        ("Qwen/Qwen2.5-Coder-0.5B-Instruct", None, 6144, True),
        ("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "qwen2.5-coder-0.5b-instruct-q8_0.gguf", 6144, True),
        ("./m.gguf", "Qwen2.5-Coder-0.5B-Instruct-Q4_K_M.gguf", 6144, True),
        ("./m.gguf", "qwen2.5-coder-0.5b-instruct-fp16-00001-of-00002.gguf", 6144, True),
        ("Qwen/Qwen2.5-Coder-0.5B", None, 6144, False),  # another model of the same shape
        ("somebody/Qwen2.5-Coder-0.5B-Instruct-tuned", None, 6144, False),
        ("Qwen/Qwen2.5-Coder-0.5B-Instruct", None, 7168, False),  # another shape of the same name
    ],
)
def test_a_published_model_is_known_by_its_name_and_shape(
    name: str, file: str | None, cache_width: int, is_known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files have many precisions: one calibration is shipped for all; a person's own goes before it."""
    monkeypatch.setattr(calibration.platformdirs, "user_data_path", lambda _: tmp_path)
    monkeypatch.setattr(calibration, "fingerprint", lambda _: "sha256:0")
    place = tmp_path / "5f3b"
    info = replace(
        store.embedded_info(), name=name, folder=place, file=place / file if file else None, family="qwen2",
        cache_width=cache_width,
    )  # fmt: skip
    found = calibration.read(info)
    assert (found is not None) == is_known
    if found is not None:
        assert 0.5 < found["threshold"] < 5
        calibration.write(info, {"threshold": 1.25})
        assert calibration.threshold_of(info) == 1.25
