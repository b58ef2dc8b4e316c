"""The prompt: segments in the order of a model's fill-in-the-middle format, within a token budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from guiderail.errors import UsageError
from guiderail.prompt.fim import FimFormat
from guiderail.prompt.snippet import Snippet, shown
from guiderail.prompt.window import choose_window
from guiderail.text.document import Document
from guiderail.text.language import commented

# psm     prefix, suffix, middle
# spm     suffix first, so that typing only appends; the family's own form where it has one
# efim    psm whose prefix ends up to `EARLY` lines before the cursor's; the rest of it comes after the middle sentinel,
#         so that typing appends and leaves prefix and suffix alone (Guo et al. 2025, "EFIM")
# prefix  nothing after the cursor
Layout = Literal["psm", "spm", "efim", "prefix"]
Count = Callable[[str], int]
Joins = Callable[[str], int]

EARLY = 4  # lines: in the layout efim the prefix ends at a line whose number is a multiple of it
LONGEST_TYPED = 64  # characters of a half-typed word that decoding is asked to reproduce
_CONTEXT_SHARE = 0.5  # of the budget; other files never take more


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the prompt.

    Parameters
    ----------
    kind
        ``"special"`` holds the string of exactly one special token; the others hold plain text, in which a special
        token's string means nothing.
    text
        The text.
    source
        Path of the file it comes from, relative to the project's root, if it comes from one.
    """

    kind: Literal["special", "context", "prefix", "suffix"]
    text: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is given.

    Parameters
    ----------
    segments
        In order, to be tokenised apart.
    layout
        How prefix and suffix are arranged.
    typed
        The half-typed word before the cursor, which the prompt leaves out and decoding must reproduce first.
    """

    segments: tuple[Segment, ...]
    layout: Layout
    typed: str = ""

    def text_of(self, kind: str) -> str:
        """The text of all segments of one kind."""
        return "".join(segment.text for segment in self.segments if segment.kind == kind)


def lone_space(before: str) -> int:
    """The blanks that every tokenizer joins with a word after `before`: a single space."""
    return int(before.endswith(" ") and not before[-2:-1].isspace())


def build_prompt(
    document: Document,
    offset: int,
    snippets: Sequence[Snippet],
    fim: FimFormat | None,
    *,
    layout: Layout,
    budget: int,
    count: Count,
    heal: bool = True,
    joins: Joins = lone_space,
    root: Path | None = None,
) -> Prompt:
    """Lay out a completion request for a model.

    Parameters
    ----------
    document, offset
        The file and the cursor.
    snippets
        Context from other files, least useful first (as `gather` gives it); the first go when there is no room.
    fim
        The model's format; None if it has none, which allows only the layout ``"prefix"``.
    layout
        How prefix and suffix are arranged (`Layout`).
    budget
        Tokens of the whole prompt; one is kept for a token that begins the text.
    count
        Number of tokens of a plain text.
    heal
        Whether to leave out the half-typed word.
    joins
        How many blanks before a word the model's tokenizer joins with it (`Tokenizer.joined_blanks`).
    root
        The project's root: it names the repository, and the file's path is given relative to it.

    Raises
    ------
    UsageError
        If the model does not know the layout, or the budget does not even hold the special tokens.
    """
    before, after = _line_around(document, offset)
    typed = half_typed(before, joins) if heal else ""
    room = _room(budget, fim, layout)
    own = _own_path(document, root)
    left = room - _line_cost(before.removesuffix(typed), after if layout != "prefix" else "", room, count)
    context = _context(document, own, snippets, fim, root, left, count)
    left = room - sum(_cost(segment, count) for segment in context)
    parts = _around(document, offset, len(typed), left, count, own, layout)
    return Prompt(_arranged(context, *parts, fim, layout), layout, typed)


def _line_around(document: Document, offset: int) -> tuple[str, str]:
    """The cursor's line before and after the cursor."""
    line, _ = document.position_at(offset)
    return document.text[document.line_start(line) : offset], document.text[offset : document.line_end(line)]


def _room(budget: int, fim: FimFormat | None, layout: Layout) -> int:
    """Tokens of plain text that fit beside the special ones; raises UsageError where none do."""
    _check(fim, layout)
    marks = 1 if fim is None or layout == "prefix" else 3 + bool(fim.middle) + (layout == "efim")
    if budget <= marks:
        raise UsageError(f"a prompt of {budget} tokens has no room for text", "Allow more prompt tokens.")
    return budget - marks


def _around(
    document: Document, offset: int, typed: int, budget: int, count: Count, own: str | None, layout: Layout
) -> tuple[Segment, Segment, Segment | None]:
    """The file's own text before the cursor and after it; in the layout efim, the end of the former apart."""
    with_suffix = layout != "prefix"
    window = choose_window(document, offset, typed=typed, budget=budget, count=count, with_suffix=with_suffix)
    text, stop = document.text, offset - typed
    suffix = Segment("suffix", text[offset : window.stop], own)
    if layout != "efim":
        return Segment("prefix", text[window.start : stop], own), suffix, None
    line, _ = document.position_at(offset)
    cut = max(document.line_start(line - line % EARLY), window.start)
    return Segment("prefix", text[window.start : cut], own), suffix, Segment("prefix", text[cut:stop], own)


def half_typed(before: str, joins: Joins = lone_space) -> str:
    """The word that ends at the cursor, with the blanks before it that the tokenizer joins with it.

    Tokenizers keep a word and its one leading space in one token, so a prompt that ends inside it (or after the
    space) ends at a place where the model never saw a token end. Many do so in an indentation too: four spaces and
    ``return`` are three spaces and `` return``. Punctuation before a word stays in the prompt, whatever the
    tokenizer does: what watches a dereference has to see its dot.

    Parameters
    ----------
    before
        The cursor's line up to the cursor.
    joins
        Of the line up to a word, how many of the blanks it ends in may share a token with the word.
    """
    start = len(before)
    while start > 0 and len(before) - start < LONGEST_TYPED and f"_{before[start - 1]}".isidentifier():
        start -= 1
    return before[start - joins(before[:start]) :]


def _check(fim: FimFormat | None, layout: Layout) -> None:
    if layout == "prefix":
        return
    if fim is None:
        raise UsageError("the model has no fill-in-the-middle tokens", "Use the layout prefix.")
    if layout == "spm" and fim.spm is None:
        raise UsageError(f"{fim.name} models do not know the layout spm", "Use the layout psm.")
    if layout in {"psm", "efim"} and fim.spm == "native":
        raise UsageError(f"{fim.name} models know only the layout spm", "Use the layout spm.")


def _line_cost(before: str, after: str, room: int, count: Count) -> int:
    """The tokens that the cursor's line takes of the budget; it comes before any context."""
    if len(before) + len(after) > 64 * room:  # cannot fit, and would be slow to count
        return room
    return min(room, count(before) + count(after))


def _own_path(document: Document, root: Path | None) -> str | None:
    if document.path is None:
        return None
    if root is not None and document.path.is_absolute():
        for path, base in ((document.path, root), (document.path.resolve(), root.resolve())):
            if path.is_relative_to(base):
                return path.relative_to(base).as_posix()
    return document.path.name if document.path.is_absolute() else document.path.as_posix()


def _context(
    document: Document,
    own: str | None,
    snippets: Sequence[Snippet],
    fim: FimFormat | None,
    root: Path | None,
    room: int,
    count: Count,
) -> list[Segment]:
    """The segments before the file's own text: as many of the best snippets as there is room for."""
    if fim is None or fim.file_sep is None:
        groups = [[_as_comment(snippet, document.language)] for snippet in snippets]
        return _fitting(groups, room * _CONTEXT_SHARE, count)
    separator = Segment("special", fim.file_sep)
    header = [separator, Segment("context", f"{shown(own)}\n", own)] if own else []
    header = _fitting([header], room, count)
    groups = [[separator, _as_file(snippet)] for snippet in snippets]
    title: list[Segment] = []
    if fim.repo_name and root is not None and snippets:
        title = [Segment("special", fim.repo_name), Segment("context", f"{shown(root.name)}\n")]
    left = room * _CONTEXT_SHARE - sum(_cost(segment, count) for segment in header + title)
    others = _fitting(groups, left, count)
    return (title if others else []) + others + header


def _fitting(groups: list[list[Segment]], room: float, count: Count) -> list[Segment]:
    """The last groups that fit together, in their order."""
    kept: list[Segment] = []
    for group in reversed(groups):
        room -= sum(_cost(segment, count) for segment in group)
        if room < 0:
            break
        kept = group + kept
    return kept


def _as_file(snippet: Snippet) -> Segment:
    text = snippet.text if snippet.text.endswith("\n") else f"{snippet.text}\n"
    return Segment("context", f"{shown(snippet.path)}\n{text}", snippet.path)


def _as_comment(snippet: Snippet, language: str | None) -> Segment:
    return Segment("context", commented(f"{shown(snippet.path)}\n{snippet.text}", language), snippet.path)


def _cost(segment: Segment, count: Count) -> int:
    return 1 if segment.kind == "special" else count(segment.text)


def _arranged(
    context: list[Segment],
    prefix: Segment,
    suffix: Segment,
    late: Segment | None,
    fim: FimFormat | None,
    layout: Layout,
) -> tuple[Segment, ...]:
    """Everything in the family's order; comments belong to the prefix, files come before all.

    `late` is the part of the prefix that goes after the middle sentinel.
    """
    if fim is None or layout == "prefix":
        return (*context, prefix)
    files, comments = (context, []) if fim.file_sep else ([], context)
    before, between, after = (Segment("special", mark) for mark in (fim.prefix, fim.suffix, fim.middle))
    if layout in {"psm", "efim"}:
        return (*files, before, *comments, prefix, between, suffix, after, *([late] if late else []))
    if fim.spm == "native":
        return (*files, between, suffix, before, *comments, prefix, *([after] if fim.middle else []))
    return (*files, before, between, suffix, after, *comments, prefix)
