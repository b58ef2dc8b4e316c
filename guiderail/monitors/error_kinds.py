"""Which kinds of an analyser's errors are hardly ever raised about code that people have really written.

`guiderail eval verdict` counts them for pyrefly (docs/verdict.md). Even wrong arguments are found in true code, where a
class gets its constructor from a decorator. Of an analyser that was not counted no kind is sure.
"""

from __future__ import annotations

from guiderail.monitors.verdict import SYNTAX_ERROR

_PYREFLY = frozenset({"parse-error", "unknown-name", "not-callable"})
# Elsewhere a line is often right only with the next: a statement without its semicolon, a function without its body.
_SYNTAX = frozenset({"python"})


def is_sure(kind: str, language: str | None) -> bool:
    """Whether a suggestion that brings an error of this kind is left out, and not only put last."""
    return language in _SYNTAX if kind == SYNTAX_ERROR else kind in _PYREFLY
