"""Drafting by text: the small model writes, and the other model's tokenizer cuts that into tokens.

Speculative decoding (Leviathan et al. 2023, arXiv 2211.17192) between models of different vocabularies, by strings: the
string-level exact match of Timor et al. 2025 (arXiv 2502.05202, algorithm 2). Before every draft the small model reads
what the large one has decided, less the word that may still grow, which it has to write again
(`constraints.typed_text`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from guiderail.cache.tree import TokenTree
from guiderail.decoding.constraints.typed_text import TypedText
from guiderail.decoding.drafting.draft import Draft, Verified
from guiderail.decoding.drafting.growth import Shape, class_of, learn, new_rates
from guiderail.decoding.drafting.writer import Piece, Writer

if TYPE_CHECKING:
    from guiderail.decoding.constraints.constraint import Constraint
    from guiderail.decoding.sampling import Sampler
    from guiderail.model.model import Model
    from guiderail.model.tokenizer import Tokenizer
    from guiderail.prompt.fim import FimFormat


class TextSource:
    """Drafts chains of what a model of another vocabulary writes.

    Parameters
    ----------
    model
        It drafts.
    tokenizer, fim
        Of the model that is drafted for.
    shape
        How much is written at most; a chain whatever its tree.
    """

    def __init__(self, model: Model, tokenizer: Tokenizer, fim: FimFormat | None, shape: Shape) -> None:
        self._tokenizer = tokenizer
        self._fim = fim
        self._length = shape.depth
        self._writer = Writer(model)
        self._prompt: Sequence[int] = ()
        self._rates = new_rates()

    def begin(self, prompt: Sequence[int]) -> None:
        """Draft after this prompt from now on."""
        self._prompt = prompt
        self._writer.open(*around(prompt, self._tokenizer, self._fim))

    def draft(
        self,
        ids: Sequence[int],
        constraints: Sequence[Constraint],
        room: int,
        sampler: Sampler,
        is_worthwhile: Callable[[float], bool],
    ) -> tuple[Draft | None, int]:
        """A draft after `ids`, and the passes of the small model that it took; see `Growth.grow`."""
        written = self._tokenizer.decode_bytes(ids[len(self._prompt) :])
        typed = next((one.remaining for one in constraints if isinstance(one, TypedText)), b"")
        pieces = self._writer.write(written, typed, self._length, lambda chances: is_worthwhile(self._reach(chances)))
        return self._cut(pieces, room), len(pieces) + 1

    def learn(self, verified: Verified) -> None:
        """Count which of a draft's tokens were right."""
        learn(self._rates, verified)

    def _reach(self, chances: Sequence[float]) -> float:
        """The probability that verification gets past tokens to which the small model gave these probabilities."""
        reach = 1.0
        for chance in chances:
            reach *= self._rates[class_of(chance)]
        return reach

    def _cut(self, pieces: Sequence[Piece], room: int) -> Draft | None:
        """The pieces' text in the large model's tokens, each with the chance of the pieces that it takes part in.

        The last token is left out unless it ends a line: the word that it ends might go on, and be cut otherwise.
        """
        data = b"".join(piece.data for piece in pieces)
        tokens = self._tokenizer.encode(data.decode("utf-8", "ignore"))
        if not data.endswith(b"\n") and len(tokens) > 1:
            tokens.pop()
        labels, chances, end, begun, place, arrive = [], [], 0, 0, 0, 1.0
        for token in tokens[:room]:
            end += len(self._tokenizer.token_bytes[token])
            chance = 1.0
            while place < len(pieces) and begun < end:
                chance *= pieces[place].chance
                begun += len(pieces[place].data)
                place += 1
            labels.append(class_of(chance))
            arrive *= self._rates[labels[-1]]
            chances.append(arrive)
        return Draft(TokenTree.chain(tokens[:room]), chances, labels=labels) if labels else None


def around(ids: Sequence[int], tokenizer: Tokenizer, fim: FimFormat | None) -> tuple[str, str]:
    """The text before and after the cursor that a prompt shows.

    In every layout the text before the cursor is what follows the prefix's sentinel, and then what follows the middle's
    (`fim`); without sentinels it is all.
    """
    names = {tokenizer.special[name]: name for name in fim.sentinels if name in tokenizer.special} if fim else {}
    if fim is None or tokenizer.special.get(fim.suffix) not in ids:
        return tokenizer.decode(ids), ""
    parts: dict[str, list[int]] = {}
    name = ""
    for token in ids:
        if token in names:
            name = names[token]
        else:
            parts.setdefault(name, []).append(token)
    before = parts.get(fim.prefix, []) + (parts.get(fim.middle, []) if fim.middle else [])
    return tokenizer.decode(before), tokenizer.decode(parts.get(fim.suffix, ()))
