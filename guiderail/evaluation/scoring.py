"""How one answer is scored: every measure of an answer against its author's text has its one definition here."""

from __future__ import annotations

import io
import keyword
import tokenize
from collections.abc import Sequence
from functools import cache
from math import comb
from typing import Any

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Token
from rapidfuzz.distance import Levenshtein

from guiderail.evaluation.packages import parses
from guiderail.evaluation.task import Task
from guiderail.text.syntax import has_grammar, parse

# What a row says of an answer, and what the tables call it.
MEASURES = {
    "compiles": "CR",
    "nim": "NIM",
    "ism": "ISM",
    "pm": "PM",
    "exact": "EM",
    "similarity": "ES",
    "parses": "parses",
}
ORDER = 4  # of the n-grams of TR-N
# LSP's language identifiers that Pygments has under another name.
_LEXERS = {"typescriptreact": "tsx", "javascriptreact": "jsx", "shellscript": "bash"}
_RULES = {tokenize.NAME: "name", tokenize.NUMBER: "number", tokenize.STRING: "string", tokenize.OP: ""}

SCORING = 3  # raised whenever a measure changes; files of samples say it


def score(task: Task, answer: str) -> dict[str, Any]:
    """The measures of an answer that has been truncated; each is between 0 and 1."""
    truth = task.truth.rstrip()
    return {
        "nim": float(next_identifier_match(answer, truth, task.language)),
        "ism": identifier_sequence_match(answer, truth, task.language),
        "pm": prefix_match(answer, truth, task.language),
        "exact": float(exact_match(answer, truth)),
        "similarity": edit_similarity(answer, truth),
        "parses": float(is_valid(task.completed(answer), task.language)),
    }


def first_line(text: str) -> str:
    """The frozen truncation rule of every line task: up to the first line end, without blanks at its end."""
    return text.split("\n", 1)[0].rstrip()


def exact_match(answer: str, truth: str) -> bool:
    """EM: whether both are equal after splitting at white space, and of several lines each is as deep.

    The rule of RepoBench (Liu et al., ICLR 2024) in its published evaluation script, which is about single lines. Of
    several, depth is meaning; the first begins at the cursor.
    """
    words, true_words = ([line.split() for line in _lines(text)] for text in (answer, truth))
    return words == true_words and _depths(answer) == _depths(truth)


def _lines(text: str) -> list[str]:
    return [line for line in text.strip().split("\n") if line.strip()]


def _depths(text: str) -> list[int]:
    return [len(line.expandtabs()) - len(line.expandtabs().lstrip()) for line in _lines(text)[1:]]


def edit_similarity(answer: str, truth: str) -> float:
    """ES: 1 - Levenshtein distance / longer length, blanks at both ends aside; 1 for two empty texts.

    The definition of RepoCoder (Zhang et al., EMNLP 2023), section 3.3. RepoBench and CrossCodeEval publish a fuzz
    ratio (insertions and deletions alone, over the sum of the lengths), which is no smaller.
    """
    return Levenshtein.normalized_similarity(answer.strip(), truth.strip())


def is_valid(text: str, language: str) -> bool:
    """Whether a whole file follows its language's grammar; true of languages without a grammar here."""
    if language == "python":
        return parses(text)
    return not has_grammar(language) or not parse(text.encode(errors="surrogatepass"), language).has_error


def score_at(k: int, values: Sequence[float]) -> float:
    """score@k: the expected best of `k` of the values, drawn without putting back; pass@k for values of 0 and 1.

    "Guiding Language Models of Code with Global Context using Monitors" (NeurIPS 2023), section 4.

    Raises
    ------
    ValueError
        There are fewer than `k` values, or `k` is none.
    """
    if not 1 <= k <= len(values):
        raise ValueError(f"score@{k} of {len(values)} values")
    ranked = sorted(values, reverse=True)
    ways = (value * comb(len(ranked) - place, k - 1) for place, value in enumerate(ranked, start=1))
    return sum(ways) / comb(len(ranked), k)


# NIM, ISM and PM are of the same paper's section 4, with Pygments' lexers as there. All three compare what was written
# with what the author wrote after the same cursor.


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


@cache
def _lexer(language: str) -> Lexer:
    return get_lexer_by_name(_LEXERS.get(language, language))


def _shared(answer: Sequence[str], truth: Sequence[str]) -> float:
    if not truth:
        return 1.0
    common = next((i for i, (a, b) in enumerate(zip(answer, truth, strict=False)) if a != b), None)
    return (min(len(answer), len(truth)) if common is None else common) / len(truth)


def repetition(task: Task, answer: str) -> dict[str, float | None]:
    """TR-N and TR-S of an answer (arXiv 2505.10402, section 4); of Python only, whose statements are known here."""
    tr_n, tr_s = repeated(answer) if task.language == "python" else (None, None)
    return {"tr_n": tr_n, "tr_s": tr_s}


def repeated(text: str) -> tuple[float, float]:
    """TR-N and TR-S: the shares of the 4-grams of rules, and of the statements, that occurred before.

    The rules are read off the tokens: keywords and punctuation as they are, names, numbers and strings by their kind. A
    statement is a line's rules. Nothing of what RPG itself looks at goes into this.
    """
    lines = [rules for line in text.splitlines() if (rules := line_rules(line))]
    flat = [rule for line in lines for rule in line]
    grams = [tuple(flat[i : i + ORDER]) for i in range(len(flat) - ORDER + 1)]
    return _repeats(grams), _repeats([tuple(line) for line in lines])


def _repeats(items: Sequence[object]) -> float:
    return 1 - len(set(items)) / len(items) if items else 0.0


def line_rules(line: str) -> list[str]:
    """The kinds of one line's tokens, as far as they can be read."""
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
            if token.type in _RULES:
                plain = token.type == tokenize.OP or keyword.iskeyword(token.string)
                found.append(token.string if plain else _RULES[token.type])
            elif token.type == tokenize.COMMENT:
                found.append("comment")
            elif token.type == tokenize.ERRORTOKEN and token.string.strip():
                found.append(token.string)
    except (tokenize.TokenError, IndentationError, SyntaxError):
        pass  # an open bracket or string: what came before it counts
    return found
