"""Kinds of context from other files, each by itself: what the prompt shows, and what it might."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from guiderail.evaluation.replayed_edits import EditCursor, Hunk
from guiderail.monitors.analysis.answers import NoAnswer
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.monitors.analysis.requests import DIAGNOSTICS, Question
from guiderail.prompt.context import Count, gather
from guiderail.prompt.index import ProjectIndex
from guiderail.prompt.similar import WINDOW
from guiderail.prompt.snippet import Reason, Snippet
from guiderail.text.document import Document

NEAR = 10  # lines around the cursor in which a diagnostic counts
ANSWER_S = 20.0
# The scores that a snippet must have: all, what was shown before a cut-off was learned, and one reason alone.
EVERY: Mapping[Reason, float] = {"definition": 0.0, "similar": 0.1}
_WORD = re.compile(r"[^\W\d]\w+")
_DOCSTRING = re.compile(r'\n +"""[^\n]*"""$', re.MULTILINE)


@dataclass
class Scene:
    """A cursor in a project on disk, and what may be shown of the rest.

    Parameters
    ----------
    cursor, root
        The cursor, and the folder of its project.
    index, pool
        What is known of the project, and its analysers.
    budget, count
        Tokens that snippets may take, and how many a text has.
    """

    cursor: EditCursor
    root: Path
    index: ProjectIndex
    pool: ServerPool
    budget: int
    count: Count
    _errors: list[str] | None = field(default=None, init=False)

    @cached_property
    def document(self) -> Document:
        """The file, without the rest of the line."""
        text = self.cursor.prefix + self.cursor.suffix
        return Document(text, self.root / self.cursor.path, "python")

    @property
    def offset(self) -> int:
        """The cursor."""
        return len(self.cursor.prefix)

    def gathered(self, least: Mapping[Reason, float] | None) -> list[Snippet]:
        """What `gather` finds of the snippets that have these scores; by default those that were learned."""
        return gather(
            self.document, self.offset, self.root, budget=self.budget, count=self.count, index=self.index,
            seconds=math.inf, least=least,
        )  # fmt: skip

    @cached_property
    def words(self) -> set[str]:
        """The identifiers of the lines before the cursor."""
        return set(_WORD.findall("\n".join(self.cursor.prefix.split("\n")[-WINDOW:])))

    def fitting(self, snippets: Sequence[Snippet]) -> list[Snippet]:
        """As many of the snippets, best first, as the budget has room for; least useful first."""
        left, kept = self.budget, list[Snippet]()
        for one in snippets:
            left -= self.count(f"{one.path}\n{one.text}") + 1
            if left < 0:
                break
            kept.append(one)
        return kept[::-1]


def _similar(scene: Scene) -> list[Snippet]:
    return scene.gathered({**EVERY, "definition": math.inf})


def _imported(scene: Scene) -> list[Snippet]:
    return scene.gathered({**EVERY, "similar": math.inf})


def _signatures(scene: Scene) -> list[Snippet]:
    """Declarations that are imported, without their docstrings."""
    found = _imported(scene)
    return [Snippet(one.path, _DOCSTRING.sub("", one.text), one.reason, one.score) for one in found]


def _recent_edits(scene: Scene) -> list[Snippet]:
    """What was added to other files, those with most of the words before the cursor first."""
    ranked = sorted(scene.cursor.edits, key=lambda hunk: (-len(scene.words & set(_WORD.findall(hunk.text))), hunk.path))
    return scene.fitting([_as_snippet(hunk) for hunk in ranked if scene.words & set(_WORD.findall(hunk.text))])


def _as_snippet(hunk: Hunk) -> Snippet:
    return Snippet(hunk.path, hunk.text, "similar", 1.0)


def _diagnostics(scene: Scene) -> list[Snippet]:
    """The errors that an analyser finds near the cursor, a line each."""
    analyser = scene.pool.get("python", scene.root)
    if analyser is None or scene.document.path is None:
        return []
    question = Question(scene.document.path, "python", scene.document.text, 0)
    try:
        found = analyser.ask(DIAGNOSTICS, question).result(ANSWER_S)
    except (NoAnswer, LateError):
        return []
    line, _ = scene.document.position_at(scene.offset)
    lines = [(scene.document.position_at(one.start)[0], one.message.partition("\n")[0]) for one in found]
    near = "".join(f"line {row + 1}: {message}\n" for row, message in lines if 0 < abs(row - line) <= NEAR)
    return scene.fitting([Snippet("errors", near, "similar", 1.0)]) if near else []


def _tests(scene: Scene) -> list[Snippet]:
    """What the file's own tests hold that is like the lines before the cursor."""
    query = "\n".join(scene.cursor.prefix.split("\n")[-WINDOW:])
    found: list[Snippet] = []
    for path in _tests_of(scene):
        file = scene.index.file(path)
        matches = scene.index.ranking.best(query, [file.windows], 0.0) if file else []
        starts = _apart([match.start for match in matches])
        found += [
            Snippet(path, "\n".join(file.lines[at : at + WINDOW]) + "\n", "similar", 1.0) for at in starts if file
        ]
    return scene.fitting(found)


def _apart(starts: Sequence[int]) -> list[int]:
    kept: list[int] = []
    for start in starts:
        if all(abs(start - other) >= WINDOW for other in kept):
            kept.append(start)
    return kept


def _tests_of(scene: Scene) -> Iterator[str]:
    """The files that are named as the tests of the cursor's file."""
    stem = PurePosixPath(scene.cursor.path).stem
    for name in (f"test_{stem}.py", f"{stem}_test.py"):
        for place in sorted(scene.root.rglob(name)):
            path = place.relative_to(scene.root).as_posix()
            if path != scene.cursor.path:
                yield path


NONE, BEFORE, NOW = "nothing", "all found", "learned cut-off"
KINDS: Mapping[str, Callable[[Scene], list[Snippet]]] = {
    NONE: lambda _: [],
    "similar code": _similar,
    "imported signatures": _signatures,
    "imported signatures, docstrings": _imported,
    "recent edits": _recent_edits,
    "errors near the cursor": _diagnostics,
    "the file's tests": _tests,
    BEFORE: lambda scene: scene.gathered(EVERY),
    NOW: lambda scene: scene.gathered(None),
}
