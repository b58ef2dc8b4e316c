"""Tells whether the value assigned to a name like ``token`` is a string, or only another name of the program.

The rule for assignments takes anything random without quotes, and a comma for an assignment: in code that is
``import AutoTokenizer, Qwen3ForCausalLM`` or ``tokenizer: Qwen2TokenizerFast``.
"""

from __future__ import annotations

import re

from guiderail.text.language import comment_prefix, is_code

_QUOTES = "'\"`"
# Languages of code in which a text needs no quotes.
_BARE = frozenset({"shellscript", "fish", "powershell", "makefile", "cmake", "dockerfile"})
_NAME = re.compile(r"[A-Za-z_][\w.=-]*", re.ASCII)  # or several with operators between them
_BACK = 1000  # characters of a line that are looked at
_COMMENTS = ("//", "/*", "<!--")


def is_literal(text: str, match: re.Match[str], begin: int, end: int, language: str | None) -> bool:
    """Whether the value between `begin` and `end` in an assignment's match is a text.

    Parameters
    ----------
    language
        The text's; a value without quotes counts where it is not known, and in what is no program.
    """
    if begin and text[begin - 1] in _QUOTES:
        return True
    if text[match.start() : begin].rstrip(_QUOTES + " \t\r\n=").endswith(","):  # separates, and assigns nothing
        return False
    if not is_code(language) or language in _BARE or not _NAME.fullmatch(text, begin, end):
        return True
    line = text[max(begin - _BACK, 0) : begin].rpartition("\n")[2]
    return _is_quoted(line) or _is_comment(line, language)


def _is_quoted(line: str) -> bool:
    """Whether a text begins in the line and has not ended: ``"https://host/?token=``."""
    return any(line.count(quote) % 2 for quote in _QUOTES)


def _is_comment(line: str, language: str | None) -> bool:
    return line.lstrip().startswith("*") or any(mark in line for mark in (comment_prefix(language), *_COMMENTS))
