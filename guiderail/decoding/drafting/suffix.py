"""Drafting by copying: what followed the longest earlier occurrence of the last tokens.

Prompt lookup (github.com/apoorvumang/prompt-lookup-decoding) takes the first match of two tokens; here the longest
match wins, then the most recent, as in SuffixDecoding (arXiv 2411.04975). Texts are the prompt with what was decoded,
past outputs, and the open project's other files. How long a match must be to be worth a wide pass is not fixed: each
length's share of right tokens is learned, and the cost of a pass decides (`DraftSelector`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guiderail.cache.diff import common_prefix
from guiderail.cache.tree import TokenTree
from guiderail.decoding.drafting.draft import Draft, Drafter, Verified
from guiderail.decoding.drafting.rates import HitRates
from guiderail.decoding.spec import BuildContext, DrafterSpec, Metadata, parameter
from guiderail.prompt.secrets.masking import secrets

if TYPE_CHECKING:
    from guiderail.decoding.constraints.constraint import Constraint
    from guiderail.decoding.stages.ngram_counts import NgramCounts

SHORTEST = 3  # tokens that must match
LONGEST = 32  # tokens that are compared
CANDIDATES = 64  # places with the shortest match that are compared in one text, the most recent ones
OUTPUTS = 64  # past outputs that are kept
LEAD = 16  # tokens of a prompt that are kept before a past output
SEARCHED = 2048  # tokens up to an output's end in which secrets are looked for: a private key has a thousand


@dataclass(frozen=True, kw_only=True)
class SuffixSpec(DrafterSpec):
    """Copies what followed the longest earlier occurrence of the last tokens."""

    metadata = Metadata(
        summary="copy what followed the last tokens earlier: in the prompt, the open project, past outputs",
        paper="SuffixDecoding, arXiv 2411.04975, section 3; prompt lookup",
        cost="no forward pass; microseconds a token, and about 100 bytes for each token of the project",
        use="nearly always: the largest gain of all drafters; a part of auto",
    )
    length: int = parameter(16, "most tokens of a draft", low=1, high=64)

    def build(self, context: BuildContext) -> Suffix:
        """See `DrafterSpec.build`."""
        return Suffix(self.length, context.vocabulary.token_bytes)


class IndexedText:
    """A growing text with an index of every run of `SHORTEST` tokens."""

    def __init__(self, ids: Iterable[int] = ()) -> None:
        self.ids: list[int] = []
        self._ends: dict[tuple[int, ...], list[int]] = {}  # places after each run, ascending
        self.extend(ids)

    def extend(self, ids: Iterable[int]) -> None:
        """Append tokens."""
        for token in ids:
            self.ids.append(token)
            if len(self.ids) >= SHORTEST:
                self._ends.setdefault(tuple(self.ids[-SHORTEST:]), []).append(len(self.ids))

    def cut(self, length: int) -> None:
        """Forget the tokens from `length` on."""
        while len(self.ids) > length:
            if len(self.ids) >= SHORTEST:
                run = tuple(self.ids[-SHORTEST:])
                self._ends[run].pop()
                if not self._ends[run]:
                    del self._ends[run]
            self.ids.pop()

    def follow(self, ids: Sequence[int], same: int = 0) -> None:
        """Replace the text by `ids`, whose first `same` tokens are unchanged."""
        self.cut(same + common_prefix(self.ids[same:], ids[same:]))
        self.extend(ids[len(self.ids) :])

    def longest(self, wanted: Sequence[int]) -> tuple[int, int]:
        """The longest match of the end of `wanted` that something follows: its length, and the place after it.

        (0, 0) if there is none of `SHORTEST`; of equally long ones the last. Among more than `CANDIDATES` places the
        last ones are compared, and no more than `LONGEST` tokens of each.
        """
        best = (0, 0)
        ends = self._ends.get(tuple(wanted[-SHORTEST:]), ())
        for end in reversed(ends[-CANDIDATES:]):
            length = _matching(self.ids, end, wanted)
            if end < len(self.ids) and length > best[0]:
                best = length, end
        return best


def _matching(ids: Sequence[int], end: int, wanted: Sequence[int]) -> int:
    """How many tokens before `end` are the last ones of `wanted`."""
    most = min(end, len(wanted), LONGEST)
    length = 0
    while length < most and ids[end - 1 - length] == wanted[-1 - length]:
        length += 1
    return length


class Suffix(Drafter):
    """Drafts by copying what followed the last tokens earlier.

    Parameters
    ----------
    length
        Tokens of a draft at most.
    token_bytes
        The bytes of each token, by which secrets are found; without them none are.
    """

    def __init__(self, length: int = 16, token_bytes: Sequence[bytes] = ()) -> None:
        self._length = length
        self._token_bytes = token_bytes
        # By the tokens that match: those before the draft, and those of it that were right.
        self._rates = HitRates([matched / (matched + 4) for matched in range(LONGEST + 1)])
        self._own = IndexedText()
        self._outputs: deque[IndexedText] = deque(maxlen=OUTPUTS)
        self._project: dict[int, tuple[Sequence[int], IndexedText]] = {}  # by the identity of a text's ids
        self._start = 0

    def begin(self, ids: Sequence[int], project: NgramCounts | None) -> None:
        """See `Drafter.begin`; of the prompt what is new is indexed, and files that were not seen before."""
        self._own.follow(ids)
        self._start = len(ids)
        texts = project.texts.values() if project else ()
        self._project = {id(text): self._project.get(id(text)) or (text, IndexedText(text)) for text in texts}

    def propose(self, ids: Sequence[int], constraints: Sequence[Constraint], room: int) -> Draft | None:
        """The copied chain; see `Drafter.propose`."""
        self._own.follow(ids, self._start)
        length, end, text = 0, 0, self._own
        for one in (self._own, *reversed(self._outputs), *(indexed for _, indexed in self._project.values())):
            found, place = one.longest(ids)
            if found > length:
                length, end, text = found, place, one
        copied = text.ids[end : end + min(self._length, room)]
        if not length or not copied:
            return None
        labels = [min(length + i, LONGEST) for i in range(len(copied))]
        chances, chance = [], 1.0
        for label in labels:
            chance *= self._rates[label]
            chances.append(chance)
        return Draft(TokenTree.chain(copied), chances, labels=labels)

    def learn(self, verified: Verified) -> None:
        """See `Drafter.learn`."""
        self._rates.learn(verified, self)

    def finish(self, ids: Sequence[int]) -> None:
        """See `Drafter.finish`; what was decoded can be copied from then on, into other files too, but no secret."""
        begin = max(self._start - LEAD, 0)
        if len(ids) - self._start > 1 and not self._holds_secret(ids[-SEARCHED:], len(ids) - begin):
            self._outputs.append(IndexedText(ids[begin:]))

    def _holds_secret(self, ids: Sequence[int], last: int) -> bool:
        """Whether a part of a token or key is among the last tokens."""
        before, kept = self._text(ids[:-last]), self._text(ids[-last:])
        return any(end > len(before) for _, end in secrets(before + kept))

    def _text(self, ids: Sequence[int]) -> str:
        known = len(self._token_bytes)
        return b"".join(self._token_bytes[token] for token in ids if token < known).decode("utf-8", "replace")
