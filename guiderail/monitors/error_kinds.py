"""Which kinds of an analyser's errors are hardly ever raised about code that people have really written.

`guiderail eval verdict` counts them for pyrefly (docs/verdict.md). Even wrong arguments are found in true code, where a
class gets its constructor from a decorator. For an analyser that was not measured no kind is sure.
"""

from __future__ import annotations

from guiderail.monitors.verdict import SYNTAX_ERROR

_PYREFLY = frozenset({"parse-error", "unknown-name", "not-callable"})


def is_sure(kind: str) -> bool:
    """Whether a suggestion that brings an error of this kind is left out, and not only put last."""
    return kind == SYNTAX_ERROR or kind in _PYREFLY
