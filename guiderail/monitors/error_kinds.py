"""Which kinds of an analyser's errors are hardly ever raised about code that people have really written."""

from __future__ import annotations

from guiderail.monitors.verdict import SYNTAX_ERROR

SURE = frozenset({SYNTAX_ERROR, "missing-attribute"})


def is_sure(kind: str) -> bool:
    """Whether a suggestion that brings an error of this kind is left out, and not only put last."""
    return kind in SURE
