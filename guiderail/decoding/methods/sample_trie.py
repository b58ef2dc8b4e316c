"""A trie of samples of one prompt under one constraint, with the share of each beginning that can still end well.

c(w) is the probability, under the model, that the beginning w goes on to a text that the constraint allows. Every
beginning that was visited is a node; an unvisited child counts as 1, a forbidden token as 0, and a node as the sum over
its children of P(t) c(t). That bounds the truth from above and only falls (Park et al. 2024, arXiv 2405.21047,
section 4; there c~).
"""

from __future__ import annotations

import numpy as np

NOTHING = -np.inf


class Node:
    """One visited prefix.

    Parameters
    ----------
    logp
        Log-probabilities of all tokens after it, float64 [vocabulary].
    allow
        Which of them the constraint allows, bool [vocabulary].
    shift
        What turns an entry of `logp` times the temperature into the model's own log-probability.

    Attributes
    ----------
    ids, logp, future
        Of the allowed tokens: id, log-probability, log c; [allowed].
    """

    __slots__ = ("children", "future", "ids", "logp", "shift")

    def __init__(self, logp: np.ndarray, allow: np.ndarray, shift: float = 0.0) -> None:
        self.ids = np.flatnonzero(allow).astype(np.int32)
        self.logp = logp[self.ids]
        self.future = np.zeros(len(self.ids))
        self.children: dict[int, Node] = {}
        self.shift = shift

    @property
    def log_c(self) -> float:
        """log c of this prefix: logsumexp of `logp + future`."""
        return logsumexp(self.logp + self.future)

    def draw(self, rng: np.random.Generator) -> int | None:
        """The place in `ids` of a token drawn in proportion to P(t) c(t); None if nothing can end well."""
        weights = self.logp + self.future
        top = weights.max(initial=NOTHING)
        if top == NOTHING:
            return None
        cumulated = np.exp(weights - top).cumsum()
        place = int(np.searchsorted(cumulated, rng.random() * cumulated[-1], side="right"))
        return min(place, int(np.flatnonzero(weights > NOTHING)[-1]))


class SampleTrie:
    """The nodes of one prompt, constraint and temperature."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.size = 0  # allowed tokens of all nodes

    def add(self, parent: Node | None, place: int, node: Node) -> None:
        """Add a node where it was first reached: after a place of its parent, or as the root."""
        if parent is None:
            self.root = node
        else:
            parent.children[place] = node
        self.size += len(node.ids)

    @staticmethod
    def update(path: list[tuple[Node, int]], last: float) -> None:
        """Update log c on the path from a sample's end up to the root.

        Parameters
        ----------
        path
            Nodes from the root, each with the place that was drawn.
        last
            log c after the last place: 0 for a text that ended well, minus infinity for one that cannot.
        """
        for node, place in reversed(path):
            node.future[place] = last
            last = node.log_c


def logsumexp(values: np.ndarray) -> float:
    """log of the sum of exponentials; minus infinity for nothing."""
    top = values.max(initial=NOTHING)
    return float(top + np.log(np.exp(values - top).sum())) if top > NOTHING else NOTHING
