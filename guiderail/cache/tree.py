"""Several continuations of one sequence, sharing their beginnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

ROOT = -1  # the parent of a node that stands directly after the sequence


@dataclass(slots=True)
class TokenTree:
    """Tokens after a sequence, each after its parent; it may grow node by node.

    Parameters
    ----------
    tokens
        The id of each node.
    parents
        The node before each, `ROOT` for the sequence's end; a parent stands before its children.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def chain(cls, tokens: Sequence[int]) -> TokenTree:
        """The tree of one continuation."""
        tree = cls()
        tree.extend(tokens)
        return tree

    def add(self, token: int, parent: int = ROOT) -> int:
        """Add a token after a node; return the new node."""
        self.tokens.append(token)
        self.parents.append(parent)
        self.depths.append(0 if parent == ROOT else self.depths[parent] + 1)
        return len(self.tokens) - 1

    def extend(self, tokens: Sequence[int], parent: int = ROOT) -> int:
        """Add a chain of tokens after a node; return the last new node."""
        for token in tokens:
            parent = self.add(token, parent)
        return parent

    def path(self, node: int) -> list[int]:
        """The nodes from the root's child down to `node`; none for `ROOT`."""
        found = []
        while node != ROOT:
            found.append(node)
            node = self.parents[node]
        return found[::-1]

    def ids(self, node: int) -> list[int]:
        """The tokens of `path(node)`."""
        return [self.tokens[i] for i in self.path(node)]

    def children(self, node: int) -> list[int]:
        """The nodes directly after `node`, in the order in which they were added."""
        return [i for i, parent in enumerate(self.parents) if parent == node]

    def visible(self, start: int) -> torch.Tensor:
        """Which nodes each node from `start` on sees, bool [nodes from start, all nodes]: its path."""
        seen = torch.zeros(len(self) - start, len(self), dtype=torch.bool)
        for node in range(start, len(self)):
            seen[node - start, self.path(node)] = True
        return seen
