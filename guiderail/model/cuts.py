"""Finds where a text may be cut so that its parts can be tokenised independently.

A tokenizer sees a whole text; an editor changes a few characters of it. `cut_pattern` reads a tokenizer's own
description and returns a regular expression of zero width such that, for every text and every place `f` where it
matches, ``encode(text) == encode(text[:f]) + encode(text[f:])``. Where nothing can be proved it returns None.

Three laws about the splits before the merges (a split tries its alternatives at each position in turn and goes
on after what matched, so after the end of a match nothing that came before matters, unless it looks behind):

NEWLINE  One alternative is a lone line end, and no other can hold one. Then every line end is a piece of its own.
         Cut after it.
BEFORE   Line ends are held only by ``\\s+`` and ``\\s+(?!\\S)``. A match that holds a character which is no white space
         stops at the line end, so a cut between the two lies between matches; to the left of it nothing looks
         further than one character, and a line end there stops it just as the end of the text does.
BEHIND   Line ends are held by ``\\s*[\\r\\n]+``, tried before the two above, and by the tail ``[\\r\\n]*`` of a run of
         punctuation. Both stop after the last line end of a run of white space, whatever follows, if what follows
         is blanks and then a visible character. Cut there.

Splits whose alternatives never hold a line end and look at nothing but what they match may come before such a split:
they change nothing at a line end. Those after it see the pieces only.

A tokenizer without splits (SentencePiece) merges over the whole text. There the vocabulary is the proof: if no token
has a line end followed by something else, no merge crosses that place.

Only ASCII characters are trusted to be visible: regular expression engines disagree about some others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_NEWLINE = re.compile(r"(?<=\n)(?=[^\r\n])")
_BEFORE = re.compile(r"(?<=[!-~])(?=[\r\n])")
_BEHIND = re.compile(r"(?<=[\r\n])(?=[ \t]*[!-.0-~])")  # not "/": some punctuation tails are [\r\n/]*

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LONE_NEWLINE = frozenset({r"\n", r"[\r\n]"})
_BLANKS = frozenset({r"\s+", r"\s+(?!\S)"})
_LINE_ENDS = r"\s*[\r\n]+"
_PUNCTUATION_TAILS = frozenset({r" ?[^\s\p{L}\p{N}]+[\r\n]*", r" ?[^\s\p{L}\p{N}]+[\r\n/]*"})

# Atoms of the regular expressions that tokenizers use.
_ATOM = re.compile(r"\[(?:\\.|[^\]\\])*\]|\\[pP]\{[^}]*\}|\\.|\(\?i?:|[()|?*+]|\{\d*,?\d*\}|[^\\]", re.DOTALL)
_IN_CLASS = re.compile(r"\\[pP]\{[^}]*\}|(?:\\.|[^\\])-(?:\\.|[^\\])|\\.|[^\\]", re.DOTALL)
_PUNCTUATION = "[](){}.*+?|^$/-'\"\\"
_LOOKS_AROUND = re.compile(r"\(\?(?!i?:)|\\[bBAzZGK1-9]")


def cut_pattern(specification: dict[str, Any]) -> re.Pattern[str] | None:
    """The cuts that are right for a tokenizer, or None.

    Parameters
    ----------
    specification
        The parsed ``tokenizer.json``, as `Tokenizer` has prepared it (no normalizer but the replacement of spaces).
    """
    model = specification["model"]
    splits = _stages(specification.get("pre_tokenizer"))
    if model.get("byte_fallback"):
        pattern = _NEWLINE if _splits_at_spaces_only(splits) and _never_merges_line_ends(model) else None
    else:
        pattern = _first_law(splits)
    contents = (token["content"] for token in specification.get("added_tokens", ()))
    return pattern if _leave_line_ends_alone(contents) else None


def _stages(pre_tokenizer: dict[str, Any] | None) -> list[dict[str, Any]]:
    if pre_tokenizer is None:
        return []
    if pre_tokenizer["type"] == "Sequence":
        return [stage for inner in pre_tokenizer["pretokenizers"] for stage in _stages(inner)]
    return [pre_tokenizer]


def _splits_at_spaces_only(stages: list[dict[str, Any]]) -> bool:
    """Whether the stages of a SentencePiece tokenizer look at spaces only."""
    return all(
        stage["type"] == "Metaspace" or (stage["type"] == "Split" and stage["pattern"] == {"String": " "})
        for stage in stages
    )


def _never_merges_line_ends(model: dict[str, Any]) -> bool:
    """Whether no token has a line feed followed by something else, and byte tokens stay as they are."""
    mixed = re.compile(r"\n[^\n]")
    if any(mixed.search(token) for token in model["vocab"]):
        return False
    sides = (side for merge in model["merges"] for side in (merge.split(" ") if isinstance(merge, str) else merge))
    return not any(side.startswith("<0x") for side in sides)


def _leave_line_ends_alone(contents: Iterable[str]) -> bool:
    """Whether added tokens, which are found before all splitting, hold line ends only if they hold nothing else."""
    return all(not content.strip("\r\n") or not re.search(r"[\r\n]", content) for content in contents)


def _first_law(stages: list[dict[str, Any]]) -> re.Pattern[str] | None:
    """The law of the first stage that has one, if the stages before it change nothing at line ends."""
    for stage in stages:
        if stage["type"] == "Digits":
            continue
        alternatives = _split_alternatives(stage)
        if alternatives is None:
            return None
        if alternatives and (law := _law(alternatives)) is not None:
            return law
        if not all(_never_holds(alternative, "rn") for alternative in alternatives):
            return None
    return None


def _split_alternatives(stage: dict[str, Any]) -> list[str] | None:
    """The alternatives of an isolating split; [] for a stage that splits nothing; None for one we do not know."""
    if stage["type"] == "ByteLevel":
        return alternatives_of(_GPT2) if stage.get("use_regex", True) else []
    isolating = stage["type"] == "Split" and stage["behavior"] == "Isolated" and not stage.get("invert")
    if not isolating or "Regex" not in stage["pattern"]:
        return None
    return alternatives_of(stage["pattern"]["Regex"])


def _law(alternatives: list[str]) -> re.Pattern[str] | None:
    """The law of one split; alternatives that hold no line end take no part in it."""
    feeds = [alternative for alternative in alternatives if not _never_holds(alternative, "n")]
    if len(feeds) == 1 and feeds[0] in _LONE_NEWLINE:
        return _NEWLINE
    rest = [alternative for alternative in alternatives if not _never_holds(alternative, "rn")]
    if r"\s+" in rest and set(rest) <= _BLANKS:
        return _BEFORE
    if _LINE_ENDS in rest and set(rest) <= _BLANKS | _PUNCTUATION_TAILS | {_LINE_ENDS}:
        tried_first = rest.index(_LINE_ENDS)
        return _BEHIND if all(rest.index(blank) > tried_first for blank in _BLANKS & set(rest)) else None
    return None


def alternatives_of(regex: str) -> list[str]:
    """The alternatives of a regular expression at its top level."""
    parts, depth = [""], 0
    for atom in _ATOM.findall(regex):
        depth += atom.startswith("(") - (atom == ")")
        if atom == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += atom
    return parts


def _never_holds(alternative: str, ends: str) -> bool:
    """Whether no match of `alternative` has one of `ends`, and it looks at nothing but what it matches.

    `ends` names line ends by their escapes: ``n``, ``r`` or both.
    """
    if _LOOKS_AROUND.search(alternative):
        return False
    return not any(_may_be(atom, ends) for atom in _ATOM.findall(alternative))


def _may_be(atom: str, ends: str) -> bool:
    """Whether an atom can match one of `ends`; in doubt it can."""
    if atom.startswith("["):
        return _class_may_be(atom, ends)
    if atom.startswith(r"\p"):
        return not re.fullmatch(r"\\p\{(?:[LNPSMZ][a-z]?|Han|Hangul|Hiragana|Katakana)\}", atom)
    if "-" in atom[1:]:  # a range: not from the control characters
        return not re.match(r"[ -\U0010ffff]-", atom)
    if atom.startswith("\\"):
        return atom[1] in ends or atom[1] not in "dwStfrn" + _PUNCTUATION
    return atom in {".", "^", "$"} or atom < " "


def _class_may_be(atom: str, ends: str) -> bool:
    negated = atom.startswith("[^")
    inside = atom[2:-1] if negated else atom[1:-1]
    if "[" in inside or "&&" in inside:  # nested sets and intersections
        return True
    parts = _IN_CLASS.findall(inside)
    if negated:
        return r"\s" not in parts and any("\\" + end not in parts for end in ends)
    return any(_may_be(part, ends) for part in parts)
