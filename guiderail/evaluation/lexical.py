"""How much of a continuation is right, token by token: NIM, ISM and PM of monitor-guided decoding's evaluation.

Definitions of "Guiding Language Models of Code with Global Context using Monitors" (NeurIPS 2023), section 4, with
Pygments' lexers as there. All three compare what was written with what the author wrote after the same cursor.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Token

# LSP's language identifiers that Pygments has under another name.
_LEXERS = {"typescriptreact": "tsx", "javascriptreact": "jsx", "shellscript": "bash"}


@cache
def _lexer(language: str) -> Lexer:
    return get_lexer_by_name(_LEXERS.get(language, language))


def lexemes(text: str, language: str) -> list[tuple[bool, str]]:
    """The tokens of a text without whitespace: whether each is an identifier, and what it says.

    Raises
    ------
    pygments.util.ClassNotFound
        There is no lexer for the language.
    """
    return [
        (kind in Token.Name or value == "class", value)
        for kind, value in _lexer(language).get_tokens(text)
        if value.strip()
    ]


def next_identifier_match(answer: str, truth: str, language: str) -> bool:
    """NIM: whether both begin with the same token, which after a dot is an identifier."""
    return lexemes(answer, language)[:1] == lexemes(truth, language)[:1]


def identifier_sequence_match(answer: str, truth: str, language: str) -> float:
    """ISM: identifiers that both begin with, by the truth's number of identifiers; 1 where the truth has none."""
    ours, theirs = ([word for named, word in lexemes(text, language) if named] for text in (answer, truth))
    return _shared(ours, theirs)


def prefix_match(answer: str, truth: str, language: str) -> float:
    """PM: tokens that both begin with, by the truth's number of tokens; 1 where the truth has none."""
    ours, theirs = ([word for _, word in lexemes(text, language)] for text in (answer, truth))
    return _shared(ours, theirs)


def _shared(answer: Sequence[str], truth: Sequence[str]) -> float:
    if not truth:
        return 1.0
    common = next((i for i, (a, b) in enumerate(zip(answer, truth, strict=False)) if a != b), None)
    return (min(len(answer), len(truth)) if common is None else common) / len(truth)
