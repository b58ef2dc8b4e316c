"""RPG: repetition penalised by grammar ("Rethinking Repetition Problems of LLMs in Code Generation", arXiv 2505.10402).

A model that loops writes the same rules again and again with other words: endless `elif` arms, which no penalty on
tokens or n-grams sees. With R the sequence of rules so far and x a candidate, the paper decays s(x) by

    s'(x) = s(x) lambda ^ Count(Rep(R x))                                            (section 3.3, equations 5 to 7)

Here, and why it is not the paper's letter:

* Rep is exact: R x ends in a tandem repeat of period p if its last entries are one block of p, written r times over.
  Equation 5 looks for neighbours in the suffix array, which misses repeats (ABABC has none, by it).
* s is a probability: log-probabilities get Count ln(lambda). Times lambda, a negative one would rise.
* Count is the number of times the block was written beyond `minimum`, each counting `decay` of the one before: it
  never passes 1 / (1 - decay). Uncapped it would forbid tables, imports and tests in the end.
* Rules are those of `guiderail.text.statements`, for every language that has a grammar there, instead of one LL(1)
  grammar of Python 3.8. A candidate is judged where it opens a statement.
* Copies that are the same word for word count `verbatim` times more, and every token that goes on with one is
  discounted: small models loop like that, inside a statement or a comment too, and tables, imports and tests do not.
  `verbatim=0` leaves the rules alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from guiderail.decoding.spec import BuildContext, Metadata, StageSpec, parameter
from guiderail.decoding.stages.ngram import FimMarks, split_prompt
from guiderail.errors import UsageError
from guiderail.text.statements import Rule, Statements, keywords, opener, opening
from guiderail.text.syntax import has_grammar

if TYPE_CHECKING:
    from guiderail.decoding.stages.stage import StepState

LONGEST = 24  # statements of a repeated block
CANDIDATES = 48  # the most probable tokens, which are looked at
SHORTEST = 5  # bytes of a block that is repeated word for word; rows of zeros and rulers have shorter ones
MATCHING = 32  # bytes that must repeat an earlier block word for word before any is discounted
REACH = 2048  # bytes at the end of the text that are searched for such blocks
VERBATIM = 10.0
LINES = 6  # statements that must repeat an earlier block before any is discounted


@dataclass(frozen=True, kw_only=True)
class GrammarRepetitionSpec(StageSpec):
    """RPG: repetition penalised by grammar."""

    factor: float = parameter(0.9, "What one more copy multiplies a probability by.", above=0, high=1)
    minimum: int = parameter(3, "Copies that cost nothing.", low=1, high=1000)
    decay: float = parameter(0.97, "What each further copy counts of the one before; 1 has no bound.", low=0, high=1)
    verbatim: float = parameter(VERBATIM, "How many times a copy counts more that is word for word.", low=0, high=100)
    metadata = Metadata(
        summary="discounts what begins one more copy of a repeated pattern of statements, or of words",
        paper="RPG: arXiv 2505.10402, section 3.3",
        cost="0.1 to 0.3 ms a step; guiderail eval repetition measures it",
        use="against loops of a model that repeats itself; on ordinary lines it changes next to nothing",
    )

    def build(self, context: BuildContext) -> GrammarRepetition:
        """See `StageSpec.build`."""
        language = (context.document and context.document.language) or "an unknown language"
        return GrammarRepetition(
            language,
            context.model.tokenizer.token_bytes,
            FimMarks.of(context.model),
            factor=self.factor,
            minimum=self.minimum,
            decay=self.decay,
            verbatim=self.verbatim,
        )


class GrammarRepetition:
    """Discount the tokens that begin one more copy of what the text repeats.

    Parameters
    ----------
    language
        Of the text.
    token_bytes
        The exact bytes of every id.
    marks
        The model's sentinels, to tell the text before the cursor from the one after; None without them.
    factor
        The paper's lambda: what one more copy costs.
    minimum
        Copies that cost nothing.
    decay
        What each further copy counts of the one before; 1 is the paper's Count, without a bound.
    verbatim
        How many times a copy counts more that is the same word for word.

    Raises
    ------
    UsageError
        There is no grammar for the language.
    """

    def __init__(
        self,
        language: str,
        token_bytes: Sequence[bytes],
        marks: FimMarks | None = None,
        *,
        factor: float = 0.9,
        minimum: int = 3,
        decay: float = 0.97,
        verbatim: float = VERBATIM,
    ) -> None:
        if not has_grammar(language):
            raise UsageError(f"there is no grammar for {language}, by which repetition is found", "Decode without RPG")
        self.verbatim = verbatim
        self.language, self.token_bytes, self.marks = language, token_bytes, marks
        self.factor, self.minimum, self.decay = factor, minimum, decay
        self._statements = Statements(language)
        self._prompt: list[int] = []
        self._before = b""
        self._judged = b""  # the whole lines that `_counts` belongs to
        self._counts: dict[tuple[str, int], float] = {}

    def __call__(self, logits: torch.Tensor, state: StepState) -> torch.Tensor:
        """Scores float32 [vocabulary]; the same tensor where nothing repeats or no statement can begin."""
        text = self._text(state)
        penalties = self._of_rules(logits, text)
        if self.verbatim:
            for token, count in self._of_words(logits, text).items():
                penalties[token] = penalties.get(token, 0.0) + count
        if not penalties:
            return logits
        chosen = torch.tensor(list(penalties), device=logits.device)
        lowered = logits[chosen] + math.log(self.factor) * logits.new_tensor(list(penalties.values()))
        return logits.index_put((chosen,), lowered)

    def _of_rules(self, logits: torch.Tensor, text: bytes) -> dict[int, float]:
        """By token, the count of the rule that it begins; nothing inside a statement."""
        end = text.rfind(b"\n") + 1
        first = opening(text[end:])
        if first.word and first.at + len(first.word) < len(text) - end:
            return {}
        counts = self._repeats(text[:end])
        return self._penalties(logits, text[end:], counts) if counts else {}

    def _of_words(self, logits: torch.Tensor, text: bytes) -> dict[int, float]:
        """By token, the count of the copy that it continues word for word."""
        block, copies = copied(text[-REACH:])
        if copies <= 2:
            return {}
        count = self.verbatim * decayed(copies - 2, self.decay)
        found = {}
        for token in self._probable(logits):
            data = self.token_bytes[token]
            if data and (block * (len(data) // len(block) + 1)).startswith(data):
                found[token] = count
        return found

    def _probable(self, logits: torch.Tensor) -> list[int]:
        top = logits.topk(min(CANDIDATES, len(logits))).indices.tolist()
        return [token for token in top if token < len(self.token_bytes)]

    def _text(self, state: StepState) -> bytes:
        """The text before the step."""
        cut = len(state.ids) - state.step
        prompt = list(state.ids[:cut])
        if prompt != self._prompt:
            self._prompt = prompt
            self._before = self._bytes(split_prompt(prompt, self.marks)[1])
        return self._before + self._bytes(state.ids[cut:])

    def _bytes(self, ids: Sequence[int]) -> bytes:
        return b"".join(self.token_bytes[i] for i in ids if i < len(self.token_bytes))

    def _repeats(self, lines: bytes) -> dict[tuple[str, int], float]:
        """By opener and turn of the indentation, how much one more copy counts."""
        if lines != self._judged:
            self._statements.follow(lines)
            self._judged = lines
            rules = [] if self._statements.in_text else self._statements.rules
            counts: dict[tuple[str, int], float] = {}
            for rule, copies in continued(rules, self.minimum).items():
                key = (rule.opener, rule.turn)
                counts[key] = max(counts.get(key, 0.0), decayed(copies - self.minimum, self.decay))
            self._counts = counts
        return self._counts

    def _penalties(
        self, logits: torch.Tensor, line: bytes, counts: Mapping[tuple[str, int], float]
    ) -> dict[int, float]:
        """By token, the count of what it begins, for the probable tokens that begin a counted rule."""
        begun, base = opening(line), self._statements.indent
        found = {}
        for token in self._probable(logits):
            data = self.token_bytes[token]
            if not data or b"\n" in data:
                continue
            word = opening(line + data)
            if not word.word or (begun.word and not self._becomes_keyword(begun.word, word.word)):
                continue
            turn = (word.indent > base) - (word.indent < base)
            count = counts.get((opener(word.word, self.language), turn))
            if count:
                found[token] = count
        return found

    def _becomes_keyword(self, begun: bytes, word: bytes) -> bool:
        """Whether a half-written word becomes a keyword; until then it was taken for a name."""
        return word != begun and word.decode(errors="replace") in keywords(self.language)


def continued(rules: Sequence[Rule], minimum: int) -> dict[Rule, int]:
    """The rules that would continue a tandem repeat at the end of `rules`, and the copies that there are then.

    A rule continues a repeat of period p if it equals the rule p places back; r copies are complete when the last r p
    entries, it included, are one block of p over and over. Of several periods the one with the most copies counts.
    Repeats of fewer than `LINES` matching statements are passed over: short ones are everywhere.
    """
    numbers: dict[Rule, int] = {}
    coded = np.array([numbers.setdefault(rule, len(numbers)) for rule in rules], dtype=np.int64)
    found: dict[Rule, int] = {}
    for period in range(1, min(LONGEST, len(rules) // 2) + 1):
        different = np.flatnonzero(coded[period:] != coded[:-period])
        matches = 1 + (len(coded) - period - 1 - int(different[-1]) if len(different) else len(coded) - period)
        copies = (matches + period) // period
        rule = rules[len(rules) - period]
        if copies > minimum and matches >= LINES and copies > found.get(rule, 0):
            found[rule] = copies
    return found


def copied(text: bytes) -> tuple[bytes, int]:
    """The block that a text ends with over and over, from where the next byte would go on, and its copies.

    Without `MATCHING` bytes that repeat a block, and for blocks shorter than `SHORTEST`, nothing is found: (b"", 1).
    """
    best = b"", 1
    tail = text[-MATCHING:]
    at = text.rfind(tail, 0, len(text) - SHORTEST) if len(tail) == MATCHING else -1
    while at >= 0:
        period = len(text) - at - MATCHING
        if period > len(text) // 2:
            break
        copies = (_common_end(text, text[:-period]) + period) // period
        if copies > best[1]:
            best = text[-period:], copies
        at = text.rfind(tail, 0, at + MATCHING - 1)
    return best


def _common_end(one: bytes, other: bytes) -> int:
    """Length of the longest common end."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[-middle:] == other[-middle:] else (low, middle - 1)
    return low


def decayed(copies: int, decay: float) -> float:
    """1 + decay + decay^2 + ..., `copies` terms."""
    return float(copies) if decay == 1 else (1 - decay**copies) / (1 - decay)
