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
  grammar of Python 3.8. A candidate is judged where it opens a statement: anywhere else all candidates share a rule,
  and the same factor on all changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from guiderail.decoding.stages.ngram import FimMarks, split_prompt
from guiderail.errors import UsageError
from guiderail.text.statements import Rule, Statements, keywords, opener, opening
from guiderail.text.syntax import has_grammar

if TYPE_CHECKING:
    from guiderail.decoding.stage import StepState

LONGEST = 24  # statements of a repeated block
CANDIDATES = 48  # the most probable tokens, which are looked at
LINES = 6  # statements that must repeat an earlier block before any is discounted


class GrammarRepetition:
    """Discount the tokens that begin one more copy of what the text repeats.

    Parameters
    ----------
    language
        Of the text.
    token_bytes
        The exact bytes of every id.
    marks
        The model's sentinels, to tell the text in front of the cursor from the one behind; None without them.
    factor
        The paper's lambda: what one more copy costs.
    minimum
        Copies that cost nothing.
    decay
        What each further copy counts of the one before; 1 is the paper's Count, without a bound.

    Raises
    ------
    UsageError
        There is no grammar for the language, or a number is outside its range.
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
    ) -> None:
        if not has_grammar(language):
            raise UsageError(f"there is no grammar for {language}, by which repetition is found", "Decode without RPG")
        if not 0 < factor <= 1:
            raise UsageError(f"RPG's factor is {factor}", "It must be above 0 and at most 1")
        if minimum < 1:
            raise UsageError(f"RPG's minimum is {minimum}", "It must be 1 or more")
        if not 0 <= decay <= 1:
            raise UsageError(f"RPG's decay is {decay}", "It must be between 0 and 1")
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
        end = text.rfind(b"\n") + 1
        line = text[end:]
        first = opening(line)
        if first.word and first.at + len(first.word) < len(line):
            return logits
        counts = self._repeats(text[:end])
        if not counts:
            return logits
        penalties = self._penalties(logits, line, counts)
        if not penalties:
            return logits
        chosen = torch.tensor(list(penalties), device=logits.device)
        lowered = logits[chosen] + math.log(self.factor) * logits.new_tensor(list(penalties.values()))
        return logits.index_put((chosen,), lowered)

    def _text(self, state: StepState) -> bytes:
        """The text in front of the step."""
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
        for token in logits.topk(min(CANDIDATES, len(logits))).indices.tolist():
            data = self.token_bytes[token] if token < len(self.token_bytes) else b""
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
        """Whether a word that is written half becomes a keyword: until then it was judged as a name."""
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


def decayed(copies: int, decay: float) -> float:
    """1 + decay + decay^2 + …, so many terms."""
    return float(copies) if decay == 1 else (1 - decay**copies) / (1 - decay)
