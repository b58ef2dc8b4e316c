"""One run: the decoding of a plan's suggestions after its encoded prompt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

import torch

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.typed_text import TypedText
from guiderail.decoding.drafting.pass_cost import PassCosts, pass_costs_of
from guiderail.decoding.drafting.selector import DraftSelector
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, Method, PausedEvent, TokenEvent
from guiderail.decoding.methods.batch_sampling import SampledText, sample_batch
from guiderail.decoding.methods.plain import PlainSpec
from guiderail.decoding.sampling import Sampler, Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.spec import BuildContext
from guiderail.engine.plan import ALTERNATIVES, CompletionPlan
from guiderail.engine.suggestion import Step, Suggestion, Timings
from guiderail.engine.surroundings import Surroundings
from guiderail.engine.verifier import Verifier
from guiderail.monitors.joint import JointMonitors
from guiderail.prompt.prompt import Prompt
from guiderail.prompt.snippet import Snippet
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.decoding.constraints.vocabulary import Vocabulary
    from guiderail.engine.prompt_builder import PromptBuilder
    from guiderail.model.model import Model

WIDEST = 16  # texts that are written at once: all their keys and values are held, and read at every step


@dataclass(frozen=True, slots=True)
class Resources:
    """What all runs of one completer use.

    Parameters
    ----------
    model, session, vocabulary
        The model, its encoded sequence, and its tokens.
    prompts
        For methods that compare with another prompt.
    store
        What methods and drafters keep between runs (`BuildContext.kept`).
    """

    model: Model
    session: Session
    vocabulary: Vocabulary
    prompts: PromptBuilder
    store: dict[object, object]


@dataclass(frozen=True, slots=True)
class _Text:
    """How one text is decoded, or all of them by a method that decodes all at once."""

    method: Method
    request: DecodeRequest
    constraints: Sequence[Constraint]
    monitor: JointMonitors | None


class Run:
    """Decodes the suggestions of one plan; all start after the same encoded prompt, which is not copied."""

    def __init__(
        self,
        resources: Resources,
        plan: CompletionPlan,
        prompt: Prompt,
        logits: torch.Tensor,
        began: float,
        monitors: Iterator[JointMonitors | None],
    ) -> None:
        self.monitors = monitors
        self.resources = resources
        self.session = resources.session
        self.tokenizer = resources.model.tokenizer
        self.plan = plan
        self.prompt = prompt
        self.logits = logits
        self.place = Surroundings(plan)
        self.began = began
        self.encoded = time.perf_counter()
        self.prompt_tokens = self.session.length
        self.reused = self.session.reused
        self.cache_exact = self.session.cache.is_exact

    def suggestions(self, cancelled: Callable[[], bool], on_token: Callable[[bytes], None] | None) -> list[Suggestion]:
        """Up to `n` suggestions; one that repeats an earlier one is written again, once each, if they must differ.

        Where the plan takes spare ones, those that a method has written beyond that come last.
        """
        found: list[Suggestion] = []
        index, wanted = 0, self.plan.n
        while index < self._max_attempts and len(found) < wanted and not (index and cancelled()):
            count = min(self._batch_size(index, on_token), wanted - len(found), self._max_attempts - index)
            for suggestion in self._write(range(index, index + count), cancelled, None if index else on_token):
                is_new = not self.plan.distinct or suggestion.text not in {s.text for s in found}
                if is_new and (self.plan.spare or len(found) < wanted):
                    found.append(suggestion)
            index += count
        return found

    @property
    def _max_attempts(self) -> int:
        """How often a text is decoded at most to get as many suggestions as are wanted."""
        if self.plan.pipeline.method.metadata.all_texts:
            return 1
        return 2 * self.plan.n - 1 if self.plan.distinct else self.plan.n

    def _batch_size(self, index: int, on_token: Callable[[bytes], None] | None) -> int:
        """How many texts may be written at once from this one on.

        What is drawn plainly shares its passes. A first text that somebody waits for, or that drafts can shorten, goes
        alone.
        """
        plan, pipeline = self.plan, self.plan.pipeline
        alone = index == 0 and (on_token is not None or plan.sampling.greedy)
        drafted = bool(pipeline.drafters) and not plan.distinct  # who measures draws with drafts is to get them
        apart = alone or drafted or any(part.metadata.one_by_one for part in pipeline.stages)
        return 1 if apart or not isinstance(pipeline.method, PlainSpec) else min(plan.n, WIDEST)

    def _write(
        self, indices: Sequence[int], cancelled: Callable[[], bool], on_token: Callable[[bytes], None] | None
    ) -> list[Suggestion]:
        texts = [self._text(index, cancelled) for index in indices]
        start, passes = time.perf_counter() if indices[0] else self.began, self._passes
        try:
            if len(texts) == 1:
                events = texts[0].method.decode(self.session, self.logits, texts[0].request, texts[0].constraints)
                found = list(self._collect(events, start, on_token))
            else:
                found = list(self._collect(self._sampled(indices, texts), start, None, at_once=True))
        finally:
            self.session.rollback(self.session.length - self.prompt_tokens)
        passes = self._passes - passes
        # A method that writes all texts has one set of monitors for all of them.
        watched = [text.monitor for text in texts] * (len(found) if len(texts) == 1 else 1)
        reports = [monitor.report if monitor else None for monitor in watched]
        return [
            replace(suggestion, monitored=report, passes=passes, shared_by=len(found))
            for suggestion, report in zip(found, reports, strict=True)
        ]

    @property
    def _passes(self) -> int:
        """Forward passes so far, those of the sessions that methods keep beside this one included."""
        others = (kept for kept in self.resources.store.values() if isinstance(kept, Session))
        return self.session.passes + sum(kept.passes for kept in others)

    def _sampled(self, indices: Sequence[int], texts: Sequence[_Text]) -> Iterator[Event]:
        """The events of texts that are drawn side by side, one text after the other."""
        samplers = [Sampler(self._sampling(index), index) for index in indices]
        ids = self.session.ids
        draws = [
            SampledText(text.request, text.constraints, sampler, ids, self.logits)
            for text, sampler in zip(texts, samplers, strict=True)
        ]
        sample_batch(self.session, draws, texts[0].request.cancelled)
        for one in draws:
            yield from one.events()

    def _text(self, index: int, cancelled: Callable[[], bool]) -> _Text:
        plan, typed = self.plan, self.prompt.typed.encode()
        method, stages, chosen = plan.pipeline.build(self._build_context(index, cancelled))
        request = DecodeRequest(
            token_bytes=self.tokenizer.token_bytes,
            stop=self.place.stop,
            stop_reason=plan.until,
            skip=len(typed),
            max_tokens=plan.max_tokens,
            n=plan.n,
            spare=plan.spare,
            end_loops=plan.end_loops,
            stages=[*plan.stages, *stages],
            cancelled=cancelled,
        )
        first = TypedText(
            self.resources.vocabulary, self.tokenizer.token_bytes, typed, may_indent=self.place.may_indent
        )
        constraints = [*([] if first.is_satisfied else [first]), *chosen]
        monitor = next(self.monitors)
        if monitor:
            constraints.append(monitor)
        return _Text(method, request, constraints, monitor)

    def _build_context(self, index: int, cancelled: Callable[[], bool]) -> BuildContext:
        plan, resources = self.plan, self.resources
        context = BuildContext(
            model=resources.model,
            vocabulary=self.resources.vocabulary,
            session=self.session,
            sampling=self._sampling(index),
            index=index,
            document=plan.document,
            offset=plan.offset,
            root=plan.root,
            snippets=plan.snippets,
            typed=self.prompt.typed,
            prompt=self.session.ids,
            encode=self._encode,
            project=plan.project,
            verifier=Verifier(plan, self.place, cancelled),
            store=resources.store,
        )
        if not plan.pipeline.drafters:
            return context
        # A drafter is kept from request to request; this one's project is told when it begins.
        drafters = [context.kept(part, partial(part.build, context)) for part in plan.pipeline.drafters]
        prices = context.kept(PassCosts, lambda: pass_costs_of(resources.model))
        return replace(context, drafting=DraftSelector(drafters, prices, plan.project, context.sampling))

    def _encode(self, document: Document, offset: int, snippets: Sequence[Snippet]) -> list[int]:
        prompt = self.resources.prompts.build(replace(self.plan, document=document, offset=offset, snippets=snippets))
        return self.tokenizer.encode_prompt(prompt)

    def _sampling(self, index: int) -> Sampling:
        sampling = self.plan.sampling
        return replace(ALTERNATIVES, seed=sampling.seed) if index and sampling.greedy else sampling

    def _collect(
        self,
        events: Iterator[Event],
        start: float,
        on_token: Callable[[bytes], None] | None,
        *,
        at_once: bool = False,
    ) -> Iterator[Suggestion]:
        """The suggestions of one decoding; only the first one's tokens are passed on as they come."""
        at_once = at_once or self.plan.pipeline.method.metadata.all_texts
        tokens: list[TokenEvent] = []
        began = first = time.perf_counter()
        pauses = 0
        for event in events:
            if isinstance(event, FinishedEvent):
                yield self._suggestion(event, tokens, first - start, time.perf_counter() - began, pauses)
                tokens, pauses, on_token = [], 0, None
            elif isinstance(event, PausedEvent):
                pauses += 1
            else:
                # What writes all texts in one go gives their tokens at the end: its time is that of all of it.
                if not tokens and not at_once:
                    first = time.perf_counter()
                tokens.append(event)
                if on_token:
                    on_token(event.data)

    def _suggestion(
        self, end: FinishedEvent, tokens: list[TokenEvent], ttft_s: float, decode_s: float, pauses: int
    ) -> Suggestion:
        fitted = self.place.fitted(end)
        return Suggestion(
            text=fitted.text,
            start=self.plan.offset,
            end=self.plan.offset + fitted.covers,
            score=sum(t.logprob for t in tokens) / len(tokens) if tokens else 0.0,
            token_ids=tuple(t.id for t in tokens),
            finish=end.reason,
            layout=self.prompt.layout,
            cache_exact=self.cache_exact,
            pauses=pauses,
            written=end.text,
            steps=steps_of(tokens, len(self.prompt.typed.encode())),
            timings=Timings(
                prompt_tokens=self.prompt_tokens,
                reused_tokens=self.reused,
                prompt_s=self.encoded - self.began,
                ttft_s=ttft_s,
                decode_s=decode_s,
                tokens_per_s=(len(tokens) - 1) / decode_s if len(tokens) > 1 else 0.0,
            ),
        )


def steps_of(tokens: Sequence[TokenEvent], skip: int) -> tuple[Step, ...]:
    """How far the text after the cursor reaches with each token; its first bytes are before the cursor already."""
    ends = accumulate(len(token.data) for token in tokens)
    data = b"".join(token.data for token in tokens)
    lengths = (len(data[skip : max(skip, end)].decode(errors="ignore")) for end in ends)
    return tuple(Step(length, token.logprob) for length, token in zip(lengths, tokens, strict=True))
