"""The declarations that a file's imports lead to, those used near the cursor first."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from guiderail.prompt.imports.binding import Binding
from guiderail.prompt.index import ProjectIndex
from guiderail.prompt.outline import Definition
from guiderail.text.backwards import word_start
from guiderail.text.document import Document

_HOPS = 3  # re-exports that are followed
_REACH = 60  # lines around the cursor in which a use counts
_LINE = 20_000  # characters of one that are looked at, in the cursor's around it
UNUSED = 0.05  # score of a name that is imported but not used near the cursor
_MODULE = 0.3  # share of a module's score that its unnamed members get
_STARRED_FILES = 20  # files of one star import or package that are opened

_WORD = re.compile(r"[^\W\d]\w*")
_IMPORT_LINE = re.compile(r"\s*(from\s+\S+\s+import|import\b|#\s*include|use\s|(pub\s+)?mod\s|export\b.*\bfrom\b)")


@dataclass(frozen=True, slots=True)
class Declared:
    """A declaration of another file.

    Parameters
    ----------
    path
        Its file.
    order
        Its place among the file's declarations.
    text
        Its signature.
    score
        From 0 to 1: how near to the cursor its name is used.
    """

    path: str
    order: int
    text: str
    score: float


class Uses:
    """How near to the cursor each word is used, from 0 (nowhere) to 1 (in the cursor's line)."""

    def __init__(self, document: Document, offset: int) -> None:
        line, column = document.position_at(offset)
        first, last = max(0, line - _REACH), min(document.line_count, line + _REACH + 1)
        self._scores: dict[str, float] = {}
        self._lines: list[tuple[str, float]] = []
        for number in range(first, last):
            text = document.line_text(number)
            if not _IMPORT_LINE.match(text):
                distance = line - number if number <= line else 2 * (number - line)
                start = max(0, column - _LINE // 2) if number == line else 0
                self._add(text[start : start + _LINE], 1 / (1 + distance / 10))
        start = word_start(document.text, offset)
        self._typed = document.text[start:offset]

    def score(self, word: str) -> float:
        """Nearness of a word; a half-typed word is a use of every word that it begins."""
        if len(self._typed) > 1 and word.startswith(self._typed):
            return 1.0
        return self._scores.get(word, 0.0)

    def members(self, owner: str) -> dict[str, float]:
        """Nearness of the names after ``owner.`` or ``owner::``."""
        pattern = re.compile(rf"\b{re.escape(owner)}\s*(?:\.|::|->)\s*([^\W\d]\w*)")
        found: dict[str, float] = {}
        for text, score in self._lines:
            for name in pattern.findall(text):
                found[name] = max(score, found.get(name, 0.0))
        return found

    def _add(self, text: str, score: float) -> None:
        self._lines.append((text, score))
        for word in _WORD.findall(text):
            self._scores[word] = max(score, self._scores.get(word, 0.0))


def declared_by_imports(
    document: Document, offset: int, path: str, index: ProjectIndex, expired: Callable[[], bool]
) -> list[Declared]:
    """Declarations that the document's imports lead to, best first; ties by path, then in source order.

    Parameters
    ----------
    document, offset
        The file and the cursor.
    path
        The file's place in the project, POSIX and relative; it need not exist yet.
    index
        The project.
    expired
        Ends the search early when it turns true.
    """
    search = _Search(index, Uses(document, offset), path, expired)
    best: dict[tuple[str, int], Declared] = {}
    for binding in search.by_use(index.bindings(path, document.text, document.language)):
        if expired():
            break
        for found in search.declared(binding):
            known = best.get((found.path, found.order))
            if known is None or known.score < found.score:
                best[found.path, found.order] = found
    return sorted(best.values(), key=lambda found: (-found.score, found.path, found.order))


class _Search:
    """One question: its memory of re-exports must not outlive it, since any file may change."""

    def __init__(self, index: ProjectIndex, uses: Uses, path: str, expired: Callable[[], bool]) -> None:
        self._index = index
        self._uses = uses
        self._path = path
        self._expired = expired
        self._exports: dict[str, list[Binding]] = {}

    def by_use(self, bindings: list[Binding]) -> list[Binding]:
        """The bindings, those used nearest to the cursor first, because time may run out."""
        return sorted(bindings, key=lambda binding: -self._uses.score((binding.local or "").split(".")[0]))

    def declared(self, binding: Binding) -> Iterator[Declared]:
        """What one import leads to, scored by use."""
        if binding.local is None:
            yield from self._scored(binding.files[:_STARRED_FILES], self._uses.score, 0.0)
        elif binding.name is None:
            near = self._uses.score(binding.local.rpartition(".")[2])
            members = self._uses.members(binding.local)
            least = max(UNUSED, _MODULE * near)
            yield from self._scored(binding.files, lambda name: members.get(name, 0.0), least)
        else:
            score = max(UNUSED, self._uses.score(binding.local))
            for path, order, definition in self._find(binding.files, binding.name, _HOPS, set()):
                yield Declared(path, order, definition.text, score)

    def _scored(self, paths: tuple[str, ...], score: Callable[[str], float], least: float) -> Iterator[Declared]:
        """The public declarations of modules; a method counts as used when its type is."""
        for path in paths:
            file = self._index.file(path) if path != self._path else None
            for order, definition in enumerate(file.definitions if file else ()):
                value = max(least, score(definition.name), score(definition.owner or ""))
                if value > 0 and not definition.name.startswith("_"):
                    yield Declared(path, order, definition.text, value)

    def _find(
        self, paths: tuple[str, ...], name: str, hops: int, seen: set[tuple[str, str, int]]
    ) -> Iterator[tuple[str, int, Definition]]:
        """Where a name is declared, after up to `hops` re-exports; `seen` is what was searched for it already."""
        for path in paths:
            if (path, name, hops) in seen or self._expired():
                continue
            seen.add((path, name, hops))
            file = self._index.file(path) if path != self._path else None
            if file is None:
                continue
            found = [
                (path, order, definition)
                for order, definition in enumerate(file.definitions)
                if name in (definition.name, definition.owner) or (name == "default" and definition.is_default)
            ]
            if not found and hops:
                found = list(self._through_reexports(path, name, hops - 1, seen))
            if found:
                yield from found
                return

    def _through_reexports(
        self, path: str, name: str, hops: int, seen: set[tuple[str, str, int]]
    ) -> Iterator[tuple[str, int, Definition]]:
        for binding in self._exported(path):
            if binding.local == name and binding.name is not None:
                yield from self._find(binding.files, binding.name, hops, seen)
            elif binding.local is None:
                yield from self._find(binding.files[:_STARRED_FILES], name, hops, seen)

    def _exported(self, path: str) -> list[Binding]:
        known = self._exports.get(path)
        if known is None:
            file = self._index.file(path)
            known = self._index.bindings(path, file.text, file.language) if file else []
            self._exports[path] = known
        return known


def by_file(declared: list[Declared]) -> dict[str, list[Declared]]:
    """Declarations grouped by file, each group in source order."""
    groups: defaultdict[str, list[Declared]] = defaultdict(list)
    for found in declared:
        groups[found.path].append(found)
    return {path: sorted(group, key=lambda found: found.order) for path, group in groups.items()}
