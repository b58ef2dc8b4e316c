"""Builds the prompts of plans for one model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from guiderail.errors import UsageError
from guiderail.prompt.prompt import Prompt, build_prompt, half_typed

if TYPE_CHECKING:
    from guiderail.engine.plan import CompletionPlan, Layout
    from guiderail.model.model import Model
    from guiderail.remote.model import RemoteModel


class PromptBuilder:
    """Builds prompts in a model's format and within its context.

    Parameters
    ----------
    model
        The model.
    prompt_tokens
        Tokens of a prompt at most; bounded by the model's context less the tokens to be decoded.
    """

    def __init__(self, model: Model | RemoteModel, prompt_tokens: int) -> None:
        self.model = model
        self.prompt_tokens = prompt_tokens

    @property
    def local(self) -> Model:
        """The model, where it runs in this process."""
        return cast("Model", self.model)

    def count(self, text: str) -> int:
        """The number of tokens of a text; cached by line, since every key stroke counts mostly the same lines."""
        return len(self.local.tokenizer.lines.encode(text))

    def build(self, plan: CompletionPlan) -> Prompt:
        """The prompt for a plan."""
        info = self.model.info
        budget = min(self.prompt_tokens, info.context_length - plan.max_tokens)
        if budget < 1:
            raise UsageError(
                f"{plan.max_tokens} tokens to write leave no room for a prompt in {info.name}",
                f"Its context holds {info.context_length}: ask for fewer",
            )
        return build_prompt(
            plan.document,
            plan.offset,
            plan.snippets,
            info.fim,
            layout=self._layout(plan.layout),
            budget=budget,
            count=self.count,
            heal=plan.heal,
            root=plan.root,
            joins=self.joins,
        )

    def typed(self, plan: CompletionPlan) -> str:
        """The half-typed word before the cursor, which is decoded again as part of a whole word and never shown."""
        line, _ = plan.document.position_at(plan.offset)
        before = plan.document.text[plan.document.line_start(line) : plan.offset]
        return half_typed(before, self.joins) if plan.heal else ""

    def joins(self, before: str) -> int:
        """How many of the blanks that a line ends in may share a token with a word after them."""
        return self.local.tokenizer.joined_blanks(before)

    def _layout(self, wanted: Layout) -> Literal["psm", "spm", "efim", "prefix"]:
        if wanted != "auto":
            return wanted
        fim = self.model.info.fim
        return fim.preferred if fim else "prefix"
