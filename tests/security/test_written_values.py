"""What a model writes into a gap: a repository may make it write commas, and each may end a value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guiderail.next_edit import repair, values
from guiderail.next_edit.proposal import Proposal
from guiderail.text.document import Document
from guiderail.text.edit import Edit

SOURCE = Document("f(1)\n", Path("a.py"), "python")
COMMAS = "1 +" + ", " * 99


def fill() -> None:
    gap = Proposal(SOURCE, Edit(2, 3, "\0a\0"), "arguments", "f takes others")
    assert values.filled(gap, lambda *_: [COMMAS]) is None


def mend() -> None:
    tree = values.read(SOURCE)
    assert tree is not None
    node = tree.node_around(2, 3)
    assert node is not None
    assert not list(repair._edits(tree, node, lambda *_: [COMMAS]))


@pytest.mark.parametrize("use", [fill, mend])
def test_a_text_is_parsed_few_times_for_what_is_written(
    use: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was parsed for each comma: a hundred times half a second of a large file, and nobody could end it."""
    parsed: list[Any] = []
    for module in (values, repair):
        real = module.read
        monkeypatch.setattr(module, "read", lambda *given, real=real: parsed.append(1) or real(*given))
    use()
    assert 0 < len(parsed) <= 20
