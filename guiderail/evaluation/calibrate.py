"""From which entropy on a model is unsure of code: AdaDec's recipe (arXiv 2506.08980, section 3.2).

At every place of true code the entropy of the model's next token, in nats, and the rank of the true one are taken. A
logistic regression on the entropy alone says how likely the model is to be right (rank 1). It is fitted on four fifths
of the places, balanced; the probability below which the model counts as unsure is the one with the best accuracy on
the last fifth, as it is.
"""

from __future__ import annotations

import math
import random
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from guiderail.decoding.session import Session
from guiderail.errors import GuiderailError, UsageError
from guiderail.evaluation.charts import Chart, lines
from guiderail.text.language import is_code, language_of
from guiderail.text.source import read_source

if TYPE_CHECKING:
    from guiderail.model.model import Model

WINDOW = 512  # tokens of a file that are read at a time
LEAD = 32  # tokens at the start of a window that the model is given to find its feet
PIECE = 32  # places whose scores are looked at together
LARGEST = 200_000  # bytes of a file that is read
TEST_SHARE = 0.2
BINS = 60  # of a picture
GRID = np.arange(1, 100) / 100  # probabilities that are tried
FLAT = 0.001  # accuracy that may be lost within the flat part of the optimum
PAUSE_RATE = 0.0759  # the paper's mean share of pauses


@dataclass(frozen=True, slots=True)
class TokenStatistics:
    """Places of true code.

    Parameters
    ----------
    entropies
        Nats, float64 [places].
    ranks
        Of the true token, 1 for the likeliest, int64 [places].
    """

    entropies: np.ndarray
    ranks: np.ndarray


def source_files(folder: Path | None, seed: int) -> list[Path]:
    """The code to learn from, in an order that the seed shuffles: a folder's, or the installed packages'.

    Raises
    ------
    UsageError
        If there is none.
    """
    root = folder or Path(sysconfig.get_path("purelib"))
    # Of the installed packages Python alone: headers of C and bundled JavaScript are not what anybody edits there.
    places = root.rglob("*") if folder else root.rglob("*.py")
    found = sorted(path for path in places if is_code(language_of(path)) and path.is_file())
    if not found:
        raise UsageError(f"there is no code in {root}", "Name a folder with source files")
    random.Random(seed).shuffle(found)
    return found


@torch.inference_mode()
def token_statistics(model: Model, files: Sequence[Path], wanted: int, seed: int) -> Iterator[TokenStatistics]:
    """Places window by window, one window a file, until `wanted` were seen (teacher forcing)."""
    source, seen = random.Random(seed), 0
    window = min(WINDOW, model.info.context_length)
    for file in files:
        ids = _window(model, file, window, source)
        if len(ids) <= LEAD:
            continue
        session = Session(model)
        session.feed(ids[:1])
        # The last token's scores have no true token to be compared with.
        scores = session.cache.read(ids[1:-1])[LEAD - 1 :, : len(model.tokenizer.token_bytes)]
        found = _places(scores, torch.tensor(ids[LEAD + 1 :], device=scores.device))
        seen += len(found.ranks)
        yield found
        if seen >= wanted:
            return


def _window(model: Model, file: Path, size: int, source: random.Random) -> list[int]:
    """Some consecutive ids of a file, from the start of a line; none if it cannot be read."""
    try:
        if file.stat().st_size > LARGEST:
            return []
        lines = read_source(file).text.splitlines(keepends=True)
    except (OSError, GuiderailError):
        return []
    start = source.randrange(max(len(lines) - 20, 1)) if lines else 0
    return model.tokenizer.encode("".join(lines[start : start + size]))[:size]


def _places(scores: torch.Tensor, truth: torch.Tensor) -> TokenStatistics:
    """Some rows at a time: those of a large vocabulary in float64 take a gigabyte."""
    pieces = zip(scores.split(PIECE), truth.split(PIECE), strict=True)
    return concatenated([_piece(*piece) for piece in pieces])


def _piece(scores: torch.Tensor, truth: torch.Tensor) -> TokenStatistics:
    own = scores.gather(1, truth[:, None])
    logprobs = scores.log_softmax(-1, dtype=torch.float32)
    entropies = -(logprobs.exp() * logprobs).sum(-1, dtype=torch.float64)
    return TokenStatistics(entropies.cpu().numpy(), ((scores > own).sum(-1) + 1).cpu().numpy())


def concatenated(parts: Sequence[TokenStatistics]) -> TokenStatistics:
    """All places together."""
    return TokenStatistics(np.concatenate([p.entropies for p in parts]), np.concatenate([p.ranks for p in parts]))


def fit_threshold(places: TokenStatistics, seed: int = 42) -> dict[str, Any]:
    """The threshold and what is known of it.

    Returns
    -------
    dict
        `threshold` (nats), `auc` (of entropy for being wrong), `accuracy` and `majority` (of the last fifth, at the
        threshold and when the model is always believed), `pause_rate`, `flat_from` and `flat_to` (thresholds that lose
        at most a tenth of a point), `paused_rank_1`, `paused_rank_2_3`, `paused_rank_over_3` (the true token where the
        model is unsure), `caught` (share of wrong places that pause), `threshold_at_papers_rate`, `places`.

    Raises
    ------
    UsageError
        If the model was always right, or always wrong: then nothing can be learned.
    """
    right = places.ranks == 1
    order = np.random.default_rng(seed).permutation(len(right))
    test, train = np.split(order, [int(TEST_SHARE * len(order))])
    if min(right[train].sum(), (~right[train]).sum()) < 2:
        raise UsageError("too few places to learn from", "Name more code, or --tokens 20000")
    weight, bias = _regression(*_balanced(places.entropies[train], right[train], seed))
    thresholds = (np.log(GRID / (1 - GRID)) - bias) / weight
    accuracies = np.array([_accuracy(places, right, test, threshold) for threshold in thresholds])
    best = int(accuracies.argmax())
    flat = thresholds[accuracies >= accuracies[best] - FLAT]
    threshold = float(max(thresholds[best], 0.0))
    paused = places.entropies >= threshold
    ranks = places.ranks[paused]
    return {
        "threshold": threshold,
        "auc": auc(places.entropies, ~right),
        "accuracy": float(accuracies[best]),
        "majority": float(right[test].mean()),
        "pause_rate": float(paused.mean()),
        "flat_from": float(max(flat.min(), 0.0)),
        "flat_to": float(flat.max()),
        "paused_rank_1": _share(ranks == 1),
        "paused_rank_2_3": _share((ranks == 2) | (ranks == 3)),
        "paused_rank_over_3": _share(ranks > 3),
        "caught": _share(paused[~right]),
        "threshold_at_papers_rate": float(np.quantile(places.entropies, 1 - PAUSE_RATE)),
        "places": len(right),
    }


def picture(places: TokenStatistics, threshold: float) -> Chart:
    """How many places have which entropy, by whether the model was right, and the threshold of being unsure."""
    series, most = dict[str, list[tuple[float, float]]](), 1
    edges = np.linspace(0, max(places.entropies.max(), threshold), BINS + 1)
    for label, side in (("right", places.ranks == 1), ("wrong", places.ranks != 1)):
        counts, _ = np.histogram(places.entropies[side], edges)
        points = [
            (float(x), float(count)) for x, count in zip((edges[1:] + edges[:-1]) / 2, counts, strict=True) if count
        ]
        series[f"the model is {label}"], most = points, max(most, *counts)
    series[f"unsure from {threshold:.2f} on"] = [(threshold, 1), (threshold, int(most))]
    return lines("Where a model is unsure", "entropy of the next token, nats", "places", series, log=(False, True))


def _accuracy(places: TokenStatistics, right: np.ndarray, part: np.ndarray, threshold: float) -> float:
    """How often "the model is right where its entropy is below the threshold" holds."""
    return float(((places.entropies[part] < threshold) == right[part]).mean())


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if len(flags) else math.nan


def _balanced(entropies: np.ndarray, right: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """As many right as wrong places: the majority is sampled down."""
    source, count = np.random.default_rng(seed), int(min(right.sum(), (~right).sum()))
    kept = np.concatenate(
        [source.choice(np.flatnonzero(right == side), count, replace=False) for side in (True, False)]
    )
    return entropies[kept], right[kept]


def _regression(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Weight and bias of a logistic regression on one feature; L2 penalty 1/2 on the weight, scikit-learn's default."""
    theta, features = np.zeros(2), np.stack([x, np.ones_like(x)], 1)
    penalty = np.diag([1.0, 0.0])
    for _ in range(50):  # Newton's method; it is at the optimum after about ten steps
        p = 1 / (1 + np.exp(-features @ theta))
        gradient = features.T @ (p - y) + penalty @ theta
        hessian = (features * (p * (1 - p))[:, None]).T @ features + penalty
        step = np.linalg.solve(hessian, gradient)
        theta -= step
        if np.abs(step).max() < 1e-10:
            break
    return float(theta[0]), float(theta[1])


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """The probability that a positive place has a higher score than a negative one; ties count half."""
    values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # mean rank of equal scores, from 1
    n = int(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(values[inverse]) - n)))
