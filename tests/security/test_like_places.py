"""Places like those that a person changed: however a text is nested, they are looked for in bounded work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guiderail.next_edit import like_places
from guiderail.next_edit.like_places import like_proposals
from guiderail.next_edit.search_time import InterruptedSearchError
from guiderail.text.document import Document

DEEP = 400


def test_of_the_brackets_around_a_change_few_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each around the earlier text was compared with each around the later one: 10,000 brackets took minutes."""
    looked, real = [], like_places._tokens
    monkeypatch.setattr(like_places, "_tokens", lambda *given: looked.append(1) or real(*given))
    # Two changes in one call, of which the second one makes it longer: nothing around the first is as it was.
    before, after = (
        Document("[" * DEEP + call + "]" * DEEP + "\n", language="python")
        for call in ("f(0, 1, 1, 1, 1, 'b')", "f(5, 1, 1, 1, 1, 'b' + 'b')")
    )
    assert like_proposals(before, after) == []
    assert 0 < len(looked) < 10 * DEEP


def test_nobody_looks_on_for_whom_nobody_waits() -> None:
    calls = "log.warn('a')\nlog.warn('b')\n" + "log.warn('c')\n" * 1000
    before, after = (Document(text, Path("a.py"), "python") for text in (calls, calls.replace("warn", "warning", 2)))
    assert len(like_proposals(before, after)) == 1000
    asked: list[Any] = []
    with pytest.raises(InterruptedSearchError):
        like_proposals(before, after, cancelled=lambda: asked.append(1) or len(asked) > 100)
    assert len(asked) < 200
