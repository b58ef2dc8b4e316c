"""Selecting a draft: the best of several drafters', cut to what is worth running on this device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from guiderail.decoding.drafting.draft import Draft, Drafter, Verified
from guiderail.decoding.sampling import Sampling

if TYPE_CHECKING:
    from guiderail.decoding.constraints.constraint import Constraint
    from guiderail.decoding.stages.ngram_counts import NgramCounts

# A draft must promise this much more than one token a token's time: chances are guesses, and drafting costs a little.
WORTHWHILE = 1.05
GREEDY = Sampling()


class DraftSelector:
    """Selects drafts by the tokens that they promise for the cost of a pass.

    Parameters
    ----------
    drafters
        The draft with the largest gain wins; of equal ones the first.
    pass_cost
        The cost of a pass over so many tokens, in passes over one token (`PassCosts`).
    project
        The project's other files, for drafters that copy from them.
    sampling
        How tokens are going to be chosen, for drafters that draw.
    """

    def __init__(
        self,
        drafters: Sequence[Drafter],
        pass_cost: Callable[[int], float],
        project: NgramCounts | None = None,
        sampling: Sampling = GREEDY,
    ) -> None:
        self._drafters = drafters
        self._pass_cost = pass_cost
        self._project = project
        self._sampling = sampling

    def begin(self, ids: Sequence[int]) -> None:
        """Tell all drafters that a text is going to be decoded after `ids`."""
        for drafter in self._drafters:
            drafter.prepare(self._sampling)
            drafter.begin(ids, self._project)

    def draft(self, ids: Sequence[int], constraints: Sequence[Constraint], room: int) -> Draft | None:
        """The most promising draft, cut to its best size; None if one token a pass is faster."""
        best, most = None, WORTHWHILE
        for drafter in self._drafters if room > 0 else ():
            draft = drafter.propose(ids, constraints, room) if drafter.promise > most else None
            if draft is None or not len(draft.tree):
                continue
            draft.owner = drafter
            size, gain = (len(draft.tree), drafter.promise) if draft.is_whole else self._size(draft)
            if gain > most:
                best, most = draft.best(size), gain
        return best if best is not None and len(best.tree) else None

    def learn(self, verified: Verified) -> None:
        """Pass the result of a forward pass to all drafters."""
        for drafter in self._drafters:
            drafter.learn(verified)

    def finish(self, ids: Sequence[int]) -> None:
        """Tell all drafters that the text has ended."""
        for drafter in self._drafters:
            drafter.finish(ids)

    def _size(self, draft: Draft) -> tuple[int, float]:
        """How many of the draft's nodes to run, and the tokens that are expected in the time of one."""
        best, most, expected = 0, 0.0, 1.0
        for size, chance in enumerate(draft.plan or sorted(draft.chances, reverse=True), 1):
            expected += chance
            gain = expected / self._pass_cost(size + 1)
            if gain > most:
                best, most = size, gain
        return best, most
