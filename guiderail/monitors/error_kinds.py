"""Which kinds of an analyser's errors are hardly ever raised about code that people have really written.

`guiderail eval verdict` counts them for pyrefly (docs/verdict.md). Even wrong arguments are found in true code, where a
class gets its constructor from a decorator. For an analyser that was not measured no kind is sure.
"""

from __future__ import annotations

from guiderail.monitors.verdict import SYNTAX_ERROR
from guiderail.text.languages.table import PYTHON_STATEMENTS

_PYREFLY = frozenset({"parse-error", "unknown-name", "not-callable"})


def is_sure(kind: str, language: str | None) -> bool:
    """Whether a suggestion that brings an error of this kind is left out, and not only put last."""
    if kind != SYNTAX_ERROR:
        return kind in _PYREFLY
    # With braces a line is often right only with the next: a statement with its semicolon, a head with its body.
    return language in PYTHON_STATEMENTS
