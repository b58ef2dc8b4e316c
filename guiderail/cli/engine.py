"""The engine as the command line uses it: settings in, one answer for each cursor out."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from guiderail.cli.terminal import visible
from guiderail.engine.recent import Recent
from guiderail.prompt.snippet import Snippet
from guiderail.settings import Settings
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.cache.live import FitReport, LiveCache
    from guiderail.engine.completer import Completer
    from guiderail.engine.project import OpenProject
    from guiderail.engine.suggestion import Suggestion
    from guiderail.monitors.analysis.pool import ServerPool
    from guiderail.monitors.monitors import Monitors
    from guiderail.monitors.verdict import Inspector

_log = logging.getLogger(__name__)

PROJECTS = 8  # whose files and n-grams are kept
PATIENCE_S = 0.5  # for reading other files of the project, where somebody waits
ANALYSIS_S = 2.0  # how long one answer of an analyser may be waited for: nobody is typing meanwhile

Policy = Literal["auto", "exact", "patch"]
Until = Literal["line", "block", "tokens"]
Layout = Literal["auto", "psm", "spm", "efim", "prefix"]


@dataclass(frozen=True)
class Cursor:
    """A place in a text.

    Parameters
    ----------
    document, offset
        The text, and the place in code points.
    root
        The project that context may come from, if any.
    """

    document: Document
    offset: int
    root: Path | None = None


@dataclass(frozen=True)
class Answer:
    """What the engine offers at a cursor, and which other files it had seen."""

    cursor: Cursor
    suggestions: "list[Suggestion]"
    snippets: list[Snippet]


class Engine:
    """A loaded model that answers one cursor after the other.

    Parameters
    ----------
    settings
        Which model to load, where, and how to decode.
    ahead
        A cursor that is going to be asked for: its analyser starts while the model is loaded.
    patience
        Seconds that reading other files of a project may take at a cursor; infinity makes answers independent of how
        busy the machine is.

    Raises
    ------
    GuiderailError
        The model cannot be found or loaded.
    """

    def __init__(self, settings: Settings, ahead: Cursor | None = None, patience: float = PATIENCE_S) -> None:
        start_logging(settings.log_level)
        began = time.perf_counter()
        with ExitStack() as started:
            pool = _analysers(settings, ahead)
            if pool is not None:
                started.callback(pool.stop)
            with status(f"loading model {settings.model}"):
                self._load(settings)
            self._monitors = _monitors(pool, self._completer, settings)
            self._inspector = _inspector(pool, settings)
            started.pop_all()  # nothing failed: the analysers go on until the process ends
        self._settings = settings
        self._patience = patience
        self._projects: Recent[Path | None, OpenProject] = Recent(PROJECTS)
        seconds = time.perf_counter() - began
        _log.info("%s on %s, loaded in %.2f s", self.model.info.name, self.model.device, seconds)

    def _load(self, settings: Settings) -> None:
        from guiderail.model.memory import uncollected

        with uncollected():  # what importing makes stays
            from guiderail.engine.choice import chosen

            self._recipe = chosen(settings)  # what does not compose is refused before anything is loaded
        from guiderail.model.load import load

        self.model = load(
            settings.model,
            device=settings.device,
            dtype=settings.dtype,
            threads=settings.threads,
            accept=self._recipe.check,
        )
        from guiderail.engine.completer import Completer

        self._completer = Completer(
            self.model,
            prompt_tokens=settings.prompt_tokens,
            cache_policy=cast(Policy, settings.cache_policy),
            cache_bytes=settings.cache_mb << 20,
        )
        self._completer.warm(self._recipe)  # no part of the first token's time

    def answer(
        self,
        cursor: Cursor,
        *,
        until: str | None = None,
        max_tokens: int | None = None,
        on_token: Callable[[bytes], None] | None = None,
        snippets: list[Snippet] | None = None,
    ) -> Answer:
        """Complete at ``cursor``; what is given goes before the settings, and before choosing ``snippets``."""
        from guiderail.decoding.sampling import Sampling
        from guiderail.engine.leaks import without_secrets
        from guiderail.engine.request import CompletionRequest

        settings = self._settings
        project = self._project(cursor.root)
        snippets = self._snippets(cursor, project) if snippets is None else snippets
        _log.debug("context from %s", ", ".join(snippet.path for snippet in snippets) or "no other file")
        request = CompletionRequest(
            document=cursor.document,
            offset=cursor.offset,
            snippets=tuple(snippets),
            until=cast(Until, until or settings.until),
            max_tokens=max_tokens or settings.max_tokens,
            n=settings.suggestions,
            layout=cast(Layout, settings.layout),
            root=cursor.root,
            end_loops=settings.end_loops,
            fit=True,
            sampling=Sampling(
                temperature=settings.temperature,
                top_k=settings.top_k,
                top_p=settings.top_p,
                min_p=settings.min_p,
                seed=settings.seed,
            ),
            monitors=self._monitors,
            inspector=self._inspector,
            stages=project.stages(cursor.document, self._patience),
            pipeline=self._recipe,
            project=project.counts,
        )
        found = self._completer.complete(request, on_token=on_token)
        kept = without_secrets(cursor.document, found)
        if len(kept) < len(found):
            _log.info("kept back %d of %d suggestions: they hold a token or key", len(found) - len(kept), len(found))
        return Answer(cursor, kept, snippets)

    @property
    def cache(self) -> "LiveCache":
        """The keys and values of the last prompt."""
        return self._completer.session.cache

    @property
    def report(self) -> "FitReport":
        """How the cache was made to fit the last prompt."""
        assert self._completer.session.report is not None, "there was no answer yet"
        return self._completer.session.report

    def _project(self, root: Path | None) -> "OpenProject":
        from guiderail.engine.project import OpenProject

        settings = self._settings
        return self._projects.get(
            root, lambda: OpenProject(root, self.model, ngrams=settings.project_ngrams, others=settings.context)
        )

    def _snippets(self, cursor: Cursor, project: "OpenProject") -> list[Snippet]:
        from guiderail.prompt.context import gather

        budget = self._settings.context_tokens if self._settings.context else 0
        if budget == 0 or cursor.root is None:
            return []
        return gather(
            cursor.document,
            cursor.offset,
            cursor.root,
            budget=budget,
            count=self._completer.count,
            index=project.index,
            seconds=self._patience,
        )


def _analysers(settings: Settings, ahead: Cursor | None) -> "ServerPool | None":
    """The analysers, one of them started where it is known what is going to be asked."""
    if not settings.monitors:
        return None
    from guiderail.monitors.analysis.pool import ServerPool, folder_of

    pool = ServerPool(settings.analyser, trust=settings.trust)
    if ahead is not None and ahead.document.language:
        pool.get(ahead.document.language, folder_of(ahead.document, ahead.root))
    return pool


def _monitors(pool: "ServerPool | None", completer: "Completer", settings: Settings) -> "Monitors | None":
    if pool is None:
        return None
    from guiderail.monitors.monitors import Monitors

    return Monitors(completer.vocabulary, pool, deadline_s=ANALYSIS_S, names=settings.only_monitors)


def _inspector(pool: "ServerPool | None", settings: Settings) -> "Inspector | None":
    if pool is None or settings.verdict == "off":
        return None
    from guiderail.monitors.verdict import Inspector

    return Inspector(pool, ANALYSIS_S, drops=settings.verdict == "drop")


class _Shown(logging.Formatter):
    """Records for a terminal: they name files, whose names may hold anything."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return visible(super().format(record))


def start_logging(level: str) -> None:
    """Send our log to standard error; other libraries are heard only when debugging."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Shown("guiderail: %(levelname)s: %(message)s"))
    logging.basicConfig(handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger().setLevel(logging.DEBUG if level == "debug" else logging.ERROR)
    logging.getLogger("guiderail").setLevel(level.upper())
    logging.getLogger("py.warnings").setLevel(logging.DEBUG if level == "debug" else logging.CRITICAL)


@contextmanager
def status(message: str) -> Iterator[None]:
    """Say on a terminal what takes time; elsewhere stay quiet."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(message):
        yield
