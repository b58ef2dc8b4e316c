"""N-gram mixing: the open project's n-grams, mixed into the probabilities of every step.

    p(token) = (1 - w) p_model(token) + w p_ngram(token)

p_ngram blends the followers of the longest contexts by PPM's method C (Moffat 1990; the same weights as Witten and
Bell's): a context seen c times with d different followers keeps c / (c + d) of what the longer ones left over. The
weight w is a logistic function of the evidence alone, so the mixture stays a probability distribution whatever the
token. Only candidates of the n-gram side are touched: adding one number to all scores changes nothing, so the
model's own tokens keep theirs bit for bit and the candidates are raised instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.decoding.stages.ngram_counts import ORDERS, NgramCounts

if TYPE_CHECKING:
    from guiderail.decoding.stages.stage import StepState
    from guiderail.model.model import Model

# Once the contexts looked at have claimed this much, shorter ones are not asked.
ENOUGH = 0.98
# What was just written is likelier to come again than what is in another file: one counts as so many. Tried on
# the validation packages: 1, 2, 4 give 1.323, 1.317, 1.314 bits a byte.
LIVE_TIMES = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    """The n-grams' candidates for one step, with their weights.

    Parameters
    ----------
    probabilities
        By candidate id; they sum to one.
    order
        The longest context that was found.
    escape
        What is left over for tokens that never followed any context, in (0, 1).
    """

    probabilities: dict[int, float]
    order: int
    escape: float


def gather(live: NgramCounts, project: NgramCounts, history: Sequence[int]) -> Evidence | None:
    """Blend what followed the contexts at the end of `history`; None if none of them was seen.

    Parameters
    ----------
    live
        Counts of the prompt and what was decoded; each counts `LIVE_TIMES` times.
    project
        Counts of the project's other files.
    history
        The ids before the step.
    """
    blended: dict[int, float] = {}
    rest, longest = 1.0, 0
    for order in reversed(ORDERS):
        near, far = live.followers(history, order), project.followers(history, order)
        if not near and not far:
            continue
        longest = longest or order
        total = LIVE_TIMES * sum(near.values()) + sum(far.values())
        kinds = len(near.keys() | far.keys()) if near and far else len(near) + len(far)
        unit = rest / (total + kinds)
        for followers, times in ((near, LIVE_TIMES), (far, 1)):
            for token, count in followers.items():
                blended[token] = blended.get(token, 0.0) + unit * times * count
        rest = unit * kinds
        if rest < 1 - ENOUGH:
            break
    if not blended:
        return None
    scale = 1 / (1 - rest)
    # In the order of the ids, and not in that in which they were counted: sums are rounded in one and the same way.
    return Evidence({token: p * scale for token, p in sorted(blended.items())}, longest, rest)


@dataclass(frozen=True, slots=True)
class MixWeights:
    """How much the n-grams are trusted: a logistic function of the evidence and of the model's own certainty.

    Parameters
    ----------
    claim
        Of the log-odds that the contexts claim (1 - escape).
    sure
        Of the log-probability of the likeliest candidate under the n-grams.
    model_sure
        Of the model's largest log-probability: what a certain model loses by listening.
    long
        Added by the length of the longest context, 1 to 5 or more.
    """

    claim: float
    sure: float
    model_sure: float
    long: tuple[float, float, float, float, float]

    def weight(self, evidence: Evidence, model_top: float) -> float:
        """The share of the n-grams in the mixture, in (0, 1)."""
        claim, sure = features(evidence)
        total = (
            self.claim * claim + self.sure * sure + self.model_sure * model_top + self.long[min(evidence.order, 5) - 1]
        )
        return 1 / (1 + math.exp(-min(max(total, -30.0), 30.0)))


# Found by `guiderail eval tune` on the validation packages of the training corpus.
WEIGHTS = MixWeights(claim=0.093, sure=0.92, model_sure=-0.632, long=(-2.961, -2.365, -2.218, -1.95, -0.753))


def features(evidence: Evidence) -> tuple[float, float]:
    """The two numbers of the evidence that `MixWeights` reads: claimed log-odds, log-probability of the best."""
    claim = math.log((1 - evidence.escape) / evidence.escape)
    return claim, math.log(max(evidence.probabilities.values()))


@dataclass(frozen=True, slots=True)
class FimMarks:
    """The ids of a model's fill-in-the-middle sentinels."""

    prefix: int
    suffix: int
    middle: int

    @classmethod
    def of(cls, model: Model) -> FimMarks | None:
        """The sentinels of `model`; None if it has none, or none that says where the text goes on."""
        fim, special = model.info.fim, model.tokenizer.special
        if fim is None or not fim.middle:
            return None
        return cls(special[fim.prefix], special[fim.suffix], special[fim.middle])


def split_prompt(prompt: list[int], marks: FimMarks | None) -> tuple[list[list[int]], list[int]]:
    """The prompt's texts beside the cursor, and the ids before the cursor in the file.

    In every layout the prefix is between the prefix and the suffix sentinel, and what follows the middle
    sentinel goes on from there.
    """
    if marks is None or marks.middle not in prompt:
        return [], list(prompt)
    begin, end = prompt.index(marks.prefix), prompt.index(marks.suffix)
    middle = prompt.index(marks.middle)
    first, second = sorted((begin, end))
    inner, after = prompt[first + 1 : second], prompt[second + 1 : middle]
    before, suffix = (inner, after) if begin < end else (after, inner)
    return [prompt[:first], suffix], before + prompt[middle + 1 :]


class NgramMix:
    """The stage that mixes the project's n-grams, and the prompt's own, into the scores.

    The result depends on the scores, the ids and the project alone. What the prompt repeats is counted on the way and
    kept from step to step, to be taken back where the next call's ids differ.

    Parameters
    ----------
    project
        Counts over the project's other files, of at least `ORDERS`; the caller keeps them up to date.
    weights
        How much the n-grams are trusted.
    marks
        The model's sentinels, to tell the text before the cursor from the one after; None without them.

    Attributes
    ----------
    project
        As above; may be changed between two completions.
    """

    def __init__(self, project: NgramCounts, weights: MixWeights, marks: FimMarks | None = None) -> None:
        self.project = project
        self._weights = weights
        self._marks = marks
        self._live = NgramCounts()
        self._prompt: list[int] = []
        self._history: list[int] = []
        self._base = 0

    def __call__(self, logits: torch.Tensor, state: StepState) -> torch.Tensor:
        """Scores float32 [vocabulary] whose softmax is the mixture; the same tensor if there is no evidence."""
        self._follow(list(state.ids), state.step)
        evidence = gather(self._live, self.project, self._history)
        return logits if evidence is None else mix(logits, evidence, self._weights)

    def _turn_to(self, prompt: list[int]) -> None:
        """Count the texts of a new prompt: only what an edit changed is counted again."""
        self._live.count(self._history, self._base, len(self._history), sign=-1)
        texts, self._history = split_prompt(prompt, self._marks)
        self._prompt, self._base = prompt, len(self._history)
        beside, after = texts or ([], [])
        for name, text in (("beside", beside), ("after", after), ("before", self._history)):
            self._live.set_text(name, text)

    def _follow(self, ids: list[int], step: int) -> None:
        """Bring the counts of the prompt and of what was decoded up to `ids`."""
        prompt = ids[: len(ids) - step]
        if prompt != self._prompt:
            self._turn_to(prompt)
        decoded = ids[len(prompt) :]
        same = self._base
        for mine, wanted in zip(self._history[self._base :], decoded, strict=False):
            if mine != wanted:
                break
            same += 1
        self._live.count(self._history, same, len(self._history), sign=-1)
        self._history[same:] = decoded[same - self._base :]
        self._live.count(self._history, same, len(self._history))


def mix(logits: torch.Tensor, evidence: Evidence, weights: MixWeights) -> torch.Tensor:
    """Scores whose softmax is the mixture of the model and the evidence.

    Parameters
    ----------
    logits
        float32 [vocabulary]; tokens at -inf are forbidden, and stay so.
    evidence
        The n-grams' side.
    weights
        Its share.
    """
    tokens = torch.tensor(list(evidence.probabilities), device=logits.device)
    claimed = torch.tensor(list(evidence.probabilities.values()), device=logits.device, dtype=logits.dtype)
    own = logits[tokens]
    claimed = claimed * own.isfinite()
    mass = float(claimed.sum())
    if not mass:
        return logits
    norm = float(logits.logsumexp(-1))
    weight = weights.weight(evidence, float(logits.max()) - norm)
    raised = torch.logaddexp(own, (claimed / mass).log() + (norm + math.log(weight) - math.log1p(-weight)))
    return logits.index_put((tokens,), raised)
