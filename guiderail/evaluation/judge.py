"""What is measured of one answer."""

from __future__ import annotations

from typing import Any

from guiderail.evaluation.lexical import identifier_sequence_match, next_identifier_match, prefix_match
from guiderail.evaluation.metrics import similarity
from guiderail.evaluation.packages import parses
from guiderail.evaluation.repetition import repeated
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


def judge(task: Task, answer: str) -> dict[str, Any]:
    """The measures of an answer that has been truncated; each is between 0 and 1."""
    truth = task.truth.rstrip()
    return {
        "nim": float(next_identifier_match(answer, truth, task.language)),
        "ism": identifier_sequence_match(answer, truth, task.language),
        "pm": prefix_match(answer, truth, task.language),
        "exact": float(answer.split() == truth.split()),
        "similarity": similarity(answer.strip(), truth.strip()),
        "parses": float(is_valid(task.completed(answer), task.language)),
    }


def repetition(task: Task, answer: str) -> dict[str, float | None]:
    """TR-N and TR-S of an answer (arXiv 2505.10402, section 4); of Python only, whose statements are known here."""
    tr_n, tr_s = repeated(answer) if task.language == "python" else (None, None)
    return {"tr_n": tr_n, "tr_s": tr_s}


def is_valid(text: str, language: str) -> bool:
    """Whether a whole file follows its language's grammar; true of languages without a grammar here."""
    if language == "python":
        return parses(text)
    return not has_grammar(language) or not parse(text.encode(errors="surrogatepass"), language).has_error
