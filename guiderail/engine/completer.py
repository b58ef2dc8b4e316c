"""From a plan to suggestions: encodes the prompt and decodes. `Engine` makes plans from requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from itertools import chain, count
from typing import cast

from guiderail.cache.policy import Policy
from guiderail.cache.pool import CachePool
from guiderail.cache.report import FitReport
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.drafting.draft import Drafter
from guiderail.decoding.drafting.pass_cost import PassCosts, pass_costs_of
from guiderail.decoding.pipeline import Pipeline
from guiderail.decoding.session import Session
from guiderail.decoding.spec import BuildContext
from guiderail.engine.plan import CompletionPlan
from guiderail.engine.prompt_builder import PromptBuilder
from guiderail.engine.run import Resources, Run
from guiderail.engine.suggestion import Suggestion
from guiderail.model.model import Model
from guiderail.monitors.joint import JointMonitors
from guiderail.prompt.prompt import Prompt


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

    has_monitors = True
    is_remote = False

    def __init__(
        self, model: Model, *, prompt_tokens: int = 2048, cache_policy: Policy = "exact", cache_bytes: int = 0
    ) -> None:
        self.model = model
        self.prompts = PromptBuilder(model, prompt_tokens)
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
        prompt = self.prompts.build(plan)
        # Asked before the prompt is encoded: the analyser answers meanwhile.
        monitors = _monitors(plan, prompt)
        logits = self.session.fit(self._open(plan, prompt), cancelled=cancelled)
        if logits is None:
            return []
        resources = Resources(self.model, self.session, self.vocabulary, self.prompts, self.store)
        return Run(resources, plan, prompt, logits, began, monitors).suggestions(cancelled, on_token)

    def encode(self, plan: CompletionPlan) -> FitReport:
        """Encode the prompt of a plan, and report what that took."""
        self.session.fit(self._open(plan, self.prompts.build(plan)))
        assert self.session.report is not None, "fit makes one"
        return self.session.report

    def prepare(self, plan: CompletionPlan, prompt: Prompt, *, cancelled: Callable[[], bool]) -> None:
        """Encode the prompt of a plan, so that `complete` only decodes; then make the cache exact until cancelled."""
        ids = self._open(plan, prompt)
        if self.session.ids[: len(ids)] != ids:
            self.session.fit(ids, cancelled=cancelled)
        if not cancelled():
            self.heal(cancelled=cancelled)

    def _open(self, plan: CompletionPlan, prompt: Prompt) -> list[int]:
        """The ids of a prompt; the cache of its file is put into use."""
        ids = self.model.tokenizer.encode_prompt(prompt)
        self.pool.open(plan.file or plan.document.path, ids)
        return ids

    def forget(self, name: Hashable) -> None:
        """Drop the cache of a document."""
        self.pool.forget(name)

    def warm(self, pipeline: Pipeline, *, wait: bool) -> None:
        """Build a pipeline's drafters in advance, and measure what they must know of this device.

        With `wait` models that draft are loaded at the end.
        """
        if not pipeline.drafters:
            return
        context = BuildContext(model=self.model, vocabulary=self.vocabulary, session=self.session, store=self.store)
        context.kept(PassCosts, lambda: pass_costs_of(self.model))
        drafters = [context.kept(part, partial(part.build, context)) for part in pipeline.drafters]
        for drafter in drafters if wait else ():
            drafter.wait()

    def prime_drafters(self, plan: CompletionPlan) -> None:
        """Let the drafters read the encoded prompt and the project in advance."""
        for part in plan.pipeline.drafters:
            if part in self.store:  # else there was no request yet
                cast(Drafter, self.store[part]).begin(self.session.ids, plan.project)

    def heal(self, *, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Use idle time to make a patched cache exact; whether it is. Stops between two chunks once `cancelled`."""
        self.session.cache.heal(cancelled=cancelled)
        if not cancelled():
            self.session.cache.prove()
        return self.session.cache.is_exact


def _monitors(plan: CompletionPlan, prompt: Prompt) -> Iterator[JointMonitors | None]:
    """The monitors of each suggestion, those of the first started; None where no analyser can be asked."""
    watch = None
    if plan.monitors is not None:
        watch = plan.monitors.watch(plan.document, plan.offset, plan.root, prompt.typed)
    first = watch() if watch else None
    return chain([first], (watch() if watch else None for _ in count()))
