"""Several texts decoded side by side after one sequence: beams, look-ahead, suggestions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from guiderail.cache.tree import ROOT, TokenTree

if TYPE_CHECKING:
    from guiderail.decoding.session import Session


class Branches:
    """Branches of one tree after the session's sequence, which none of them copies.

    Whatever else the session does in between makes it run the whole tree again.

    Parameters
    ----------
    session
        What runs.
    count
        How many branches there are; all begin at the sequence's end.
    """

    def __init__(self, session: Session, count: int) -> None:
        self.tree = TokenTree()
        self.tips = [ROOT] * count
        self._session = session

    def __len__(self) -> int:
        return len(self.tips)

    def feed(self, tokens: Sequence[int]) -> torch.Tensor:
        """Append one token to each branch; the logits after each, float32 [branches, vocabulary], in one pass."""
        self.tips = [self.tree.add(token, tip) for token, tip in zip(tokens, self.tips, strict=True)]
        return self._session.feed_tree(self.tree)[-len(self.tips) :]

    def follow(self, sources: Sequence[int]) -> None:
        """Let branch i stand where branch `sources[i]` stands; there may be more or fewer than before."""
        self.tips = [self.tips[source] for source in sources]

    def ids(self, branch: int) -> list[int]:
        """The tokens of a branch."""
        return self.tree.ids(self.tips[branch])

    def keep(self, branch: int, tokens: int | None = None) -> None:
        """Make a branch, or its first `tokens` tokens, part of the sequence; the others are forgotten."""
        self._session.keep(self.tree.path(self.tips[branch])[:tokens])
        self.tree, self.tips = TokenTree(), []
