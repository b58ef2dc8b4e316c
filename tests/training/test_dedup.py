"""Laws of finding copies."""

from __future__ import annotations

import random

import numpy as np
import pytest

from training.dedup import BANDS, ROWS, THRESHOLD, Deduplicator, shingles, signature


def text(seed: int, lines: int = 400) -> list[str]:
    rng = random.Random(seed)
    return [f"value_{rng.randrange(10**6)} = call_{rng.randrange(10**6)}()" for _ in range(lines)]


def test_signatures_estimate_resemblance():
    """The share of equal marks is the Jaccard resemblance of the shingles, within its standard error."""
    lines = text(0)
    for kept in (400, 300, 200, 0):
        other = lines[:kept] + text(1)[kept:]
        one, two = (set(shingles("\n".join(part)).tolist()) for part in (lines, other))
        resemblance = len(one & two) / len(one | two)
        equal = np.mean(signature("\n".join(lines)) == signature("\n".join(other)))
        assert abs(equal - resemblance) < 4 * 0.5 / (BANDS * ROWS) ** 0.5


@pytest.mark.parametrize(("kept", "is_copy"), [(400, True), (390, True), (200, False), (0, False)])
def test_copies_are_found_and_half_copies_are_not(kept: int, is_copy: bool):
    """Above the threshold a text is a copy, whatever its blanks; well below it is new."""
    lines, seen = text(0), Deduplicator()
    assert seen.is_new("\n".join(lines))
    other = lines[:kept] + text(1)[kept:]
    assert seen.is_new("\n\n".join("    " + line for line in other)) != is_copy
    share = kept / (2 * 400 - kept)
    assert (share >= THRESHOLD) == is_copy


def test_the_first_copy_wins_whatever_came_between():
    """A text is new once, however many others are remembered after it."""
    texts = ["\n".join(text(seed, 30)) for seed in range(40)]
    seen = Deduplicator()
    assert all(map(seen.is_new, texts))
    assert not any(map(seen.is_new, texts))
