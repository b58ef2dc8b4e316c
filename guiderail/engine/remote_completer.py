"""From a plan to suggestions by a model server: `Completer` for a model that runs elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from guiderail.decoding.method import DecodeRequest, FinishedEvent, TokenEvent
from guiderail.decoding.methods.plain import PlainSpec
from guiderail.decoding.pipeline import Pipeline
from guiderail.engine.plan import ALTERNATIVES, CompletionPlan
from guiderail.engine.prompt_builder import PromptBuilder
from guiderail.engine.run import steps_of
from guiderail.engine.suggestion import Suggestion, Timings
from guiderail.engine.surroundings import Surroundings
from guiderail.errors import UsageError
from guiderail.monitors.joint import JointMonitors
from guiderail.monitors.report import MonitorReport
from guiderail.prompt.prompt import Prompt, lone_space
from guiderail.remote.byte_walk import ByteWalk
from guiderail.remote.decoder import RemoteDecoder
from guiderail.remote.language import BYTE_VOCABULARY
from guiderail.remote.model import RemoteModel
from guiderail.remote.prompt_text import parts_of


class RemotePrompts(PromptBuilder):
    """Builds prompts for a model whose tokenizer is elsewhere: lengths are estimated from the server's own tokens."""

    def __init__(self, model: RemoteModel, prompt_tokens: int) -> None:
        super().__init__(model, prompt_tokens)
        self._server = model.server

    def count(self, text: str) -> int:
        """About how many tokens a text has."""
        return math.ceil(len(text.encode(errors="replace")) / self._server.tokens.size)

    def build(self, plan: CompletionPlan) -> Prompt:
        """The prompt for a plan; a half-typed word is written again only where the server can be made to."""
        return super().build(replace(plan, heal=plan.heal and self._server.constrains))

    def typed(self, plan: CompletionPlan) -> str:
        """See `PromptBuilder.typed`."""
        return super().typed(replace(plan, heal=plan.heal and self._server.constrains))

    def joins(self, before: str) -> int:
        """The blanks that share a token with a word after them."""
        return int(before.endswith((" ", "\t"))) if self._server.tokens.joins_indent else lone_space(before)


class RemoteCompleter:
    """Completes at a model server; see `Completer`. The keys and values of prompts are the server's business.

    Parameters
    ----------
    model
        The model.
    prompt_tokens
        Tokens of a prompt at most, by estimate.
    """

    is_remote = True

    def __init__(self, model: RemoteModel, *, prompt_tokens: int = 2048) -> None:
        self.model = model
        self.prompts = RemotePrompts(model, prompt_tokens)
        self.vocabulary = BYTE_VOCABULARY  # monitors judge what the server writes byte by byte

    @property
    def has_monitors(self) -> bool:
        """Whether the server can be told what is legal."""
        return self.model.server.constrains

    def complete(
        self,
        plan: CompletionPlan,
        *,
        cancelled: Callable[[], bool] = lambda: False,
        on_token: Callable[[bytes], None] | None = None,
    ) -> list[Suggestion]:
        """Suggestions for a plan; see `Completer.complete`.

        Raises
        ------
        UsageError
            The plan needs the model's scores, or does not fit its context.
        RemoteError
            The server gives no usable answer.
        """
        check(plan.pipeline, stages=bool(plan.stages))
        prompt = self.prompts.build(plan)
        watch = plan.monitors.watch(plan.document, plan.offset, plan.root, prompt.typed) if plan.monitors else None
        found: list[Suggestion] = []
        for index in range(2 * plan.n - 1 if plan.distinct else plan.n):
            if len(found) == plan.n or (index and cancelled()):
                break
            text = _RemoteText(self.model, plan, prompt, index, watch() if watch else None)
            suggestion = text.suggestion(cancelled, None if index else on_token, self.prompts.count)
            if not plan.distinct or suggestion.text not in {one.text for one in found}:
                found.append(suggestion)
        return found

    def forget(self, name: object) -> None:
        """Nothing is kept of a document."""

    def prepare(self, plan: CompletionPlan, prompt: Prompt, *, cancelled: Callable[[], bool]) -> None:
        """Nothing: a server that others use too is not asked in idle time."""

    def warm(self, pipeline: Pipeline, *, wait: bool) -> None:
        """Refuse a pipeline that needs the model's scores; raises UsageError."""
        check(pipeline)

    def prime_drafters(self, plan: CompletionPlan) -> None:
        """Nothing: a server drafts by itself, or does not."""


def check(pipeline: Pipeline, *, stages: bool = False) -> None:
    """Raise for what needs the scores of every token, which servers do not give.

    Raises
    ------
    UsageError
        The pipeline has more than plain decoding. Drafters, which change speed alone, are passed over.
    """
    if stages or pipeline.stages or pipeline.constraints or not isinstance(pipeline.method, PlainSpec):
        raise UsageError("a model server decodes plainly, without methods, stages or constraints", "Use --method plain")


class _RemoteText:
    """One text of a plan.

    Parameters
    ----------
    index
        Which one; further ones of a greedy plan are drawn.
    """

    def __init__(
        self, model: RemoteModel, plan: CompletionPlan, prompt: Prompt, index: int, monitor: JointMonitors | None
    ) -> None:
        self._model = model
        self._plan = plan
        self._prompt = prompt
        self._monitor = monitor
        self._blame = _Blame(monitor) if monitor else None
        self._place = Surroundings(plan)
        sampling = plan.sampling
        self._sampling = replace(ALTERNATIVES, seed=sampling.seed) if index and sampling.greedy else sampling
        self._sampling = replace(self._sampling, seed=self._sampling.seed + index)

    def suggestion(
        self,
        cancelled: Callable[[], bool],
        on_token: Callable[[bytes], None] | None,
        count: Callable[[str], int],
    ) -> Suggestion:
        """Decode it."""
        began = first = time.perf_counter()
        decoder, tokens = self._decoder(cancelled), list[TokenEvent]()
        finished = FinishedEvent("cancelled", "")
        for event in decoder.events():
            if isinstance(event, FinishedEvent):
                finished = event
            elif isinstance(event, TokenEvent):
                first = first if tokens else time.perf_counter()
                tokens.append(event)
                if on_token:
                    on_token(event.data)
        prompt_tokens = decoder.end.prompt_tokens or sum(map(count, parts_of(self._prompt)))
        decode_s = time.perf_counter() - first
        timings = Timings(
            prompt_tokens=prompt_tokens,
            reused_tokens=decoder.end.reused_tokens,
            prompt_s=first - began,
            ttft_s=first - began,
            decode_s=decode_s,
            tokens_per_s=(len(tokens) - 1) / decode_s if len(tokens) > 1 else 0.0,
        )
        return self._made(finished, tokens, timings, decoder)

    def _made(
        self, end: FinishedEvent, tokens: Sequence[TokenEvent], timings: Timings, decoder: RemoteDecoder
    ) -> Suggestion:
        fitted = self._place.fitted(end)
        return Suggestion(
            text=fitted.text,
            start=self._plan.offset,
            end=self._plan.offset + fitted.covers,
            score=sum(token.logprob for token in tokens) / len(tokens) if tokens else 0.0,
            token_ids=tuple(token.id for token in tokens),
            finish=end.reason,
            layout=self._prompt.layout,
            timings=timings,
            monitored=self._blame.report(decoder.refused) if self._blame else None,
            passes=decoder.requests,
            written=end.text,
            steps=steps_of(tokens, len(self._prompt.typed.encode())),
        )

    def _decoder(self, cancelled: Callable[[], bool]) -> RemoteDecoder:
        plan, typed = self._plan, self._prompt.typed
        request = DecodeRequest(
            token_bytes=(),
            stop=self._place.stop,
            stop_reason=plan.until,
            skip=len(typed.encode()),
            max_tokens=plan.max_tokens,
            end_loops=plan.end_loops,
            cancelled=cancelled,
        )
        if not self._model.server.constrains:
            walk = ByteWalk()
        else:
            may_indent, blame = self._place.may_indent, self._blame or (lambda _: None)
            walk = ByteWalk(typed.encode(), may_indent=may_indent, monitor=self._monitor, refused=blame)
        return RemoteDecoder(self._model.server, self._prompt, request, self._sampling, walk)


class _Blame:
    """Remembers which triggers forbade something: of what is taken back, a report says nothing."""

    def __init__(self, monitor: JointMonitors) -> None:
        self._monitor = monitor
        self._found: list[frozenset[tuple[str, str]]] = []

    def __call__(self, length: int) -> None:
        """A byte was refused after so many."""
        watches = self._monitor.report.watches
        self._found.append(frozenset((one.monitor, one.receiver) for one in watches if length in one.at))

    def report(self, refused: Sequence[tuple[bytes, int]]) -> MonitorReport:
        """The report of the monitors, with the pieces that were refused in place of their bytes."""
        report = self._monitor.report
        for one in report.watches:
            key = (one.monitor, one.receiver)
            mine = [pair for pair, keys in zip(refused, self._found, strict=False) if key in keys]
            one.forbidden = [data.decode(errors="replace") for data, _ in mine]
            one.at = [count for _, count in mine]
        return report
