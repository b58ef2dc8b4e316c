"""Prompts that a client has written in a model's own fill-in-the-middle format.

Zed, cursortab and recipes for minuet put the text around the cursor into one prompt, with the sentinels of the model
that they take the server to have. Whatever model there is, such a prompt is taken apart again: then the file can be
found, and the right model gets its own sentinels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from guiderail.errors import UsageError
from guiderail.prompt.fim import FORMATS
from guiderail.text.language import language_named


@dataclass(frozen=True, slots=True)
class FimText:
    """A prompt that was taken apart.

    Parameters
    ----------
    before, after
        The text around the hole.
    file
        The name of the file, if the prompt says it.
    others
        Names and texts of other files.
    """

    before: str
    after: str
    file: str = ""
    others: tuple[tuple[str, str], ...] = ()


_FILES = ("<|file_sep|>", "<file_sep>")
# A prefix's sentinel, a suffix's and the last one; people write CodeLlama's with blanks, and GLM's is in no table.
_TRIPLES = (
    *dict.fromkeys((form.prefix, form.suffix, form.middle) for form in FORMATS if form.middle),
    ("<PRE> ", " <SUF>", " <MID>"),
    ("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
)
_SUFFIX, _PREFIX = "[SUFFIX]", "[PREFIX]"  # Codestral's: the suffix first, and none at the end


def take_apart(prompt: str) -> FimText | None:
    """The parts of a prompt in a known format; None for a plain text.

    A source file may hold sentinels too. So only a prompt that ends with the last one counts; the first sentinel for a
    prefix and the last one for a suffix are taken.
    """
    if prompt.startswith(_SUFFIX) and _PREFIX in prompt:
        after, _, before = prompt.removeprefix(_SUFFIX).rpartition(_PREFIX)
        return FimText(before, after)
    for prefix, suffix, middle in _TRIPLES:
        if prompt.endswith(middle) and prefix in prompt:
            head, _, rest = prompt.removesuffix(middle).partition(prefix)
            before, found, after = rest.rpartition(suffix)
            if found:
                others, file = _files(head)
                return FimText(before, after, file, others)
    return None


# What minuet writes above the text, as comments of the language: two lines, of which either may be empty.
_HEADER = re.compile(
    r"(?:[^\n]{0,9}\blanguage: (?P<language>[\w.+-]{1,40})[^\n]{0,9})\n"
    r"(?:[^\n]{0,9}\bindentation: use (?:\d+ spaces|\t) for a tab[^\n]{0,9})?\n"
)


def without_header(text: str) -> tuple[str, str]:
    """A text without the lines that a client has put above the file's, and the language that these name, if known."""
    found = _HEADER.match(text)
    if found is None:
        return text, ""
    try:
        return text[found.end() :], language_named(found["language"])
    except UsageError:
        return text[found.end() :], ""


def _files(head: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The files before the hole's sentinels: the others, and the name of the hole's own, which comes last."""
    mark = next((one for one in _FILES if one in head), None)
    if mark is None:
        return (), ""
    parts = [part.partition("\n") for part in head.split(mark)[1:]]
    own, _, rest = parts[-1]
    if rest.strip():  # no name before the hole
        return tuple((name.strip(), text) for name, _, text in parts), ""
    return tuple((name.strip(), text) for name, _, text in parts[:-1]), own.strip()
