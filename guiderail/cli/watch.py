"""``guiderail complete --watch``: follow a file as it is saved, and say what the cache did with each change."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guiderail.cli.cursor import request_of
from guiderail.cli.loading import load_engine
from guiderail.cli.terminal import visible
from guiderail.text.document import Document
from guiderail.text.edit import Edit, diff
from guiderail.text.source import SourceError, read_source

if TYPE_CHECKING:
    from guiderail.engine.engine import Engine
    from guiderail.engine.request import CompletionRequest
    from guiderail.settings import Settings

POLL_S = 0.1


@dataclass(frozen=True)
class Change:
    """One change of the file, and what following it took.

    Parameters
    ----------
    line, column
        The cursor: the end of what was written, from 1 and from 0.
    inserted, deleted
        Characters.
    tokens, kept, rotated, encoded, stale
        Of the prompt, as of `guiderail.cache.live.FitReport`.
    policy, reason
        Which way the cache took, and why.
    fit_s
        Seconds until the prompt's scores were there.
    suggestion
        What is suggested at the cursor.
    healed, heal_s
        Tokens made exact after it in idle time, and the seconds.
    exact
        Whether the cache equals a full encoding then.
    """

    line: int
    column: int
    inserted: int
    deleted: int
    tokens: int
    kept: int
    rotated: int
    encoded: int
    stale: int
    policy: str
    reason: str
    fit_s: float
    suggestion: str
    healed: int
    heal_s: float
    exact: bool


def watch(path: Path, settings: Settings, *, as_json: bool) -> None:
    """Print a `Change` for every version of the file, until interrupted."""
    versions = Versions(path)
    document = versions.document
    engine = load_engine(settings, request_of(document, len(document.text), settings))
    click.echo(f"watching {visible(str(path))}: save it to see what the cache does; Ctrl-C ends", err=True)
    for change in follow(engine, settings, versions, versions.is_outdated):
        click.echo(json.dumps(asdict(change)) if as_json else visible(as_text(change)))


class Versions:
    """A file's text now, and then each time that it is saved; never ends.

    Parameters
    ----------
    path
        The file; while it cannot be read (an editor may be replacing it) the last version stands.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._state()
        self.document = read_source(path)

    def __iter__(self) -> Iterator[Document]:
        yield self.document
        while True:
            while not self.is_outdated():
                time.sleep(POLL_S)
            self._seen = self._state()
            with suppress(SourceError):
                document = read_source(self._path)
                if document.text != self.document.text:
                    self.document = document
                    yield document

    def is_outdated(self) -> bool:
        """Whether the file was saved since its last version was read."""
        return self._state() != self._seen

    def _state(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_size


def follow(
    engine: Engine, settings: Settings, documents: Iterable[Document], interrupted: Callable[[], bool]
) -> Iterator[Change]:
    """What the cache does with each version of a file; the first one counts as a change of an empty file.

    Context from other files is chosen once: another choice would void the cache, and the language server keeps its too.
    Healing ends between two chunks once `interrupted`.
    """
    old, snippets = "", None
    for document in documents:
        edit = diff(old, document.text)
        request = replace(request_of(document, edit.start + len(edit.text), settings), snippets=snippets)
        found = engine.complete(request)
        snippets, old = found.snippets, document.text
        yield _change(engine, request, edit, found.suggestions[0].text if found.suggestions else "", interrupted)


def _change(
    engine: Engine, request: CompletionRequest, edit: Edit, suggestion: str, interrupted: Callable[[], bool]
) -> Change:
    cache, report = engine.cache, engine.report
    began = time.perf_counter()
    healed = cache.heal(cancelled=interrupted)
    line, column = request.document.position_at(request.offset)
    return Change(
        line=line + 1,
        column=column,
        inserted=len(edit.text),
        deleted=edit.end - edit.start,
        tokens=report.length,
        kept=report.kept,
        rotated=report.rotated,
        encoded=report.encoded,
        stale=report.stale,
        policy=report.policy,
        reason=report.reason,
        fit_s=sum(report.seconds.values()),
        suggestion=suggestion,
        healed=healed,
        heal_s=time.perf_counter() - began,
        exact=cache.is_exact,
    )


def as_text(change: Change) -> str:
    """A change in one line."""
    healed = f"; healed {change.healed} in {1000 * change.heal_s:.0f} ms" if change.healed else ""
    return (
        f"{change.line}:{change.column}  +{change.inserted} -{change.deleted} characters  "
        f"{change.tokens} tokens: kept {change.kept} (rotated {change.rotated}), encoded {change.encoded}, "
        f"stale {change.stale}  {change.policy}, {1000 * change.fit_s:.0f} ms{healed}  "
        f"→ {change.suggestion.splitlines()[0] if change.suggestion.strip() else '(nothing)'}"
    )
