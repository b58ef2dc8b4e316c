"""From a cursor to suggestions: the one path that the command line, the server and the evaluation take."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import chain, count
from pathlib import Path
from typing import Literal, cast

import torch

from guiderail.cache.live import FitReport
from guiderail.cache.policy import Policy
from guiderail.cache.pool import CachePool
from guiderail.decoding.abreast import Draw, draw
from guiderail.decoding.constraint import Constraint
from guiderail.decoding.draft import Drafter
from guiderail.decoding.drafting import Drafting
from guiderail.decoding.healing import TypedText
from guiderail.decoding.method import Event, Finish, FinishedEvent, Method, PausedEvent, Request, TokenEvent
from guiderail.decoding.part import Situation
from guiderail.decoding.plain import PlainPart
from guiderail.decoding.price import Prices, prices_of
from guiderail.decoding.recipe import PLAIN, Recipe
from guiderail.decoding.sampling import Chooser, Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.stage import LogitsStage
from guiderail.decoding.stages.ngram_counts import NgramCounts
from guiderail.decoding.stops import Until, stop_rule
from guiderail.decoding.vocabulary import Vocabulary
from guiderail.errors import UsageError
from guiderail.model.model import Model
from guiderail.monitors.joint import JointMonitors
from guiderail.monitors.monitors import Monitors
from guiderail.monitors.report import MonitorReport
from guiderail.monitors.verdict import Change, Inspector, Verdict
from guiderail.prompt.prompt import Prompt, build_prompt
from guiderail.prompt.snippet import Snippet
from guiderail.text.document import Document

Layout = Literal["auto", "psm", "spm", "efim", "prefix"]

# Further suggestions of a greedy request are drawn like this: the spread that Tabby and MGD's evaluation use.
ALTERNATIVES = Sampling(temperature=0.8, top_p=0.95)
COUNTED = 16384  # lines whose token counts are kept
LINE = 200  # characters; longer texts are counted anew, so that what is kept stays small
UNFINISHED = frozenset({"length", "cancelled"})  # ends of a text that was cut: it may be right and look wrong
_BARE_NEWLINE = re.compile(r"(?<!\r)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """A cursor, and what is wanted there.

    Parameters
    ----------
    document, offset
        The text and the cursor in it, in code points.
    snippets
        Text from other files (`guiderail.prompt.context.gather`).
    root
        The project's root; it names the repository and the file in the prompt.
    until
        Where a suggestion ends: with the line, the block, or the token budget.
    max_tokens
        Tokens of one suggestion at most, the half-typed word included.
    n
        Suggestions at most; fewer come when the model writes the same twice and they must be `distinct`. With greedy
        sampling the first is greedy and the others are drawn (`ALTERNATIVES`).
    sampling
        How tokens are chosen.
    layout
        Order of the prompt; "auto" takes the model's best.
    heal
        Whether a half-typed word is completed as one.
    end_loops
        Whether a suggestion that goes round in circles ends behind the first.
    distinct
        Whether suggestions must differ from each other; if not, draws are independent.
    stages
        Changes of the scores that come before the recipe's.
    monitors
        What forbids names that do not exist; none by default.
    file
        Names the file whose cache is to be used; by default its path.
    recipe
        The method, and the stages, constraints and drafters that were chosen with it; plain decoding by default.
    project
        The ids and counts of the project's other files, for drafters and methods that read them.
    inspector
        Who gives a verdict on each suggestion; nobody by default.
    """

    document: Document
    offset: int
    snippets: Sequence[Snippet] = ()
    root: Path | None = None
    until: Until = "line"
    max_tokens: int = 64
    n: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    layout: Layout = "auto"
    heal: bool = True
    end_loops: bool = False
    distinct: bool = True
    stages: Sequence[LogitsStage] = ()
    monitors: Monitors | None = None
    file: str | None = None
    recipe: Recipe = PLAIN
    project: NgramCounts | None = None
    inspector: Inspector | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """How long a suggestion took; seconds.

    `prompt_tokens` is the prompt's length, `reused_tokens` how many of them were encoded before; `ttft_s` is from the
    request to the first token of this suggestion, `decode_s` all that came behind the prompt's encoding: tokens may
    come together, at the end of a pass or of a wait for an analyser. `tokens_per_s` counts those behind the first,
    whose scores come with the prompt.
    """

    prompt_tokens: int
    reused_tokens: int
    prompt_s: float
    ttft_s: float
    decode_s: float
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text for the editor.

    Parameters
    ----------
    text
        What to insert in place of [start, end) of the document (code points).
    score
        Mean log-probability of its tokens under the model.
    token_ids
        The tokens decoded, the half-typed word's included.
    finish
        Why it ends: "line", "block", "length", "eos" or "cancelled".
    layout
        Order of the prompt it was decoded from.
    cache_exact
        Whether the prompt's keys and values were those of a full encoding; else some were patched (`LiveCache`).
    monitored
        What the monitors did; None where nobody could be asked.
    passes
        Forward passes that decoding took behind the prompt's; of texts that were written in one go, all of them.
    pauses
        How often decoding paused to compare candidates (`PausedEvent`).
    verdict
        Whether the file with it has errors that it has not without; None where nobody was asked.
    """

    text: str
    start: int
    end: int
    score: float
    token_ids: tuple[int, ...]
    finish: Finish
    layout: str
    timings: Timings
    cache_exact: bool = True
    monitored: MonitorReport | None = None
    passes: int = 0
    pauses: int = 0
    verdict: Verdict | None = None


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
        self.store: dict[object, object] = {}  # what methods and drafters keep between requests (`Situation.kept`)
        self._count_line = lru_cache(COUNTED)(lambda text: len(model.tokenizer.encode(text)))

    def complete(
        self,
        request: CompletionRequest,
        *,
        cancelled: Callable[[], bool] = lambda: False,
        on_token: Callable[[bytes], None] | None = None,
    ) -> list[Suggestion]:
        """Suggestions for `request`, the first one first; fewer, and the last one cut short, once `cancelled`.

        Raises
        ------
        UsageError
            If the cursor's line, or the tokens to be written, do not fit the model's context.
        """
        began = time.perf_counter()
        prompt = self.prompt(request)
        # Asked before the prompt is encoded: the analyser answers meanwhile.
        monitors = _monitors(request, prompt)
        logits = self.session.fit(self._opened(request, prompt), cancelled=cancelled)
        if logits is None:
            return []
        run = _Run(self, request, prompt, logits, began, monitors)
        return _judged(request, run.suggestions(cancelled, on_token), cancelled)

    def encode(self, request: CompletionRequest) -> FitReport:
        """Encode the prompt of `request`; what that took."""
        self.session.fit(self._opened(request, self.prompt(request)))
        assert self.session.report is not None, "fit makes one"
        return self.session.report

    def prepare(self, request: CompletionRequest, prompt: Prompt, *, cancelled: Callable[[], bool]) -> None:
        """Encode the prompt of `request`, so that `complete` only decodes; make it exact in the time that is left."""
        ids = self._opened(request, prompt)
        if self.session.ids[: len(ids)] != ids:
            self.session.fit(ids, cancelled=cancelled)
        if not cancelled():
            self.heal(cancelled=cancelled)

    def _opened(self, request: CompletionRequest, prompt: Prompt) -> list[int]:
        """The ids of a prompt, with its file's cache in use."""
        ids = self.model.tokenizer.encode_prompt(prompt)
        self.pool.open(request.file or request.document.path, ids)
        return ids

    def warm(self, recipe: Recipe) -> None:
        """Measure now what a recipe's drafters have to know of this device, and not while somebody waits."""
        if recipe.drafters and Prices not in self.store:
            self.store[Prices] = prices_of(self.model)

    def show(self, request: CompletionRequest) -> None:
        """Have the drafters read the prompt that was encoded, and the project, before a request waits for that."""
        for part in request.recipe.drafters:
            if part in self.store:  # else no request came yet
                cast(Drafter, self.store[part]).begin(self.session.ids, request.project)

    def heal(self, *, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Use idle time to make a patched cache exact; whether it is. Stops between two chunks once `cancelled`."""
        self.session.cache.heal(cancelled=cancelled)
        return self.session.cache.is_exact

    def count(self, text: str) -> int:
        """Tokens of a plain text; laying out a prompt counts the same lines again at every key stroke."""
        return self._count_line(text) if len(text) <= LINE else len(self.model.tokenizer.encode(text))

    def prompt(self, request: CompletionRequest) -> Prompt:
        """The prompt for `request`."""
        info = self.model.info
        budget = min(self.prompt_tokens, info.context_length - request.max_tokens)
        if budget < 1:
            raise UsageError(
                f"{request.max_tokens} tokens to write leave no room for a prompt in {info.name}",
                f"Its context holds {info.context_length}: ask for fewer",
            )
        return build_prompt(
            request.document,
            request.offset,
            request.snippets,
            info.fim,
            layout=self._layout(request.layout),
            budget=budget,
            count=self.count,
            heal=request.heal,
            root=request.root,
            joins=self.model.tokenizer.joined_blanks,
        )

    def _layout(self, wanted: Layout) -> Literal["psm", "spm", "efim", "prefix"]:
        if wanted != "auto":
            return wanted
        fim = self.model.info.fim
        return fim.preferred if fim else "prefix"


def _judged(request: CompletionRequest, found: list[Suggestion], cancelled: Callable[[], bool]) -> list[Suggestion]:
    """The suggestions with their verdicts, those that bring errors last, or left out if the inspector drops them."""
    inspector = request.inspector
    if inspector is None or not found or cancelled():
        return found
    changes = [Change(one.start, one.end, one.text, one.finish not in UNFINISHED) for one in found]
    verdicts = inspector.inspect(request.document, changes, request.root, cancelled)
    judged = [replace(one, verdict=verdict) for one, verdict in zip(found, verdicts, strict=True)]
    wrong = [one for one, verdict in zip(judged, verdicts, strict=True) if verdict.state == "errors"]
    return [one for one in judged if one not in wrong] + ([] if inspector.drops else wrong)


def _monitors(request: CompletionRequest, prompt: Prompt) -> Iterator[JointMonitors | None]:
    """The monitors of each suggestion, those of the first at work already; None where nobody can be asked."""
    watch = None
    if request.monitors is not None:
        watch = request.monitors.watch(request.document, request.offset, request.root, prompt.typed)
    first = watch() if watch else None
    return chain([first], (watch() if watch else None for _ in count()))


@dataclass(frozen=True, slots=True)
class _Text:
    """What writes one text, or all of them with a method that does."""

    method: Method
    plan: Request
    constraints: Sequence[Constraint]
    monitor: JointMonitors | None


class _Run:
    """One request being answered: every suggestion starts behind the same encoded prompt, of which no copy is made."""

    def __init__(
        self,
        completer: Completer,
        request: CompletionRequest,
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
        """Up to `n` suggestions; one that repeats an earlier one is written again, once each, if they must differ."""
        found: list[Suggestion] = []
        index, wanted = 0, self.request.n
        while index < self._most and len(found) < wanted and not (index and cancelled()):
            count = min(self._abreast(index, on_token), wanted - len(found), self._most - index)
            for suggestion in self._write(range(index, index + count), cancelled, None if index else on_token):
                is_new = not self.request.distinct or suggestion.text not in {s.text for s in found}
                if is_new and len(found) < wanted:
                    found.append(suggestion)
            index += count
        return found

    @property
    def _most(self) -> int:
        """How often a text is written at most, for as many suggestions as are wanted."""
        if self.request.recipe.method.about.all_texts:
            return 1
        return 2 * self.request.n - 1 if self.request.distinct else self.request.n

    def _abreast(self, index: int, on_token: Callable[[bytes], None] | None) -> int:
        """How many texts may be written at once from this one on.

        What is drawn plainly shares its passes. A first text that somebody waits for, or that drafts can shorten, goes
        alone.
        """
        alone = index == 0 and (on_token is not None or self.request.sampling.greedy)
        return self.request.n if isinstance(self.request.recipe.method, PlainPart) and not alone else 1

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
        return [replace(s, monitored=report, passes=passes) for s, report in zip(found, reports, strict=True)]

    def _drawn(self, indices: Sequence[int], texts: Sequence[_Text]) -> Iterator[Event]:
        """The events of texts that are drawn side by side, one text after the other."""
        choosers = [Chooser(self._sampling(index), index) for index in indices]
        ids = self.session.ids
        draws = [
            Draw(text.plan, text.constraints, chooser, ids, self.logits)
            for text, chooser in zip(texts, choosers, strict=True)
        ]
        draw(self.session, draws, texts[0].plan.cancelled)
        for one in draws:
            yield from one.events()

    def _text(self, index: int, cancelled: Callable[[], bool]) -> _Text:
        request, typed = self.request, self.prompt.typed.encode()
        line, _ = request.document.position_at(request.offset)
        before = request.document.text[request.document.line_start(line) : request.offset]
        method, stages, chosen = request.recipe.build(self._situation(index))
        plan = Request(
            token_bytes=self.tokenizer.token_bytes,
            stop=stop_rule(request.until, before),
            stop_reason=request.until,
            skip=len(typed),
            max_tokens=request.max_tokens,
            n=request.n,
            end_loops=request.end_loops,
            stages=[*request.stages, *stages],
            cancelled=cancelled,
        )
        constraints: list[Constraint] = []
        if typed:
            constraints.append(TypedText(self.vocabulary, self.tokenizer.token_bytes, typed))
        constraints += chosen
        monitor = next(self.monitors)
        if monitor:
            constraints.append(monitor)
        return _Text(method, plan, constraints, monitor)

    def _situation(self, index: int) -> Situation:
        request, completer = self.request, self.completer
        situation = Situation(
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
        if not request.recipe.drafters:
            return situation
        # A drafter is kept from request to request; this one's project is told when it begins.
        drafters = [situation.kept(part, partial(part.build, situation)) for part in request.recipe.drafters]
        prices = situation.kept(Prices, lambda: prices_of(completer.model))
        return replace(situation, drafting=Drafting(drafters, prices, request.project))

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
        at_once = at_once or self.request.recipe.method.about.all_texts
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
        return Suggestion(
            text=_line_ends_of(self.request.document, end.text),
            start=self.request.offset,
            end=self.request.offset,
            score=sum(t.logprob for t in tokens) / len(tokens) if tokens else 0.0,
            token_ids=tuple(t.id for t in tokens),
            finish=end.reason,
            layout=self.prompt.layout,
            cache_exact=self.cache_exact,
            pauses=pauses,
            timings=Timings(
                prompt_tokens=self.prompt_tokens,
                reused_tokens=self.reused,
                prompt_s=self.encoded - self.began,
                ttft_s=ttft_s,
                decode_s=decode_s,
                tokens_per_s=(len(tokens) - 1) / decode_s if len(tokens) > 1 else 0.0,
            ),
        )


def _line_ends_of(document: Document, text: str) -> str:
    """`text` with the line ends of the document's first line, so that a file never mixes them."""
    first = document.text[: document.line_start(1)] if document.line_count > 1 else ""
    return _BARE_NEWLINE.sub("\r\n", text) if first.endswith("\r\n") else text
