"""Context from other files of the project: imported declarations, then similar code.

Cross-file context of both kinds is what repository-level completion gains most from (Zhang et al., "RepoCoder",
2023; Liu et al., "RepoBench", 2023); declarations tell what may be written, similar code how it is written here.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

from guiderail.prompt.definitions import UNUSED, Declared, by_file, declared_by_imports
from guiderail.prompt.index import ProjectIndex, SourceFile, deadline
from guiderail.prompt.similar import WINDOW, Match
from guiderail.prompt.snippet import Reason, Snippet, shown
from guiderail.text.document import Document
from guiderail.text.language import family_of

SECONDS = 0.15  # default time for the search
_DEFINITIONS_SHARE = 0.6  # of the budget, when similar code could use the rest
_SIMILAR_TRIED = 100  # windows looked at, best first
_AROUND = 100  # lines around the cursor that a window must add something to

Count = Callable[[str], int]


def gather(
    document: Document,
    offset: int,
    root: Path,
    *,
    budget: int,
    count: Count,
    index: ProjectIndex | None = None,
    seconds: float = SECONDS,
    least: Mapping[Reason, float] | None = None,
) -> list[Snippet]:
    """Context from other files for a completion at `offset`.

    Parameters
    ----------
    document, offset
        The file, as the editor has it, and the cursor.
    root
        The project's root. Nothing outside it, ignored by git, or that may hold secrets is read.
    budget
        Tokens that the snippets may take together, each with its path line and one separator token.
    count
        Number of tokens of a text.
    index
        What is already known of the project; a server keeps one, so that only changed files are read again.
    seconds
        Time for the search, after which what was found is used; with ``math.inf`` all depends on the files alone.
    least
        The score that a snippet must have, by its reason; by default what was learned (`learned`).

    Returns
    -------
    list of Snippet
        Least useful first, so that the best is nearest to the file in the prompt; one for each file, and never the
        file itself.
    """
    least = learned() if least is None else least
    index = index or ProjectIndex(root)
    index.refresh()
    path = index.project.relative(document.path) or ""
    expired = deadline(seconds)
    remaining = TokenBudget(budget, count)
    declared = declared_by_imports(document, offset, path, index, expired)
    declared = [found for found in declared if found.score >= least["definition"]]
    used = _chosen([found for found in declared if found.score > UNUSED], remaining, _DEFINITIONS_SHARE)
    similar = _similar(document, offset, path, index, expired, remaining, used, least["similar"])
    unused = _chosen([found for found in declared if found.score <= UNUSED], remaining, 1.0)
    definitions = _definitions(used + unused)
    known = sum(snippet.score > UNUSED for snippet in definitions)
    return _merged([*definitions[:known], *similar, *definitions[known:]])[::-1]


@cache
def learned() -> Mapping[Reason, float]:
    """The scores from which on snippets raise the likelihood of what is written next (`training/context.py`)."""
    return json.loads(resources.files("guiderail.prompt").joinpath("cutoffs.json").read_text("utf-8"))["least"]


def _merged(snippets: list[Snippet]) -> list[Snippet]:
    """One snippet for each file, at the place of its best: what a file declares comes before its code."""
    found: dict[str, Snippet] = {}
    for one in snippets:
        known = found.get(one.path)
        if known is None:
            found[one.path] = one
            continue
        parts = sorted((known, one), key=lambda part: part.reason != "definition")
        found[one.path] = replace(known, text="\n".join(part.text for part in parts))
    return list(found.values())


class TokenBudget:
    """Tokens that snippets may still take, out of a total."""

    def __init__(self, total: int, count: Count) -> None:
        self.left = total
        self.total = total
        self._count = count

    def cost(self, text: str) -> int:
        """Tokens of a text."""
        return self._count(text)

    def header(self, path: str) -> int:
        """Tokens of a path line, and of the token that separates files."""
        return self._count(f"{shown(path)}\n") + 1

    def take(self, tokens: int, floor: float = 0) -> bool:
        """Take so many tokens if at least `floor` stay; whether they were taken."""
        if self.left - tokens < floor:
            return False
        self.left -= tokens
        return True


def _chosen(declared: list[Declared], remaining: TokenBudget, share: float) -> list[Declared]:
    """As many declarations, best first, as a share of the budget allows, long ones cut."""
    floor = math.ceil(remaining.total * (1 - share))
    chosen: list[Declared] = []
    for found in declared:
        header = 0 if any(other.path == found.path for other in chosen) else remaining.header(found.path)
        text = _shortened(found.text, remaining.left - floor - header, remaining.cost)
        if text and remaining.take(header + remaining.cost(text), floor):
            chosen.append(Declared(found.path, found.order, text, found.score))
        if remaining.left <= floor:
            break
    return chosen


def _definitions(chosen: list[Declared]) -> list[Snippet]:
    """One snippet per file, best first."""
    snippets = [
        Snippet(path, "".join(found.text for found in group), "definition", max(found.score for found in group))
        for path, group in by_file(chosen).items()
    ]
    return sorted(snippets, key=lambda snippet: (-snippet.score, snippet.path))


def _shortened(text: str, room: int, cost: Count) -> str:
    """The text, or so many of its first lines (at least two) as fit; empty if those do not."""
    if cost(text) <= room:
        return text
    lines = text.splitlines(keepends=True)
    low, high = 0, len(lines) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if cost("".join(lines[:middle])) <= room:
            low = middle
        else:
            high = middle - 1
    return "".join(lines[:low]) if low >= 2 else ""


def _similar(
    document: Document,
    offset: int,
    path: str,
    index: ProjectIndex,
    expired: Callable[[], bool],
    remaining: TokenBudget,
    declared: list[Declared],
    least: float,
) -> list[Snippet]:
    """Windows of other files like the lines before the cursor, best first, until the tokens are spent.

    A window must not overlap another, and must say something that the lines around the cursor, the declarations
    and the better windows do not.
    """
    line, _ = document.position_at(offset)
    files = index.around(path, document.language, expired)
    family = family_of(document.language)
    query = document.text[document.line_start(max(0, line - WINDOW + 1)) : offset]
    tried = index.ranking.best(query, [file.windows for file in files], least)
    tried.sort(key=lambda match: family_of(files[match.file].language) != family)  # stable: best first within
    known = _lines_around(document, line).union(*(_stripped(found.text.split("\n")) for found in declared))
    taken: set[tuple[int, int]] = set()
    chosen: dict[int, list[Match]] = {}
    for match in tried[:_SIMILAR_TRIED]:
        lines = _window(files[match.file], match.start)
        new = _stripped(lines) - known
        covered = {(match.file, number) for number in range(match.start, match.start + len(lines))}
        if not new or covered & taken:
            continue
        header = 0 if match.file in chosen else remaining.header(files[match.file].path)
        if remaining.take(header + remaining.cost("\n".join(["", *lines, ""]))):
            taken |= covered
            known |= new
            chosen.setdefault(match.file, []).append(match)
    return [_joined(files[number], matches) for number, matches in chosen.items()]


def _joined(file: SourceFile, matches: list[Match]) -> Snippet:
    """The windows of one file as one snippet, in the order of the file; they come best first."""
    windows = ("\n".join(_window(file, match.start)) + "\n" for match in sorted(matches, key=lambda one: one.start))
    return Snippet(file.path, "\n".join(windows), "similar", matches[0].score)


def _stripped(lines: list[str]) -> set[str]:
    """The lines that say something, without regard to indentation."""
    return {text for line in lines if (text := line.strip())}


def _window(file: SourceFile, start: int) -> list[str]:
    """The lines of a window without blank ones at its ends."""
    lines = file.lines[start : start + WINDOW]
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    while lines and not lines[0].strip():
        lines = lines[1:]
    return lines


def _lines_around(document: Document, line: int) -> set[str]:
    numbers = range(max(0, line - _AROUND), min(document.line_count, line + _AROUND))
    return {document.line_text(number).strip() for number in numbers}
