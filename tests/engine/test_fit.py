"""True code, cut at every position: what is accepted never repeats or unbalances what stands after the cursor.

GUIDERAIL_FIT_LINES=2000 takes more lines than the usual few.
"""

import io
import os
import random
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import guiderail
from guiderail.engine.judging import Judge
from guiderail.engine.suggestion import Suggestion, Timings
from guiderail.text.document import Document
from guiderail.text.fitting import fit_text

LINES = int(os.environ.get("GUIDERAIL_FIT_LINES", "12"))
TIMINGS = Timings(1, 0, 0.0, 0.0, 0.0, 0.0)
_IN_TEXT = re.compile(r"""["'][^"']*[(){}\[\]]|\w'\w""")  # brackets in strings go in no pairs, nor do apostrophes
OTHERS = {
    "go": "package a\n\nfunc f(xs []int, m map[string]int) (int, error) {\n"
    '\treturn xs[len(xs)-1] + m["a b"], nil // (x\n}\n',
    "java": "class A {\n    int f(int[] xs) {\n        return g(xs[0], \"a)\", h(x -> x + 1)) + '(';\n    }\n}\n",
    "typescript": "export const f = (a: {b: string}[]) => `x ${a.map((c) => c.b).join(', ')} y`;\nf([{b: \"(\"}]);\n",
}


def own_lines() -> Iterator[tuple[str, str, int, str]]:
    """Lines of guiderail's own code and of other languages: language, text, where the line begins, the line."""
    chooser = random.Random(0)
    files = [path for path in sorted(Path(guiderail.__file__).parent.rglob("*.py")) if path.stat().st_size > 500]
    for _ in range(LINES):
        yield "python", *_line_of(chooser.choice(files).read_text(encoding="utf-8"), chooser)
    for language, text in OTHERS.items():
        for line in (line for line in text.splitlines() if len(line) > 8):
            yield language, text, text.index(line), line


def _line_of(text: str, chooser: random.Random) -> tuple[str, int, str]:
    lines = [
        found for found in re.finditer(r"(?m)^.*\S.*$", text) if len(found[0]) < 100 and not _IN_TEXT.search(found[0])
    ]
    found = chooser.choice(lines)
    return text, found.start(), found[0]


def accepted(text: str, document: Document, offset: int) -> str | None:
    """The cursor's line once a suggestion is accepted that was written as `text`; None where nothing is shown."""
    line = document.position_at(offset)[0]
    before, after = document.text[document.line_start(line) : offset], document.text[offset:]
    shaped = fit_text(text, before, after)
    if shaped is None:
        return None
    one = Suggestion(shaped.text, offset, offset + shaped.covers, 0.0, (), "line", "psm", TIMINGS, written=text)
    shown = Judge(document, None, "sure", None).judge([one])[0]
    if not shown:
        return None
    return before + shown[0].text + after[shown[0].end - offset :].split("\n", 1)[0]


@pytest.mark.parametrize(("language", "text", "start", "line"), list(own_lines()))
def test_the_truth_and_what_follows_it_makes_the_line_or_a_beginning_of_what_is_missing(
    language: str, text: str, start: int, line: str
) -> None:
    """A part of a line is missing; the model writes it, and as much of what follows as it likes, up to whole words."""
    chooser = random.Random(line)
    for at in range(len(line)):
        bounds = [found.end() for found in re.finditer(r"\w+|[^\w\s]+|\s+", line)]
        end = chooser.choice([at, *(bound for bound in bounds if bound > at)])
        stop = chooser.choice([bound for bound in bounds if bound >= end])
        for written in {line[at:end], line[at:stop], line[at:]}:
            document = Document(text[: start + at] + text[start + end :], language=language)
            got = accepted(written, document, start + at)
            beginnings = {line[:at] + line[at:upto] + line[end:] for upto in range(at + 1, end + 1)}
            assert got is None or got == line or got in beginnings, (line[:at], line[at:end], line[end:], written, got)


@pytest.mark.parametrize(("language", "text", "start", "line"), [one for one in own_lines() if one[0] == "python"])
def test_what_is_accepted_in_the_middle_of_a_line_leaves_its_brackets_and_quotes_in_pairs(
    language: str, text: str, start: int, line: str
) -> None:
    """Whatever is written: parts of other lines, cut anywhere."""
    chooser = random.Random(line)
    parts = [found[0] for found in re.finditer(r"\S.*", text)]
    for at in range(len(line)):
        other = chooser.choice(parts)
        got = accepted(other[chooser.randrange(len(other)) :], Document(text, language=language), start + at)
        if got is not None and line[at:].strip():
            assert _open_brackets(text[:start] + got + text[start + len(line) :]) == [], got


def _open_brackets(text: str) -> list[str]:
    """The brackets of Python code that are not closed, or closed by others, as its own tokenizer sees them."""
    stack: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.OP and token.string in "([{":
            stack.append(token.string)
        elif token.type == tokenize.OP and token.string in ")]}" and "([{"[")]}".index(token.string)] in stack[-1:]:
            stack.pop()
        elif token.type == tokenize.OP and token.string in ")]}":
            stack.append(token.string)
    return stack
