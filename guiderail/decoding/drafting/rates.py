"""Hit rates: how often a drafter's guesses were right, by label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guiderail.decoding.drafting.draft import Drafter, Verified

PRIOR_WEIGHT = 4.0  # guesses that the prior counts for
MEMORY = 2000.0  # guesses that are remembered; older ones fade


class HitRates:
    """The share of guesses that were right, by label, beginning from a prior.

    Parameters
    ----------
    priors
        The share to begin with, by label.
    """

    def __init__(self, priors: Sequence[float]) -> None:
        self._hits = [PRIOR_WEIGHT * prior for prior in priors]
        self._tries = [PRIOR_WEIGHT] * len(priors)

    def __getitem__(self, label: int) -> float:
        return self._hits[label] / self._tries[label]

    def __len__(self) -> int:
        return len(self._tries)

    def add(self, label: int, hit: bool) -> None:
        """Count a guess."""
        if self._tries[label] >= MEMORY:
            self._hits[label] /= 2
            self._tries[label] /= 2
        self._hits[label] += hit
        self._tries[label] += 1

    def learn(self, verified: Verified, drafter: Drafter) -> None:
        """Count the guesses of a pass, by their labels, if its draft is this drafter's."""
        draft = verified.draft
        if draft is not None and draft.owner is drafter:
            for node, hit in tried(verified):
                self.add(draft.labels[node - 1], hit)


def tried(verified: Verified) -> list[tuple[int, bool]]:
    """The draft's nodes whose parent was decoded, and whether each was decoded itself.

    Nodes after the last decoded token count as wrong, also where the text ended with them: a little too strict.
    """
    decoded = set(verified.path)
    return [(node, node in decoded) for node in range(1, len(verified.tree)) if verified.tree.parents[node] in decoded]
