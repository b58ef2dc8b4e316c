"""The completion service: the command line, the language server and the evaluation all complete through it."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

from guiderail.engine.analysers import AnalyserPools
from guiderail.engine.completion import Completion
from guiderail.engine.context import ContextChooser, code_in
from guiderail.engine.errors import ElsewhereError, NotLoadedError
from guiderail.engine.line_ends import with_line_ends_of, with_line_feeds
from guiderail.engine.open_projects import OpenProjects
from guiderail.engine.time_limits import WAITING, TimeLimits
from guiderail.lru import LruCache

if TYPE_CHECKING:
    from guiderail.cache.live import LiveCache
    from guiderail.cache.report import FitReport
    from guiderail.decoding.pipeline import Pipeline
    from guiderail.engine.completer import Completer
    from guiderail.engine.judging import Judge
    from guiderail.engine.plan import CompletionPlan
    from guiderail.engine.project import OpenProject
    from guiderail.engine.remote_completer import RemoteCompleter
    from guiderail.engine.request import CompletionRequest, DocumentName
    from guiderail.engine.stream import TextStream
    from guiderail.model.model import Model
    from guiderail.monitors.analysis.analyser import Analyser
    from guiderail.monitors.analysis.pool import ServerPool
    from guiderail.monitors.monitors import Monitors
    from guiderail.prompt.snippet import Snippet
    from guiderail.remote.model import RemoteModel
    from guiderail.settings import Settings
    from guiderail.text.document import Document

log = logging.getLogger(__name__)

MONITORS = 4  # combinations of analysers and monitors that are kept
NEW_FILES, NEW_FILES_S = 1000, 0.02  # that analysers are told of at once, and seconds in which they are looked for
IDLE_S = 0.05  # for counting other files' n-grams, whenever there is nothing else to do
Cancelled = Callable[[], bool]


class Engine:
    """One model, and what is known of the projects that it completes in.

    Not safe for use by several threads at once, except where a method says so.

    Parameters
    ----------
    limits
        How long a completion may wait for others.
    analysers
        Pools of language servers that several engines share; by default this engine's own.
    stays
        Whether the model is going to stay for long: then it is left out of Python's garbage collections, which take a
        fifth of a second with a model's modules.

    Attributes
    ----------
    name, device
        Of the loaded model; "" without one.
    """

    def __init__(
        self, limits: TimeLimits = WAITING, *, analysers: AnalyserPools | None = None, stays: bool = False
    ) -> None:
        self.analysers = analysers or AnalyserPools()
        self._owns_analysers = analysers is None
        self.name = ""
        self.device = ""
        self._limits = limits
        self._stays = stays
        self._model: Model | RemoteModel | None = None
        self._completer: Completer | RemoteCompleter | None = None
        self._settings: Settings | None = None  # that the model was loaded with
        self._context: ContextChooser | None = None
        self._projects = OpenProjects()
        self._monitors: LruCache[tuple[ServerPool, str], Monitors] = LruCache(MONITORS)
        self._warned = False  # that a method runs at a person's word alone

    @property
    def model(self) -> Model:
        """The loaded model; raises NotLoadedError, and ElsewhereError where it runs elsewhere."""
        return self._local().model

    @property
    def described(self) -> Model | RemoteModel:
        """The loaded model, wherever it runs, for those who describe it; raises NotLoadedError."""
        return self._loaded().model

    @property
    def cache(self) -> LiveCache:
        """The keys and values of the last prompt; raises as `model` does."""
        return self._local().session.cache

    @property
    def report(self) -> FitReport:
        """How the cache was made to fit the last prompt."""
        report = self._local().session.report
        assert report is not None, "there was no completion yet"
        return report

    def load(self, settings: Settings, first: CompletionRequest | None = None) -> None:
        """Load the model that the settings name; an old one is dropped first, so that two never share the memory.

        Parameters
        ----------
        first
            A request that is going to come: its analyser starts while the model is loaded.

        Raises
        ------
        GuiderailError
            The model cannot be found or loaded, or the method of the settings does not suit it.
        """
        from guiderail.engine.choice import model_of
        from guiderail.model.garbage import gc_paused

        self.unload()
        with ExitStack() as started:
            if first is not None:
                started.callback(self.stop_analysers)
                self.analysers.start(settings, first.document, first.root)
            with gc_paused():  # what importing makes stays
                pipeline = _pipeline_of(settings)  # what does not compose is refused before anything is loaded
            self._model = model_of(settings, pipeline)
            self._settings = settings
            self._start()
            self.name, self.device = self._model.info.name, str(self._model.device)
            started.pop_all()  # nothing failed: the analysers go on

    def _start(self) -> None:
        from guiderail.engine.choice import completer_of

        assert self._model is not None and self._settings is not None
        settings = self._settings
        self._completer = completer_of(self._model, settings, self._limits.cache_policy(settings.cache_policy))
        self._context = ContextChooser(self._completer.prompts.count, self._limits.context_s)
        self._completer.warm(_pipeline_of(settings), wait=self._limits.waits_for_drafters)  # before it is waited for
        if self._stays:
            gc.collect()
            gc.freeze()

    def unload(self) -> None:
        """Unload the model and free its memory."""
        self._drop()
        had_model, self._model, self._settings = self._model is not None, None, None
        self.name = self.device = ""
        self.stop_analysers()
        if had_model:
            gc.collect()
            torch = sys.modules.get("torch")
            if torch is not None and torch.cuda.is_available():
                torch.cuda.empty_cache()

    def recover(self, settings: Settings | None = None) -> None:
        """Start afresh with the same model, for new settings if given: after a failure the cache may hold anything."""
        self._drop()
        gc.collect()
        self._settings = settings or self._settings
        if self._model is not None:
            self._start()

    def _drop(self) -> None:
        """Drop everything that depends on the model."""
        self._completer = self._context = None
        self._projects.clear()
        self._monitors.clear()
        if self._stays:
            gc.unfreeze()

    def _loaded(self) -> Completer | RemoteCompleter:
        if self._completer is None:
            raise NotLoadedError
        return self._completer

    def _local(self) -> Completer:
        completer = self._loaded()
        if completer.is_remote:
            raise ElsewhereError
        return cast("Completer", completer)

    def complete(
        self, request: CompletionRequest, cancelled: Cancelled = lambda: False, stream: TextStream | None = None
    ) -> Completion:
        """Suggestions for a request; few or none once `cancelled`.

        Parameters
        ----------
        stream
            Is given the first suggestion while it is being written.

        Raises
        ------
        GuiderailError
            No model is loaded, or the request does not fit it.
        """
        from guiderail.engine.gate import sift
        from guiderail.engine.leaks import without_secrets

        completer, plan = self._loaded(), self.plan(request)
        if stream is not None:
            stream.begin(completer.prompts.typed(plan))
        if cancelled():
            return Completion((), is_whole=False)
        found = completer.complete(plan, cancelled=cancelled, on_token=stream.add if stream else None)
        likely, unsure = sift(request, plan.document, found, self.described)
        shown, dropped = self._judge(request, plan).judge(likely, cancelled)
        kept, told = without_secrets(plan.document, shown), without_secrets(plan.document, [*unsure, *dropped])
        completion = Completion(
            [with_line_ends_of(request, one) for one in kept],
            [with_line_ends_of(request, one) for one in told],
            plan.snippets,
            withheld=len(shown) - len(kept),
            is_stand_in=plan.pipeline != _pipeline_of(request.settings),
            is_whole=not cancelled() and all(one.finish != "cancelled" for one in found),
        )
        for reason in completion.why_less:
            log.info("a suggestion is left out: %s", reason)
        return completion

    def prepare(self, request: CompletionRequest, cancelled: Cancelled = lambda: False) -> None:
        """Use idle time to do all that a request at this cursor would do before it decodes.

        Encodes the prompt, asks the analyser, counts n-grams; what the cache had patched on the way is made exact in
        the time that is left.
        """
        completer, plan = self._loaded(), self.plan(request, renew=True)
        if cancelled():
            return
        prompt = completer.prompts.build(plan)
        if plan.monitors:
            ask = plan.monitors.watch(plan.document, plan.offset, plan.root, prompt.typed)
            if ask:
                ask()  # the answer is kept, and nobody waits here
        completer.prepare(plan, prompt, cancelled=cancelled)
        if not cancelled():
            project = self._project(request)
            project.read(plan.document, IDLE_S, cancelled=cancelled)
            completer.prime_drafters(replace(plan, project=project.counts))

    def warm(self, request: CompletionRequest, cancelled: Cancelled = lambda: False) -> None:
        """Read in advance what the first request in a document needs, and start its analyser."""
        project = self._project(request)
        self._snippets(request, project, renew=False)
        monitors = self._monitors_of(request)
        if monitors:
            monitors.watch(request.document, request.offset, request.root)
        project.read(request.document, IDLE_S, cancelled=cancelled)

    def plan(self, request: CompletionRequest, *, renew: bool = False) -> CompletionPlan:
        """Make the plan of a request from its settings and its project.

        Parameters
        ----------
        renew
            Whether there is time to choose the context of an open document anew.
        """
        from guiderail.engine.plan import CompletionPlan, sampling_of

        settings, request = request.settings, with_line_feeds(request)
        project = self._project(request)
        return CompletionPlan(
            document=request.document,
            offset=request.offset,
            snippets=self._snippets(request, project, renew=renew),
            root=request.root,
            until=settings.until,
            max_tokens=settings.max_tokens,
            n=request.n,
            spare=request.distinct,
            end_loops=settings.end_loops,
            fit=True,
            distinct=request.distinct,
            layout=settings.layout,
            sampling=sampling_of(settings),
            monitors=self._monitors_of(request),
            file=request.name,
            pipeline=self._pipeline(request),
            stages=(*request.stages, *project.stages(request.document, self._limits.ngrams_s)),
            project=project.counts,
        )

    def typed(self, request: CompletionRequest) -> str:
        """The half-typed word before the cursor, which is decoded again and never shown."""
        from guiderail.engine.plan import CompletionPlan

        request = with_line_feeds(request)
        return self._loaded().prompts.typed(CompletionPlan(document=request.document, offset=request.offset))

    def _pipeline(self, request: CompletionRequest) -> Pipeline:
        """The pipeline of the settings; parts that run the project's code are left out unless a person asked."""
        pipeline = _pipeline_of(request.settings)
        if request.by_hand or not pipeline.runs_code:
            return pipeline
        if not self._warned:
            self._warned = True
            what = "%s runs the project's code: it is used when asked for by hand alone"
            log.warning(what, request.settings.method)
        return pipeline.without_code()

    def _project(self, request: CompletionRequest) -> OpenProject:
        """The open project of a request."""
        return self._projects.of(request.root, request.settings, self.described)

    def _snippets(self, request: CompletionRequest, project: OpenProject, *, renew: bool) -> tuple[Snippet, ...]:
        self._loaded()
        assert self._context is not None, "it comes with the model"
        snippets = tuple(self._context.snippets(request, project.index, renew=renew))
        log.debug("context from %s", ", ".join(snippet.path for snippet in snippets) or "no other file")
        return snippets

    def files_changed(self, *paths: Path) -> None:
        """Files changed: choose context again at the next request, and tell the analysers; thread-safe.

        Of a folder that is gone they are told which known files went with it, of one that is there what code is in it.
        """
        context = self._context  # another thread may drop it meanwhile
        if context is not None:
            context.files_changed()
        gone = [path for path in paths if not path.exists()]
        lost = self._projects.forget(gone)
        found = list(islice(code_in([path for path in paths if path.is_dir()], NEW_FILES_S), NEW_FILES))
        self.analysers.files_changed(list(dict.fromkeys([*paths, *lost, *found])))

    def knows(self, folder: Path) -> bool:
        """Whether a path is, or was, a folder of a project that is open; may be called from any thread."""
        return self._projects.knows(folder)

    def edited(self, name: DocumentName, document: Document | None) -> None:
        """Let analysers see what an open document holds; None once it was saved or closed. From any thread."""
        if document is None:
            self.analysers.unsaved.forget(name)
        else:
            self.analysers.unsaved.take(name, document)

    def forget(self, name: DocumentName) -> None:
        """Drop what is kept for a closed document."""
        self.analysers.forget(name)
        if self._context is not None:
            self._context.forget(name)
        if self._completer is not None:
            self._completer.forget(name)

    def _monitors_of(self, request: CompletionRequest) -> Monitors | None:
        """The monitors of a request; None if they are off."""
        settings = request.settings
        if not settings.monitors or not self._loaded().has_monitors:
            return None
        if request.name is not None:
            self.analysers.enter(request.name, request.document, request.root)
        from guiderail.monitors.monitors import Monitors

        pool, names, seconds = self.analysers.of(settings), settings.only_monitors, self._limits.analyser_s
        vocabulary = self._loaded().vocabulary
        return self._monitors.get((pool, names), lambda: Monitors(vocabulary, pool, deadline_s=seconds, names=names))

    def _judge(self, request: CompletionRequest, plan: CompletionPlan) -> Judge:
        """The judge of a request's suggestions; it waits no longer than for one analyser's answer."""
        from guiderail.engine.judging import Judge
        from guiderail.monitors.verdict import Inspector

        settings, wait_s = request.settings, self._limits.analyser_s
        inspector = Inspector(self.analysers.of(settings), wait_s) if settings.monitors else None
        use = settings.verdict if request.distinct else "off"  # independent draws are all of them an answer
        return Judge(plan.document, plan.root, use, inspector, self._limits.cut_s, plan.n)

    def reference_finder(self, request: CompletionRequest, *, start: bool = True) -> Analyser | None:
        """The analyser that finds the uses of a name in a request's project; from any thread."""
        return self.analysers.reference_finder(request, start=start)

    def stop_analysers(self) -> None:
        """Stop this engine's own analysers, and wait; they start again on demand."""
        self._monitors.clear()
        if self._owns_analysers:
            self.analysers.stop()

    def release_memory(self) -> None:
        """Free memory that may hold a long text: caches, and analysers, which start again on demand."""
        from guiderail.engine.free_memory import release_memory, release_memory_after

        self._monitors.clear()
        self.analysers.stop_in_background()
        release_memory()
        release_memory_after(self.analysers.wait)


def _pipeline_of(settings: Settings) -> Pipeline:
    from guiderail.engine.choice import chosen

    return chosen(settings)
