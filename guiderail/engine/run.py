"""One request being answered, after its encoded prompt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import torch

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.typed_text import TypedText
from guiderail.decoding.drafting.pass_cost import PassCosts, pass_costs_of
from guiderail.decoding.drafting.selector import DraftSelector
from guiderail.decoding.following import REACH, following, open_text
from guiderail.decoding.method import Event, FinishedEvent, Method, PausedEvent, Request, TokenEvent
from guiderail.decoding.methods.batch_sampling import SampledText, sample_batch
from guiderail.decoding.methods.plain import PlainSpec
from guiderail.decoding.sampling import Chooser, Sampling
from guiderail.decoding.spec import BuildContext
from guiderail.decoding.stops import StopRule, stop_rule
from guiderail.engine.plan import ALTERNATIVES, CompletionPlan
from guiderail.engine.suggestion import Suggestion, Timings
from guiderail.monitors.joint import JointMonitors
from guiderail.prompt.prompt import Prompt
from guiderail.prompt.snippet import Snippet
from guiderail.text.backwards import lines_above
from guiderail.text.document import Document
from guiderail.text.fitting import Shaped, at_depth, may_indent, shape

if TYPE_CHECKING:
    from guiderail.engine.completer import Completer

WIDEST = 16  # texts that are written at once: all their keys and values are held, and read at every step
LINE = 20_000  # characters before the cursor in which a quote may have been opened


@dataclass(frozen=True, slots=True)
class _Text:
    """What writes one text, or all of them with a method that does."""

    method: Method
    plan: Request
    constraints: Sequence[Constraint]
    monitor: JointMonitors | None


class Run:
    """One request being answered: every suggestion starts after the same encoded prompt, of which no copy is made."""

    def __init__(
        self,
        completer: Completer,
        request: CompletionPlan,
        prompt: Prompt,
        logits: torch.Tensor,
        began: float,
        monitors: Iterator[JointMonitors | None],
    ) -> None:
        self.monitors = monitors
        self.completer = completer
        self.session = completer.session
        self.tokenizer = completer.model.tokenizer
        self.vocabulary = completer.vocabulary
        self.request = request
        self.prompt = prompt
        self.logits = logits
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
        index, wanted = 0, self.request.n
        while index < self._most and len(found) < wanted and not (index and cancelled()):
            count = min(self._abreast(index, on_token), wanted - len(found), self._most - index)
            for suggestion in self._write(range(index, index + count), cancelled, None if index else on_token):
                is_new = not self.request.distinct or suggestion.text not in {s.text for s in found}
                if is_new and (self.request.spare or len(found) < wanted):
                    found.append(suggestion)
            index += count
        return found

    @property
    def _most(self) -> int:
        """How often a text is written at most, for as many suggestions as are wanted."""
        if self.request.pipeline.method.metadata.all_texts:
            return 1
        return 2 * self.request.n - 1 if self.request.distinct else self.request.n

    def _abreast(self, index: int, on_token: Callable[[bytes], None] | None) -> int:
        """How many texts may be written at once from this one on.

        What is drawn plainly shares its passes. A first text that somebody waits for, or that drafts can shorten, goes
        alone.
        """
        request, pipeline = self.request, self.request.pipeline
        alone = index == 0 and (on_token is not None or request.sampling.greedy)
        drafted = bool(pipeline.drafters) and not request.distinct  # who measures draws with drafts is to get them
        apart = alone or drafted or any(part.metadata.one_by_one for part in pipeline.stages)
        return 1 if apart or not isinstance(pipeline.method, PlainSpec) else min(request.n, WIDEST)

    def _write(
        self, indices: Sequence[int], cancelled: Callable[[], bool], on_token: Callable[[bytes], None] | None
    ) -> list[Suggestion]:
        texts = [self._text(index, cancelled) for index in indices]
        start, passes = time.perf_counter() if indices[0] else self.began, self.session.passes
        try:
            if len(texts) == 1:
                events = texts[0].method.decode(self.session, self.logits, texts[0].plan, texts[0].constraints)
                found = list(self._collect(events, start, on_token))
            else:
                found = list(self._collect(self._drawn(indices, texts), start, None, at_once=True))
        finally:
            self.session.rollback(self.session.length - self.prompt_tokens)
        passes = self.session.passes - passes
        # A method that writes all texts has one set of monitors for all of them.
        watched = [text.monitor for text in texts] * (len(found) if len(texts) == 1 else 1)
        reports = [monitor.report if monitor else None for monitor in watched]
        return [
            replace(suggestion, monitored=report, passes=passes, shared_by=len(found))
            for suggestion, report in zip(found, reports, strict=True)
        ]

    def _drawn(self, indices: Sequence[int], texts: Sequence[_Text]) -> Iterator[Event]:
        """The events of texts that are drawn side by side, one text after the other."""
        choosers = [Chooser(self._sampling(index), index) for index in indices]
        ids = self.session.ids
        draws = [
            SampledText(text.plan, text.constraints, chooser, ids, self.logits)
            for text, chooser in zip(texts, choosers, strict=True)
        ]
        sample_batch(self.session, draws, texts[0].plan.cancelled)
        for one in draws:
            yield from one.events()

    def _text(self, index: int, cancelled: Callable[[], bool]) -> _Text:
        request, typed = self.request, self.prompt.typed.encode()
        method, stages, chosen = request.pipeline.build(self._build_context(index))
        plan = Request(
            token_bytes=self.tokenizer.token_bytes,
            stop=self._stop,
            stop_reason=request.until,
            skip=len(typed),
            max_tokens=request.max_tokens,
            n=request.n,
            spare=request.spare,
            end_loops=request.end_loops,
            stages=[*request.stages, *stages],
            cancelled=cancelled,
        )
        first = TypedText(self.vocabulary, self.tokenizer.token_bytes, typed, may_indent=self._may_indent)
        constraints = [*([] if first.is_satisfied else [first]), *chosen]
        monitor = next(self.monitors)
        if monitor:
            constraints.append(monitor)
        return _Text(method, plan, constraints, monitor)

    @cached_property
    def _before(self) -> str:
        """The cursor's line up to the cursor."""
        line, _ = self.request.document.position_at(self.request.offset)
        return self.request.document.text[self.request.document.line_start(line) : self.request.offset]

    @property
    def _above(self) -> str:
        """The last line above the cursor's that is not blank."""
        text, start = self.request.document.text, self.request.offset - len(self._before)
        return next((line for line in lines_above(text, start) if line.strip()), "")

    def _after(self, size: int) -> str:
        """What stands after the cursor: its line's rest, or so many characters if these are more, and some blanks."""
        document, offset = self.request.document, self.request.offset
        line, _ = document.position_at(offset)
        return document.text[offset : max(document.line_end(line), offset + size) + REACH]

    @cached_property
    def _stop(self) -> StopRule:
        document, rule = self.request.document, stop_rule(self.request.until, self._before)
        if not self.request.fit:
            return rule
        quote = open_text(document.text, self.request.offset)
        return following(rule, self._before, self._after(0), document.language, quote)

    def _fitted(self, end: FinishedEvent) -> Shaped:
        """The text that is suggested, and how much after the cursor it replaces."""
        text = end.text
        if not self.request.fit:
            return Shaped(text)
        if end.reason == "eos" and (cut := self._stop.end(f"{text}\n")) is not None:
            text = text[:cut]  # its last line has ended too
        if not self._may_indent:
            text = at_depth(text, self._before, self._above)
        return shape(text, self._before[-LINE:], self._after(len(text))) or Shaped("")

    @cached_property
    def _may_indent(self) -> bool:
        """Whether blanks may come next."""
        if not self.request.fit or self.request.document.language != "python":
            return True  # in YAML, say, the depth is the meaning
        return may_indent(self._before, self._above)

    def _build_context(self, index: int) -> BuildContext:
        request, completer = self.request, self.completer
        context = BuildContext(
            model=completer.model,
            vocabulary=self.vocabulary,
            sampling=self._sampling(index),
            index=index,
            document=request.document,
            offset=request.offset,
            root=request.root,
            snippets=request.snippets,
            typed=self.prompt.typed,
            prompt=self.session.ids,
            encode=self._encode,
            project=request.project,
            store=completer.store,
        )
        if not request.pipeline.drafters:
            return context
        # A drafter is kept from request to request; this one's project is told when it begins.
        drafters = [context.kept(part, partial(part.build, context)) for part in request.pipeline.drafters]
        prices = context.kept(PassCosts, lambda: pass_costs_of(completer.model))
        return replace(context, drafting=DraftSelector(drafters, prices, request.project))

    def _encode(self, document: Document, offset: int, snippets: Sequence[Snippet]) -> list[int]:
        prompt = self.completer.prompt(replace(self.request, document=document, offset=offset, snippets=snippets))
        return self.tokenizer.encode_prompt(prompt)

    def _sampling(self, index: int) -> Sampling:
        sampling = self.request.sampling
        return replace(ALTERNATIVES, seed=sampling.seed) if index and sampling.greedy else sampling

    def _collect(
        self,
        events: Iterator[Event],
        start: float,
        on_token: Callable[[bytes], None] | None,
        *,
        at_once: bool = False,
    ) -> Iterator[Suggestion]:
        """The texts of one decoding; only the first one's tokens are told as they come."""
        at_once = at_once or self.request.pipeline.method.metadata.all_texts
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
        fitted = self._fitted(end)
        return Suggestion(
            text=fitted.text,
            start=self.request.offset,
            end=self.request.offset + fitted.covers,
            score=sum(t.logprob for t in tokens) / len(tokens) if tokens else 0.0,
            token_ids=tuple(t.id for t in tokens),
            finish=end.reason,
            layout=self.prompt.layout,
            cache_exact=self.cache_exact,
            pauses=pauses,
            written=end.text,
            timings=Timings(
                prompt_tokens=self.prompt_tokens,
                reused_tokens=self.reused,
                prompt_s=self.encoded - self.began,
                ttft_s=ttft_s,
                decode_s=decode_s,
                tokens_per_s=(len(tokens) - 1) / decode_s if len(tokens) > 1 else 0.0,
            ),
        )
