"""The baseline that knows the language's grammar and nothing else: a token may come if Python can still parse the text.

What a general grammar engine gives, without the project: BENCHMARKS of type-constrained decoding (PLDI 2025) find
that syntax alone removes few of the errors that types remove, so that both have to be measured.
"""

from __future__ import annotations

import ast
import keyword
import re
import warnings
from collections.abc import Sequence
from itertools import takewhile

import torch

from guiderail.decoding.stages.stage import StepState
from guiderail.monitors.lex_state import lex_state

TRIED = 64  # tokens that are tried at a step, the likeliest first
# CPython's own words for a text that stops too early, in the middle of a token or a statement.
UNFINISHED = re.compile(
    r"incomplete input|unterminated (triple-quoted )?(f-)?string literal|was never closed|unexpected EOF"
    r"|expected an indented block|invalid (decimal|hexadecimal|octal|binary|imaginary) literal"
    r"|expected '(except|finally)"
)
# PyCF_ALLOW_INCOMPLETE_INPUT and PyCF_DONT_IMPLY_DEDENT, with which the standard library's `codeop` asks too.
_FLAGS = ast.PyCF_ONLY_AST | 0x4000 | 0x200
# The beginning of an operator and its rest; an ellipsis comes after no value.
_OPERATORS = (("!", "="), ("-", ">"), (":", "="))
_DOTS = re.compile(r"(?<![\w.)\]}\"'])\.{1,2}\Z")
_WORD = re.compile(r"[^\W\d]\w*\Z")
_ADJACENT = re.compile(r"(?P<value>\w+|[)\]}\"'])[ \t]+(?P<name>[^\W\d]\w*)[ \t]*\Z")
_KEYWORDS = frozenset([*keyword.kwlist, *keyword.softkwlist])
_DEFINITION = re.compile(r"^([ \t]*)(async[ \t]+)?def[ \t]", re.MULTILINE)


def may_go_on(text: str) -> bool:
    """Whether some continuation of `text`, which begins with a statement, follows Python's grammar.

    The last word or operator may be the beginning of a longer one.
    """
    if _is_viable(text) or any(text.endswith(begun) and _is_viable(text + rest) for begun, rest in _OPERATORS):
        return True
    if dots := _DOTS.search(text):
        return _is_viable(text[: dots.start()] + "...")
    word = _WORD.search(text)
    if word is None:
        return False
    longer = [name for name in keyword.kwlist if name.startswith(word.group())] + [f"{word.group()}_"]
    return any(_is_viable(text[: word.start()] + name) for name in longer)


def _is_viable(text: str) -> bool:
    """Whether CPython's parser finds nothing wrong up to the end of `text`.

    A line that is begun is joined to the next one, so that its end is not taken for the statement's end: the parser
    then asks for more, or has found what is wrong before.
    """
    begun = text[text.rfind("\n") + 1 :].strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(f"{text}\\\n" if begun else text, "<text>", "exec", flags=_FLAGS, dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError) as error:
        return bool(UNFINISHED.search(str(error))) and not _has_two_operands(text)
    except (RecursionError, MemoryError):
        return True
    return True


def _has_two_operands(text: str) -> bool:
    """Whether the text ends in a value and a name after it: CPython reads on there, to guess at a missing comma."""
    found = _ADJACENT.search(text)
    if found is None or found["value"] in _KEYWORDS or lex_state(text, "python").in_string_or_comment:
        return False
    return not any(name.startswith(found["name"]) for name in keyword.kwlist)


class SyntaxMask:
    """A logits stage for greedy decoding: forbids what no Python file begins with, down to the first that may come.

    Parameters
    ----------
    before
        The text before what is decoded; from the last ``def`` on it is parsed.
    token_bytes
        The bytes of every id.
    """

    def __init__(self, before: str, token_bytes: Sequence[bytes]) -> None:
        *_, (start, indentation) = [(0, ""), *((m.start(), m.group(1)) for m in _DEFINITION.finditer(before))]
        self._before = re.sub(f"^{indentation}", "", before[start:], flags=re.MULTILINE)
        self._margin = indentation
        self._token_bytes = token_bytes
        self._applies = may_go_on(self._before)

    def __call__(self, logits: torch.Tensor, state: StepState) -> torch.Tensor:
        """See `LogitsStage`: unchanged where the text is beyond this parser, or none of the likely tokens may come."""
        if not self._applies:
            return logits
        written = b"".join(self._token_bytes[i] for i in state.ids[len(state.ids) - state.step :])
        likely = logits.topk(min(TRIED, len(logits))).indices.tolist()
        forbidden = list(takewhile(lambda token: not self._may_come(written, self._token_bytes[token]), likely))
        if not forbidden or len(forbidden) == len(likely):
            return logits
        return logits.index_fill(0, torch.tensor(forbidden, dtype=torch.long, device=logits.device), float("-inf"))

    def _may_come(self, written: bytes, token: bytes) -> bool:
        text = (written + token).decode(errors="ignore").replace("\n" + self._margin, "\n")
        # The end of the text, where nothing may be unfinished any more, is the truncation's business.
        return not token or may_go_on(self._before + text)
