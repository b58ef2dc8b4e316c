"""From a plan to suggestions: encodes the prompt and decodes. `Engine` makes the plans of what people ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain, count
from typing import Literal, cast

from guiderail.cache.policy import Policy
from guiderail.cache.pool import CachePool
from guiderail.cache.report import FitReport
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.drafting.draft import Drafter
from guiderail.decoding.drafting.pass_cost import PassCosts, pass_costs_of
from guiderail.decoding.pipeline import Pipeline
from guiderail.decoding.session import Session
from guiderail.engine.plan import CompletionPlan, Layout
from guiderail.engine.run import Run
from guiderail.engine.suggestion import Suggestion
from guiderail.errors import UsageError
from guiderail.model.model import Model
from guiderail.monitors.joint import JointMonitors
from guiderail.prompt.prompt import Prompt, build_prompt, half_typed


class Completer:
    """A model ready to complete; keeps the last prompt's keys and values for the next request.

    Parameters
    ----------
    model
        The model.
    prompt_tokens
        Tokens of a prompt at most; bounded by the model's context less the tokens to be decoded.
    cache_policy
        How the keys and values of the last prompt follow an edit (see `LiveCache`); by default exactly.
    cache_bytes
        Memory for the keys and values of other files than the last one (see `CachePool`); on a GPU as much of the
        CPU's memory too. By default only the last prompt's are kept.
    """

    def __init__(
        self, model: Model, *, prompt_tokens: int = 2048, cache_policy: Policy = "exact", cache_bytes: int = 0
    ) -> None:
        self.model = model
        self.prompt_tokens = prompt_tokens
        self.session = Session(model, policy=cache_policy)
        self.pool = CachePool(self.session.cache, device_bytes=cache_bytes, host_bytes=cache_bytes)
        self.vocabulary = Vocabulary(model.tokenizer.token_bytes)
        self.store: dict[object, object] = {}  # what methods and drafters keep between requests (`BuildContext.kept`)

    def complete(
        self,
        plan: CompletionPlan,
        *,
        cancelled: Callable[[], bool] = lambda: False,
        on_token: Callable[[bytes], None] | None = None,
    ) -> list[Suggestion]:
        """Suggestions for a plan, the first one first; fewer, and those being written cut short, once `cancelled`.

        Raises
        ------
        UsageError
            If the cursor's line, or the tokens to be written, do not fit the model's context.
        """
        began = time.perf_counter()
        prompt = self.prompt(plan)
        # Asked before the prompt is encoded: the analyser answers meanwhile.
        monitors = _monitors(plan, prompt)
        logits = self.session.fit(self._opened(plan, prompt), cancelled=cancelled)
        if logits is None:
            return []
        run = Run(self, plan, prompt, logits, began, monitors)
        return run.suggestions(cancelled, on_token)

    def encode(self, plan: CompletionPlan) -> FitReport:
        """Encode the prompt of `plan`; what that took."""
        self.session.fit(self._opened(plan, self.prompt(plan)))
        assert self.session.report is not None, "fit makes one"
        return self.session.report

    def prepare(self, plan: CompletionPlan, prompt: Prompt, *, cancelled: Callable[[], bool]) -> None:
        """Encode the prompt of `plan`, so that `complete` only decodes; make it exact in the time that is left."""
        ids = self._opened(plan, prompt)
        if self.session.ids[: len(ids)] != ids:
            self.session.fit(ids, cancelled=cancelled)
        if not cancelled():
            self.heal(cancelled=cancelled)

    def _opened(self, plan: CompletionPlan, prompt: Prompt) -> list[int]:
        """The ids of a prompt, with its file's cache in use."""
        ids = self.model.tokenizer.encode_prompt(prompt)
        self.pool.open(plan.file or plan.document.path, ids)
        return ids

    def warm(self, pipeline: Pipeline) -> None:
        """Measure now what a pipeline's drafters have to know of this device, and not while somebody waits."""
        if pipeline.drafters and PassCosts not in self.store:
            self.store[PassCosts] = pass_costs_of(self.model)

    def show(self, plan: CompletionPlan) -> None:
        """Have the drafters read the prompt that was encoded, and the project, before a request waits for that."""
        for part in plan.pipeline.drafters:
            if part in self.store:  # else no request came yet
                cast(Drafter, self.store[part]).begin(self.session.ids, plan.project)

    def heal(self, *, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Use idle time to make a patched cache exact; whether it is. Stops between two chunks once `cancelled`."""
        self.session.cache.heal(cancelled=cancelled)
        if not cancelled():
            self.session.cache.prove()
        return self.session.cache.is_exact

    def count(self, text: str) -> int:
        """Tokens of a plain text; laying out a prompt counts the same lines again at every key stroke."""
        return len(self.model.tokenizer.lines.encode(text))

    def prompt(self, plan: CompletionPlan) -> Prompt:
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
            joins=self.model.tokenizer.joined_blanks,
        )

    def typed(self, plan: CompletionPlan) -> str:
        """What is decoded once more of the text before the cursor; on the cursor's line, and never shown."""
        line, _ = plan.document.position_at(plan.offset)
        before = plan.document.text[plan.document.line_start(line) : plan.offset]
        return half_typed(before, self.model.tokenizer.joined_blanks) if plan.heal else ""

    def _layout(self, wanted: Layout) -> Literal["psm", "spm", "efim", "prefix"]:
        if wanted != "auto":
            return wanted
        fim = self.model.info.fim
        return fim.preferred if fim else "prefix"


def _monitors(plan: CompletionPlan, prompt: Prompt) -> Iterator[JointMonitors | None]:
    """The monitors of each suggestion, those of the first at work already; None where nobody can be asked."""
    watch = None
    if plan.monitors is not None:
        watch = plan.monitors.watch(plan.document, plan.offset, plan.root, prompt.typed)
    first = watch() if watch else None
    return chain([first], (watch() if watch else None for _ in count()))
