"""The model behind the server. Everything here runs on the worker's thread, except where it says otherwise."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from guiderail.engine.recent import Recent
from guiderail.errors import GuiderailError
from guiderail.lsp.free_memory import give_back
from guiderail.prompt.snippet import Snippet
from guiderail.settings import Settings
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.decoding.pipeline import Pipeline
    from guiderail.engine.completer import Completer
    from guiderail.engine.project import OpenProject
    from guiderail.engine.request import CompletionRequest
    from guiderail.engine.suggestion import Suggestion
    from guiderail.monitors.analysis.analyser import ServerAnalyser
    from guiderail.monitors.analysis.pool import ServerPool
    from guiderail.monitors.monitors import Monitors
    from guiderail.monitors.verdict import Inspector

log = logging.getLogger(__name__)
SETTLED_S = 1.0  # after an analyser's end, until nothing of it runs any more

PROJECTS = 8  # whose files and n-grams are kept
POOLS = 4  # of analysers, each for other settings
NEAR = 16  # lines: as long as the cursor stays this near, other files' snippets stay, and the cache with them
STALE = 60.0  # seconds
NEW_FILES, NEW_FILES_S = 1000, 0.02  # that analysers are told of at once, and seconds in which they are looked for
LENDING_S = 0.05  # for counting other files' n-grams, whenever there is nothing else to do

Cancelled = Callable[[], bool]
Name = tuple[int, str]  # of an open document: its client's number and its URI


class NotLoadedError(GuiderailError):
    """There is no model to ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of the engine at one cursor.

    Parameters
    ----------
    uri
        Names the document.
    document, offset
        The text and the cursor.
    root
        The project that context may come from.
    settings
        How to decode.
    wanted
        Suggestions at most.
    line_ending
        What ends the document's lines; the model is given line feeds, and its own become these.
    client
        Whose document it is: two clients may have one file open, each with its own text.
    by_hand
        Whether a person asked, beyond doubt; else no method runs the project's code.
    """

    uri: str
    document: Document
    offset: int
    root: Path | None
    settings: Settings
    wanted: int = 1
    line_ending: str = "\n"
    client: int = 0
    by_hand: bool = False

    @property
    def name(self) -> Name:
        """Under which what belongs to the document is kept."""
        return self.client, self.uri

    @property
    def before(self) -> str:
        """The text up to the cursor."""
        return self.document.text[: self.offset]

    @property
    def after(self) -> str:
        """The text after the cursor."""
        return self.document.text[self.offset :]

    def typed_since(self, earlier: Wish) -> str | None:
        """What stands between an earlier cursor and this one; None if something before that changed too."""
        text = self.document.text
        is_behind = earlier.offset <= self.offset and text.startswith(earlier.before)
        return text[earlier.offset : self.offset] if is_behind else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine said, and which other files it had seen.

    Parameters
    ----------
    secret
        How many suggestions were kept back for the secrets in them.
    is_stand_in
        Whether plain decoding stood in for a method that runs the project's code (`Wish.by_hand`).
    """

    suggestions: list[Suggestion]
    snippets: list[Snippet] = field(default_factory=list)
    secret: int = 0
    is_stand_in: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether no suggestion was cut short by a cancel."""
        return all(suggestion.finish != "cancelled" for suggestion in self.suggestions)


class Written:
    """What is written of the first suggestion so far; read by the event loop while the worker writes."""

    def __init__(self) -> None:
        self.text = ""
        self._data = b""
        self._skip = 0

    def begin(self, typed: str) -> None:
        """Start with a half-typed word that the model writes once more."""
        self._skip = len(typed.encode())

    def add(self, data: bytes) -> None:
        """Take a token's bytes."""
        self._data += data
        self.text = self._data[self._skip :].decode(errors="ignore")


@dataclass(frozen=True, slots=True)
class _Context:
    """Snippets of other files, and where and when they were chosen."""

    root: Path
    line: int
    snippets: list[Snippet]
    at: float
    edition: int


class Engine:
    """One model, one completer, and what is known of the projects.

    Attributes
    ----------
    name, device
        Of the loaded model; "" before.
    """

    def __init__(self) -> None:
        self.name = ""
        self.device = ""
        self._completer: Completer | None = None
        self._make: Callable[[], Completer] | None = None
        self._recipe: Pipeline | None = None
        self._projects: Recent[tuple[Path | None, str, bool], OpenProject] = Recent(PROJECTS)
        # By who is wanted.
        self._analysers: Recent[tuple[str, str, str], tuple[ServerPool, Monitors]] = Recent(
            POOLS, lambda held: self._stop(held[0])
        )
        self._stopping: list[threading.Thread] = []
        self._folders: dict[Name, Path] = {}  # of open documents, where their analysers work
        self._contexts: dict[Name, _Context] = {}
        self._edition = 0
        self._told = False  # that a method runs at a person's word alone

    def load(self, settings: Settings) -> None:
        """Load the model that the settings name; the old one is dropped first, so that two never share the memory.

        Raises
        ------
        GuiderailError
            The model cannot be found or loaded.
        """
        self.unload()
        from guiderail.engine.choice import chosen
        from guiderail.engine.completer import Completer
        from guiderail.model.load import load

        recipe = chosen(settings)  # what does not compose is refused now, not at the first request
        model = load(settings.model, device=settings.device, dtype=settings.dtype, threads=settings.threads)
        policy = cast('Literal["auto", "exact", "patch"]', settings.cache_policy)
        self._make = lambda: Completer(
            model,
            prompt_tokens=settings.prompt_tokens,
            cache_policy=policy,
            cache_bytes=settings.cache_mb << 20,
        )
        self._recipe = recipe
        self._start()
        self.name, self.device = model.info.name, str(model.device)

    def _start(self) -> None:
        assert self._make is not None and self._recipe is not None
        self._completer = self._make()
        self._completer.warm(self._recipe)
        # A collection looks at all there is, a fifth of a second with a model's modules, and keys wait for it.
        gc.collect()
        gc.freeze()

    def unload(self) -> None:
        """Give the model's memory back."""
        self._completer = self._make = None
        self.name = self.device = ""
        self._contexts.clear()
        self._projects.clear()
        self.stop_analysers()
        gc.unfreeze()
        gc.collect()
        import sys

        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def recover(self) -> None:
        """Start afresh with the same model: after a failure the cache may hold anything, or be too large."""
        self._completer = None
        self._contexts.clear()
        self._projects.clear()
        gc.unfreeze()
        gc.collect()
        if self._make:
            self._start()

    def stop_analysers(self) -> None:
        """End the analysers' processes, and wait for it; they start again when they are wanted."""
        self._analysers.clear()
        for thread in self._stopping:
            thread.join()
        self._stopping.clear()

    def give_back(self) -> None:
        """Let go of all that may hold a long text: caches, and analysers, which start again when they are wanted."""
        self._analysers.clear()
        give_back()
        threading.Thread(target=self._give_back_again, name="guiderail-give-back", daemon=True).start()

    def _give_back_again(self) -> None:
        """Once the analysers are gone, and a moment later their tasks: they keep the texts that were asked about."""
        for thread in self._stopping:
            thread.join()
        time.sleep(SETTLED_S)
        give_back()

    def _stop(self, what: ServerPool | ServerAnalyser) -> None:
        """Have it stopped, which may take seconds: the next request does not wait for that."""
        thread = threading.Thread(target=what.stop, name="guiderail-stopper", daemon=True)
        self._stopping = [thread, *(one for one in self._stopping if one.is_alive())]
        thread.start()

    def files_changed(self, *paths: Path) -> None:
        """Choose context anew at the next occasion, and let analysers know; may be called from any thread.

        Of a folder that is gone they are told which known files went with it, of one that is there what code is in it.
        """
        self._edition += 1
        gone = [path for path in paths if not path.exists()]
        lost = [file for project in self._projects for path in gone for file in project.forget(path)]
        found = list(islice(_code_in([path for path in paths if path.is_dir()]), NEW_FILES))
        for pool, _ in self._analysers:
            pool.files_changed(list(dict.fromkeys([*paths, *lost, *found])))

    def knows(self, folder: Path) -> bool:
        """Whether a path is, or was, a folder of a project that is open; may be called from any thread."""
        return any(project.knows(folder) for project in self._projects)

    def forget(self, name: Name) -> None:
        """Drop what is kept for a closed document."""
        self._contexts.pop(name, None)
        self._folders.pop(name, None)
        for pool, _ in self._analysers:
            for analyser in pool.trim(set(self._folders.values())):
                self._stop(analyser)
        if self._completer is not None:
            self._completer.pool.forget(name)

    def complete(self, wish: Wish, cancelled: Cancelled, written: Written) -> Answer:
        """Suggestions for a wish; few or none once `cancelled`."""
        from guiderail.engine.choice import chosen
        from guiderail.engine.leaks import without_secrets

        completer = self._loaded()
        request = self._request(wish)
        written.begin(completer.typed(request))
        if cancelled():
            return Answer([])
        found = completer.complete(request, cancelled=cancelled, on_token=written.add)
        kept = without_secrets(request.document, found)
        ended = [replace(one, text=_line_feeds(one.text).replace("\n", wish.line_ending)) for one in kept]
        is_stand_in = request.pipeline != chosen(wish.settings)
        return Answer(ended, list(request.snippets), len(found) - len(kept), is_stand_in)

    def prepare(self, wish: Wish, cancelled: Cancelled) -> None:
        """Encode the prompt that a request at this cursor would have, so that the request only decodes.

        What the cache had patched on the way is made exact in the time that is left.
        """
        completer = self._loaded()
        request = self._request(wish, renew=True)
        if cancelled():
            return
        prompt = completer.prompt(request)
        if request.monitors:
            _ask_ahead(request.monitors, request, prompt.typed)
        completer.prepare(request, prompt, cancelled=cancelled)
        if not cancelled():
            project = self._project(wish)
            project.read(request.document, LENDING_S, cancelled=cancelled)
            completer.show(replace(request, project=project.counts))

    def warm(self, wish: Wish, cancelled: Cancelled) -> None:
        """Read what a first question in this document would have to read, and start its analyser."""
        self._snippets(wish, renew=False)
        monitors = self._monitors(wish.settings)
        if monitors:
            self._enter(wish)
            monitors.watch(wish.document, wish.offset, wish.root)
        self._project(wish).read(wish.document, LENDING_S, cancelled=cancelled)

    def _enter(self, wish: Wish) -> None:
        """Remember where the analysers of an open document work."""
        from guiderail.monitors.analysis.pool import folder_of

        self._folders[wish.name] = folder_of(wish.document, wish.root)

    def _loaded(self) -> Completer:
        if self._completer is None:
            raise NotLoadedError("no model is loaded", "Run the command guiderail.restart")
        return self._completer

    def _request(self, wish: Wish, *, renew: bool = False) -> CompletionRequest:
        from guiderail.decoding.sampling import Sampling
        from guiderail.engine.request import CompletionRequest

        settings = wish.settings
        if settings.monitors:
            self._enter(wish)
        document, offset = _with_line_feeds(wish)
        project = self._project(wish)
        return CompletionRequest(
            document=document,
            offset=offset,
            snippets=tuple(self._snippets(wish, renew=renew)),
            root=wish.root,
            until=cast('Literal["line", "block", "tokens"]', settings.until),
            max_tokens=settings.max_tokens,
            n=wish.wanted,
            end_loops=settings.end_loops,
            fit=True,
            layout=cast('Literal["auto", "psm", "spm", "efim", "prefix"]', settings.layout),
            sampling=Sampling(
                temperature=settings.temperature,
                top_k=settings.top_k,
                top_p=settings.top_p,
                min_p=settings.min_p,
                seed=settings.seed,
            ),
            monitors=self._monitors(settings),
            file=wish.name,
            pipeline=self._recipe_for(wish),
            # Other files are read in idle time alone (`prepare`): a request takes what is known by then.
            stages=project.stages(document, 0.0),
            project=project.counts,
            inspector=self._inspector(settings),
        )

    def _recipe_for(self, wish: Wish) -> Pipeline:
        """What the settings choose, without what runs the project's code unless a person asked."""
        from guiderail.engine.choice import chosen

        recipe = chosen(wish.settings)
        if wish.by_hand or not recipe.runs_code:
            return recipe
        if not self._told:
            self._told = True
            log.warning("%s runs the project's code: it is used when asked for by hand alone", wish.settings.method)
        return recipe.without_code()

    def _project(self, wish: Wish) -> OpenProject:
        """What is kept of a wish's project, under the settings that decide what is read of it."""
        from guiderail.engine.project import OpenProject

        key = wish.root, wish.settings.project_ngrams, wish.settings.context
        ngrams, others = wish.settings.project_ngrams, wish.settings.context
        return self._projects.get(
            key, lambda: OpenProject(wish.root, self._loaded().model, ngrams=ngrams, others=others)
        )

    def _monitors(self, settings: Settings) -> Monitors | None:
        """What forbids names that do not exist, with the analysers after it."""
        if not settings.monitors:
            return None
        key = settings.analyser, settings.trust, settings.only_monitors
        return self._analysers.get(key, lambda: self._started(settings))[1]

    def _started(self, settings: Settings) -> tuple[ServerPool, Monitors]:
        from guiderail.monitors.analysis.pool import ServerPool
        from guiderail.monitors.monitors import Monitors

        pool = ServerPool(settings.analyser, trust=settings.trust)
        return pool, Monitors(self._loaded().vocabulary, pool, names=settings.only_monitors)

    def _inspector(self, settings: Settings) -> Inspector | None:
        """What tells whether a suggestion brings errors; it keeps none back for longer than a key stroke may take."""
        monitors = self._monitors(settings)
        if monitors is None or settings.verdict == "off":
            return None
        from guiderail.monitors.verdict import Inspector

        return Inspector(monitors.analysers, monitors.deadline_s, drops=settings.verdict == "drop")

    def _snippets(self, wish: Wish, *, renew: bool) -> list[Snippet]:
        """Context from other files, chosen again only in idle time and when the cursor went elsewhere.

        It stands before the file in the prompt: every change of it voids the whole cache.
        """
        settings = wish.settings
        if not settings.context or settings.context_tokens == 0 or wish.root is None:
            return []
        line, _ = wish.document.position_at(wish.offset)
        known = self._contexts.get(wish.name)
        if known and known.root == wish.root and not (renew and self._is_stale(known, line)):
            return known.snippets
        from guiderail.prompt.context import gather

        snippets = gather(
            wish.document,
            wish.offset,
            wish.root,
            budget=settings.context_tokens,
            count=self._loaded().count,
            index=self._project(wish).index,
        )
        if known and [(s.path, s.text) for s in known.snippets] == [(s.path, s.text) for s in snippets]:
            snippets = known.snippets
        self._contexts[wish.name] = _Context(wish.root, line, snippets, time.monotonic(), self._edition)
        return snippets

    def _is_stale(self, known: _Context, line: int) -> bool:
        old = time.monotonic() - known.at > STALE
        return old or abs(line - known.line) > NEAR or known.edition != self._edition


def _code_in(folders: Iterable[Path]) -> Iterator[Path]:
    """The code in folders that came, as far as it is found in time."""
    from guiderail.prompt.index import deadline
    from guiderail.prompt.project import Project

    expired = deadline(NEW_FILES_S)
    return (folder / entry.path for folder in folders for entry in Project(folder).files("", None, expired))


def _ask_ahead(monitors: Monitors, request: CompletionRequest, typed: str) -> None:
    """Have the analyser asked what a request will ask it; answers are kept, and nobody waits here."""
    monitor = monitors.watch(request.document, request.offset, request.root, typed)
    if monitor:
        monitor()


def _with_line_feeds(wish: Wish) -> tuple[Document, int]:
    """The document as the model knows text: lines end with a line feed."""
    document = wish.document
    if "\r" not in document.text:
        return document, wish.offset
    before, after = _line_feeds(wish.before), _line_feeds(wish.after)
    return replace(document, text=before + after), len(before)


def _line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
