"""USCD: contrast with a lame prompt where the model is unsure ("USCD: Improving Code Generation of LLMs by
Uncertainty-Aware Selective Contrastive Decoding", arXiv 2409.05923; its abstract and code were read).

    p(token) = p_standard(token) - weight * p_lame(token), where p_standard is spread out, over plausible tokens

What the model says without the helpful part of the prompt is noise that the part should overrule. For completion the
helpful part is the context from other files, or the docstrings and comments before the cursor.

The authors' test of uncertainty, the standard deviation of p over the vocabulary, depends on its size: their threshold
contrasts at every step beyond 40,000 tokens. Here it is the standard deviation times the root of the size, which is 1
for a certain token and 0 for a flat distribution, whatever the vocabulary; .894 is theirs at CodeLlama's 32,000. Their
plausible tokens are those above f / V, which cuts next to nothing; here above a share of the likeliest one. Each
prompt keeps its own cache and length, both are continued with the same tokens, and the lame one is run when needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from guiderail.decoding.methods.revisit import catch_up
from guiderail.decoding.session import Session
from guiderail.decoding.spec import BuildContext, Metadata, StageSpec, parameter
from guiderail.errors import UsageError
from guiderail.text.languages.table import BY_NAME
from guiderail.text.syntax import PARSE_S, SlowTextError, find, has_grammar, parse

if TYPE_CHECKING:
    from guiderail.decoding.stages.stage import StepState
    from guiderail.text.document import Document


@dataclass(frozen=True, kw_only=True)
class ContrastSpec(StageSpec):
    """USCD."""

    lame: str = parameter("context", "What the lame prompt lacks.", choices=("context", "docstring"))
    threshold: float = parameter(0.894, "Contrast where std(p) * sqrt(vocabulary) is at most this.", low=0, high=1)
    weight: float = parameter(0.7, "What is subtracted of the lame prompt's probabilities.", low=0, high=10)
    plausible: float = parameter(0.1, "Share of the likeliest token's probability that a token needs.", low=0, high=1)
    metadata = Metadata(
        summary="contrasts with a prompt without cross-file context, or without docstrings, where unsure",
        paper="USCD: arXiv 2409.05923",
        cost="one more forward pass at each unsure step, and the lame prompt's encoding",
        use="to try with larger models; not with the embedded one, which loses lines without its docstrings",
        one_by_one=True,
        order=10,
    )

    def build(self, context: BuildContext) -> Contrast:
        """See `StageSpec.build`.

        Raises
        ------
        UsageError
            There is no document that the prompt was made from.
        """
        if context.document is None or context.encode is None:
            raise UsageError("a lame prompt needs the document that the prompt was made from", "Decode without uscd")
        document, offset = context.document, context.offset
        if self.lame == "docstring":
            document, offset = without_docstrings(document, offset)
        ids = context.encode(document, offset, () if self.lame == "context" else context.snippets)
        if ids == list(context.prompt):
            return Contrast(None, self.threshold, self.weight, self.plausible)
        session = context.kept("the lame prompt's session", lambda: Session(context.model))
        return Contrast(Lame(session, ids), self.threshold, self.weight, self.plausible)


class Lame:
    """The model after the lame prompt; its cache catches up with what was decoded, in one pass.

    Parameters
    ----------
    session
        Of its own; kept from request to request.
    prompt
        The lame prompt's ids.
    """

    def __init__(self, session: Session, prompt: Sequence[int]) -> None:
        self._session = session
        self._prompt = list(prompt)

    def __call__(self, decoded: Sequence[int]) -> torch.Tensor:
        """Scores after the lame prompt and `decoded`, float32 [at least the vocabulary]."""
        logits = catch_up(self._session, [*self._prompt, *decoded])
        assert logits is not None, "it is not cancelled"
        return logits


class Contrast:
    """The stage of USCD.

    Parameters
    ----------
    lame
        Scores after the lame prompt and some decoded ids; None where the two prompts are the same: nothing changes.
    threshold, weight, plausible
        See `ContrastSpec`.
    """

    def __init__(
        self, lame: Callable[[Sequence[int]], torch.Tensor] | None, threshold: float, weight: float, plausible: float
    ) -> None:
        self._lame = lame
        self.threshold, self.weight, self.plausible = threshold, weight, plausible

    def __call__(self, logits: torch.Tensor, state: StepState) -> torch.Tensor:
        """Scores float32 [vocabulary]: logarithms of the contrasted probabilities; or `logits` where it is sure."""
        p = logits.softmax(-1)
        if self._lame is None or certainty(p) > self.threshold:
            return logits
        decoded = state.ids[len(state.ids) - state.step :] if state.step else []
        q = self._lame(decoded)[: len(p)].softmax(-1)
        left = torch.where(p >= self.plausible * p.max(), p - self.weight * q, 0.0)
        # Where the lame prompt is as sure of everything, there is nothing to tell them apart by.
        return left.clamp(min=0).log() if (left > 0).any() else logits


def certainty(p: torch.Tensor) -> float:
    """The standard deviation of probabilities (float32 [vocabulary]) times the root of their number: in [0, 1]."""
    return float((p - p.mean()).square().sum().sqrt())


def without_docstrings(document: Document, offset: int) -> tuple[Document, int]:
    """The document without the docstrings and comments before `offset`, and where that is then."""
    if not has_grammar(document.language):
        return document, offset
    language, before = document.language or "", document.text[:offset].encode()
    try:
        root = parse(before, language, PARSE_S)
    except SlowTextError:
        return document, offset
    pattern = BY_NAME[language].comments if language in BY_NAME else "(comment) @it"
    for node in reversed(find(root, language, pattern)):
        before = before[: node.start_byte].rstrip(b" \t") + before[node.end_byte :]
    kept = before.decode()
    return replace(document, text=kept + document.text[offset:]), len(kept)
